"""OpenAI's Chat Completions wire, bytes to events and back. Pure.

Source: `openai.types.chat.ChatCompletion` and `ChatCompletionChunk` of the official SDK, and what vLLM, Ollama and
llama.cpp make of them. Unknown fields are passed over.
"""

from typing import Any, Final

import attrs

from adapters.providers import json_text
from adapters.providers.counts import count, tier_of, token_count
from adapters.providers.hints import HeaderLookup
from adapters.providers.http_provider import made_up_id, not_an_answer
from adapters.providers.openai import errors
from adapters.providers.openai.encode import chat_body
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
from domain.values import frozen

_OF_PROMPT: Final = ("cached_tokens", "cache_write_tokens", "image_tokens", "audio_tokens")
_OF_ANSWER: Final = ("reasoning_tokens", "audio_tokens")
_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",  # Mistral
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
_STOPPED: Final = AnswerFinished(reason="stop")
_BROKEN: Final = frozenset(("error", "abort"))
"""Finish reasons of compatible servers that gave up inside the answer."""


MAX_CALLS: Final = 1024
"""Tool calls in one answer; what is kept of each must not add up."""


@frozen(kw_only=True)
class OpenAICodec:
    stream_usage: bool = True
    """Whether to ask for `stream_options`, which a few old compatible servers refuse."""

    any_call_id: bool = False
    """Whether ids of tool calls may have any form, which OpenAI itself refuses."""

    def encode(self, call: ProviderCall) -> bytes:
        return json_text.dump(chat_body(call, stream_usage=self.stream_usage, any_call_id=self.any_call_id))

    def decode(self, body: bytes) -> list[ProviderEvent]:
        try:
            answer = json_text.parse(body)
        except ValueError:
            raise not_an_answer() from None
        if type(answer) is not dict:
            raise not_an_answer()
        if answer.get("error"):
            raise errors.failure_in_answer(answer["error"])
        choices = answer.get("choices")
        if type(choices) is not list or not choices or type(choices[0]) is not dict:
            raise not_an_answer()
        choice = choices[0]
        message = choice.get("message")
        finish = choice.get("finish_reason")
        if type(message) is not dict or (finish != "stop" and _is_broken(finish)):
            raise not_an_answer()
        events: list[ProviderEvent] = [_started(answer)]
        text = message.get("content")
        if type(text) is not str:
            text = _text(text)
        refusal = message.get("refusal")
        if text:
            events.append(TextDelta(text))
        if refusal and type(refusal) is str:
            events.append(TextDelta(refusal))
        calls = message.get("tool_calls")
        if type(calls) is list:
            number = 0
            for call in calls:
                delta = _tool_call(call, number)
                if delta is not None:
                    if delta.name is None:
                        raise not_an_answer()
                    events.append(delta if delta.id else attrs.evolve(delta, id=made_up_id(number)))
                    number += 1
        usage = usage_of(answer.get("usage"), answer.get("service_tier"))
        if usage is not None:
            events.append(usage)
        if finish == "stop" and not refusal:  # nearly always
            events.append(_STOPPED)
        else:
            events.append(AnswerFinished(reason=_reason(finish, refused=bool(refusal), called=bool(calls))))
        return events

    def decoder(self) -> "OpenAIStream":
        return OpenAIStream()

    def failure(self, status: int, header: HeaderLookup, body: bytes) -> ProviderFailure:
        return errors.failure(status, header, body)


