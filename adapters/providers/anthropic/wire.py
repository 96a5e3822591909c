"""Anthropic's Messages wire, bytes to events and back. Pure.

Source: `anthropic.types.Message` and `RawMessageStreamEvent` of the official SDK. Unknown block and event types are
passed over.
"""

from typing import Any, Final

import attrs

from adapters.providers import json_text
from adapters.providers.anthropic import errors
from adapters.providers.anthropic.encode import messages_body
from adapters.providers.counts import detail, tier_of, token_count
from adapters.providers.hints import HeaderLookup
from adapters.providers.http_provider import made_up_id, not_an_answer
from adapters.providers.repeated_frame import RepeatedFrame
from application.ports.chat_provider import ProviderCall
from domain.chat import (
    AnswerFinished,
    AnswerStarted,
    FinishReason,
    ProviderEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from domain.errors import ProviderFailure
from domain.usage import AT_LIST_PRICE, STANDARD_TIER, PricedApart

_STOP: Final[dict[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",  # a server tool paused; lor3 asks for none
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


_MAX_BLOCKS: Final = 4096
"""Of one answer; what is kept of each must not add up."""


class AnthropicCodec:
    def encode(self, call: ProviderCall) -> bytes:
        return json_text.dump(messages_body(call))

    def decode(self, body: bytes) -> list[ProviderEvent]:
        try:
            answer = json_text.parse(body)
        except ValueError:
            raise not_an_answer() from None
        if type(answer) is not dict:
            raise not_an_answer()
        if answer.get("type") == "error" or answer.get("error"):
            raise errors.failure_in_answer(answer.get("error"))
        content, stop = answer.get("content"), answer.get("stop_reason")
        # The wire always says why it stopped: without a reason the answer is not whole.
        if type(content) is not list or type(stop) is not str:
            raise not_an_answer()
        events: list[ProviderEvent] = [_started(answer)]
        calls = 0
        for block in content:
            if type(block) is not dict:
                continue
            kind = block.get("type")
            if kind == "text":
                text = block.get("text")
                if text and type(text) is str:
                    events.append(TextDelta(text))
            elif kind == "tool_use":
                events.append(_tool_call(block, calls, arguments=_arguments(block)))
                calls += 1
        usage = usage_of(answer.get("usage"))
        if usage is not None:
            events.append(usage)
        events.append(AnswerFinished(reason=_STOP.get(stop, "stop")))
        return events

    def decoder(self) -> "AnthropicStream":
        return AnthropicStream()

    def failure(self, status: int, header: HeaderLookup, body: bytes) -> ProviderFailure:
        return errors.failure(status, header, body)


@attrs.define
class _Block:
    """A content block that is open."""

    kind: str
    call: int = 0
    """The number of the tool call that it is."""
    arguments: str = ""
    """What its start held already: used where no delta comes."""
    has_grown: bool = False


@attrs.define
class AnthropicStream:
    """Decodes `message_start` … `message_stop`.

    Violations of the protocol (data that is not JSON, a delta for an unknown block, a block that starts twice) are
    skipped: if the answer still ends with a stop reason it counts as whole, otherwise as truncated.
    """

    is_closed: bool = False
    _stop: str | None = None
    _blocks: dict[Any, _Block] = attrs.field(factory=dict)
    _calls: int = 0
    _usage: dict[str, Any] = attrs.field(factory=dict)
    """Counts as last reported: those of message_delta are cumulative and replace those of message_start."""
    repeated: RepeatedFrame = attrs.field(factory=lambda: RepeatedFrame(b"text"), kw_only=True)
    """Deltas of the block that is open."""

    @property
    def is_finished(self) -> bool:
        return self._stop is not None

    def feed(self, data: bytes) -> list[ProviderEvent]:
        try:
            event = json_text.parse(data)
        except ValueError:
            return []
        if type(event) is not dict:
            return []
        kind = event.get("type")
        if kind == "content_block_delta":
            events = self._delta(event)
            if len(events) == 1 and type(events[0]) is TextDelta:
                self.repeated.learn(data, events[0].text)
            return events
        if kind == "error" or (kind is None and event.get("error")):
            raise errors.failure_in_answer(event.get("error"))
        if kind == "content_block_start":
            return self._block_start(event)
        if kind == "content_block_stop":
            return self._block_stop(event)
        if kind == "message_start":
            message = event.get("message")
            if type(message) is dict:
                self._take_usage(message.get("usage"))
                # Of the answer nothing is known yet: the wire says 1, or a few, and message_delta the count. In a
                # stream that is cut before that, this would be all that it took.
                self._usage.pop("output_tokens", None)
                usage = usage_of(self._usage)
                return [_started(message)] if usage is None else [_started(message), usage]
        elif kind == "message_delta":
            self._take_usage(event.get("usage"))
            delta = event.get("delta")
            stop = delta.get("stop_reason") if type(delta) is dict else None
            if type(stop) is str:
                self._stop = stop
                self.repeated.forget()
        elif kind == "message_stop":
            self.is_closed = True
        return []

    def _block_start(self, event: dict[str, Any]) -> list[ProviderEvent]:
        index, block = _index(event), event.get("content_block")
        if self._stop is not None or index is None or index in self._blocks or type(block) is not dict:
            return []
        if len(self._blocks) >= _MAX_BLOCKS:
            raise ProviderFailure("too_large", "the provider's answer holds too many blocks", status=200)
        kind = block.get("type")
        if kind == "tool_use":
            self._blocks[index] = _Block(kind, call=self._calls, arguments=_arguments(block))
            self._calls += 1
            return [_tool_call(block, self._calls - 1, arguments="")]
        self._blocks[index] = _Block(kind if type(kind) is str else "")
        text = block.get("text") if kind == "text" else None
        return [TextDelta(text)] if text and type(text) is str else []

    def _delta(self, event: dict[str, Any]) -> list[ProviderEvent]:
        block, delta = self._blocks.get(_index(event)), event.get("delta")
        if block is None or self._stop is not None or type(delta) is not dict:
            return []
        kind = delta.get("type")
        if kind == "text_delta" and block.kind == "text":
            text = delta.get("text")
            return [TextDelta(text)] if text and type(text) is str else []
        if kind == "input_json_delta" and block.kind == "tool_use":
            piece = delta.get("partial_json")
            if piece and type(piece) is str:
                block.has_grown = True
                return [ToolCallDelta(index=block.call, arguments=piece)]
        return []

    def _block_stop(self, event: dict[str, Any]) -> list[ProviderEvent]:
        block = self._blocks.get(_index(event))
        if block is None or block.kind != "tool_use" or block.has_grown:
            return []
        block.has_grown = True
        # A call without arguments sends no delta; the start held them all: `{}`.
        return [ToolCallDelta(index=block.call, arguments=block.arguments)]

    def _take_usage(self, usage: Any) -> None:
        if type(usage) is dict:
            # null in a message_delta means "as before", not "none".
            self._usage.update((key, value) for key, value in usage.items() if value is not None)

    def end(self) -> list[ProviderEvent]:
        events: list[ProviderEvent] = []
        usage = usage_of(self._usage)
        if usage is not None:
            events.append(usage)
        if self._stop is not None:
            events.append(AnswerFinished(reason=_STOP.get(self._stop, "stop")))
        return events


def usage_of(usage: Any) -> UsageReported | None:
    """The counts of a `usage` object; None where nothing in it can be believed.

    Anthropic reports cached tokens apart from `input_tokens`; the domain counts every token of the prompt.
    """
    if type(usage) is not dict:
        return None
    fresh, written = token_count(usage.get("input_tokens")), token_count(usage.get("output_tokens"))
    if fresh is None and written is None:
        return None
    read = detail(usage, "cache_read_input_tokens")
    parts = usage.get("cache_creation")
    for_an_hour = detail(parts, "ephemeral_1h_input_tokens")
    stored = token_count(usage.get("cache_creation_input_tokens"))
    if stored is None:
        stored = detail(parts, "ephemeral_5m_input_tokens") + for_an_hour
    # Of a stream the parts come once, at its start, and the sum again at its end.
    for_an_hour = min(for_an_hour, stored)
    tier, region = _tier(usage), "us" if usage.get("inference_geo") == "us" else None
    return UsageReported(
        input_tokens=None if fresh is None else fresh + read + stored,
        output_tokens=written,
        cached_input_tokens=read,
        cache_write_tokens=stored,
        reasoning_tokens=detail(usage.get("output_tokens_details"), "thinking_tokens"),
        apart=PricedApart(cache_write_1h_tokens=for_an_hour, tier=tier, region=region)
        if for_an_hour or region or tier != STANDARD_TIER
        else AT_LIST_PRICE,
    )


def _tier(usage: dict[str, Any]) -> str:
    """`speed: fast` has a price of its own; `service_tier: priority` is capacity that was paid for before."""
    speed = tier_of(usage.get("speed"))
    return speed if speed != STANDARD_TIER else tier_of(usage.get("service_tier"))


def _started(message: dict[str, Any]) -> AnswerStarted:
    response_id, model = message.get("id"), message.get("model")
    return AnswerStarted(
        response_id=response_id if type(response_id) is str else None,
        model=model if type(model) is str else None,
    )


def _tool_call(block: dict[str, Any], index: int, *, arguments: str) -> ToolCallDelta:
    call_id, name = block.get("id"), block.get("name")
    if type(name) is not str or not name:
        raise not_an_answer()  # nobody can run a call without a name
    return ToolCallDelta(
        index=index,
        id=call_id if type(call_id) is str and call_id else made_up_id(index),
        name=name,
        arguments=arguments,
    )


def _arguments(block: dict[str, Any]) -> str:
    return json_text.dump(block.get("input") or {}).decode()


def _index(event: dict[str, Any]) -> int | None:
    index = event.get("index")
    return index if type(index) is int else None