@attrs.define
class OpenAIStream:
    """Decodes `chat.completion.chunk` objects up to `[DONE]`.

    A frame that is not JSON is skipped: if the answer still ends with a finish reason it counts as whole,
    otherwise as truncated.
    """

    is_closed: bool = False
    _started: bool = False
    _finish: Any = None
    _refused: bool = False
    _ids: list[str | None] = attrs.field(factory=list)
    """What the provider calls each call, in the order in which they came: their numbers here."""
    _numbers: dict[int, int] = attrs.field(factory=dict)
    """The number of the call that the provider means by an index."""
    _named: set[int] = attrs.field(factory=set)
    """The calls whose name has come."""
    _usage: UsageReported | None = None
    _tier: Any = None
    repeated: RepeatedFrame = attrs.field(factory=lambda: RepeatedFrame(b"content"), kw_only=True)

    @property
    def is_finished(self) -> bool:
        return self._finish is not None

    def feed(self, data: bytes) -> list[ProviderEvent]:
        events: list[ProviderEvent] = []
        was_started = self._started
        if len(data) < 64 and data.strip() == b"[DONE]":
            self.is_closed = True
            return events
        try:
            chunk = json_text.parse(data)
        except ValueError:
            return events
        if type(chunk) is not dict:
            return events
        if chunk.get("error"):
            raise errors.failure_in_answer(chunk["error"])
        if not self._started:
            self._started = True
            self._tier = chunk.get("service_tier")
            events.append(_started(chunk))
        usage = chunk.get("usage")
        if usage is not None:
            self._tier = chunk.get("service_tier") or self._tier
            self._usage = usage_of(usage, self._tier) or self._usage
        choices = chunk.get("choices")
        if type(choices) is list:
            for choice in choices:
                if type(choice) is dict and choice.get("index", 0) == 0:
                    self._choice(choice, events)
        if self._finish is not None:
            self.repeated.forget()
        elif was_started and usage is None and len(events) == 1 and type(events[0]) is TextDelta:
            self.repeated.learn(data, events[0].text)
        return events

    def _choice(self, choice: dict[str, Any], events: list[ProviderEvent]) -> None:
        if self._finish is not None:
            return  # content after the finish reason is no part of the answer
        delta = choice.get("delta")
        if type(delta) is dict:
            content = delta.get("content")
            if content:
                text = content if type(content) is str else _text(content)
                if text:
                    events.append(TextDelta(text))
            refusal = delta.get("refusal")
            if refusal and type(refusal) is str:
                self._refused = True
                events.append(TextDelta(refusal))
            calls = delta.get("tool_calls")
            if type(calls) is list:
                for call in calls:
                    piece = _tool_call(call, 0)
                    if piece is not None:
                        piece = self._numbered(piece, call.get("index"))
                        if not self._is_empty(piece):
                            events.append(self._noted(piece))
        finish = choice.get("finish_reason")
        if finish:
            if _is_broken(finish):
                raise ProviderFailure("bad_body", "the provider gave up inside its answer", status=200)
            self._finish = finish

    def _numbered(self, piece: ToolCallDelta, index: Any) -> ToolCallDelta:
        """Calls are numbered 0, 1, … as they come: some servers count from 1, or along with what is no call.

        Args:
            index: the provider's. A few servers leave it out: then a new id starts a new call. A few say 0 for
                every call: then a new id with a name does.
        """
        if type(index) is not int:
            number = len(self._ids) - 1
            is_new = number < 0 or (piece.id is not None and piece.id != self._ids[number])
        else:
            number = self._numbers.get(index, -1)
            is_new = number < 0 or self._is_another(piece, number)
        if is_new:
            number = len(self._ids)
        if type(index) is int:
            self._numbers[index] = number
        return attrs.evolve(piece, index=number) if number else piece

    def _is_another(self, piece: ToolCallDelta, number: int) -> bool:
        """Whether a piece is of another call than that one, though it has its index."""
        known = self._ids[number]
        has_both = piece.id is not None and piece.name is not None
        return has_both and known is not None and piece.id != known and number in self._named

    def _is_empty(self, piece: ToolCallDelta) -> bool:
        """A piece that says nothing new must not keep a stream alive; the first one says that there is a call."""
        is_known = piece.index < len(self._ids) and (piece.name is None or piece.index in self._named)
        return is_known and not piece.arguments

    def _noted(self, piece: ToolCallDelta) -> ToolCallDelta:
        """The piece with what it says for the first time: readers join the pieces of a name as they do texts."""
        number = piece.index
        if number < len(self._ids):
            self._ids[number] = self._ids[number] or piece.id
            if piece.id is not None:
                piece = attrs.evolve(piece, id=None)
        else:
            self._ids.append(piece.id)
            if len(self._ids) > MAX_CALLS:
                raise ProviderFailure(
                    "too_large", "the provider's answer holds too many tool calls", status=200
                )
            if piece.id is None:
                piece = attrs.evolve(piece, id=made_up_id(number))
        if piece.name is not None:
            if number in self._named:
                return attrs.evolve(piece, name=None)
            self._named.add(number)
        return piece

    def end(self) -> list[ProviderEvent]:
        events: list[ProviderEvent] = []
        if self._finish is not None and len(self._named) != len(self._ids):
            raise not_an_answer()  # nobody can run a call without a name
        if self._usage is not None:
            events.append(self._usage)
        if self._finish is not None:
            reason = _reason(self._finish, refused=self._refused, called=bool(self._ids))
            events.append(AnswerFinished(reason=reason))
        return events


def usage_of(usage: Any, service_tier: Any = None) -> UsageReported | None:
    """The counts of a `usage` object; None where there is none, or nothing in it can be believed.

    Every count of the details is of tokens that `prompt_tokens` or `completion_tokens` holds already.

    Args:
        service_tier: the answer's own field: how it was processed, whatever was asked for.
    """
    if type(usage) is not dict:
        return None
    sent, written = token_count(usage.get("prompt_tokens")), token_count(usage.get("completion_tokens"))
    if sent is None and written is None:
        return None
    of_prompt, of_answer = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    cached = written_to_cache = images = sound = thought = spoken = 0
    if type(of_prompt) is dict:
        cached, written_to_cache, images, sound = [
            count(each) if each else 0 for each in map(of_prompt.get, _OF_PROMPT)
        ]
    if type(of_answer) is dict:
        thought, spoken = [count(each) if each else 0 for each in map(of_answer.get, _OF_ANSWER)]
    tier = tier_of(service_tier)
    return UsageReported(
        input_tokens=sent,
        output_tokens=written,
        cached_input_tokens=cached,
        cache_write_tokens=written_to_cache,
        reasoning_tokens=thought,
        apart=PricedApart(
            input_image_tokens=images, input_audio_tokens=sound, output_audio_tokens=spoken, tier=tier
        )
        if images or sound or spoken or tier != STANDARD_TIER
        else AT_LIST_PRICE,
    )


def _started(answer: dict[str, Any]) -> AnswerStarted:
    response_id, model = answer.get("id"), answer.get("model")
    return AnswerStarted(
        response_id=response_id if type(response_id) is str else None,
        model=model if type(model) is str else None,
    )


def _text(content: Any) -> str:
    """A string, or (Mistral, some proxies) a list of text parts."""
    if type(content) is str:
        return content
    if type(content) is list:
        texts = (part.get("text") for part in content if type(part) is dict)
        return "".join(text for text in texts if type(text) is str)
    return ""


def _tool_call(call: Any, index: int) -> ToolCallDelta | None:
    function = call.get("function") if type(call) is dict else None
    if type(function) is not dict:
        return None
    call_id, name, arguments = call.get("id"), function.get("name"), function.get("arguments")
    if type(arguments) is dict:  # some servers send the object itself
        arguments = json_text.dump(arguments).decode()
    return ToolCallDelta(
        index=index,
        id=call_id if type(call_id) is str and call_id else None,
        name=name if type(name) is str and name else None,
        arguments=arguments if type(arguments) is str else "",
    )


def _is_broken(finish: Any) -> bool:
    return type(finish) is str and finish in _BROKEN


def _reason(finish: Any, *, refused: bool, called: bool) -> FinishReason:
    """An unknown word counts as `stop`; so does a missing one in a whole answer, unless it holds calls."""
    reason = _FINISH.get(finish) if type(finish) is str else None
    if reason is None:
        reason = "tool_calls" if called else "stop"
    # A model that refuses under a JSON schema says so in its own field and finishes with `stop`.
    return "content_filter" if refused and reason == "stop" else reason
