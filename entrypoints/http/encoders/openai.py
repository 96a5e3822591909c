"""OpenAI's chunks: `data: {json}` for each, one id throughout, `data: [DONE]` at the end.

Source: `openai.types.chat.chat_completion_chunk` and `openai._streaming` of the official SDK, whose readers raise for
data that holds `error`. Data is one line of JSON, in which every control character is escaped, so nothing that a model
writes can start a line.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
from aiohttp import web

from domain.answer import ChatAnswer, ChatDone, ChatEvent, ChatStarted, Delta, Reset, ToolCalled, ToolCallGrew
from domain.errors import AnswerInterrupted, InvalidRequest, LorError
from domain.ids import MessageId
from domain.json_value import JSONValue
from domain.live_answer import Portion
from entrypoints.http.encoders.delta_texts import texts_in
from entrypoints.http.encoders.native import HEADERS
from entrypoints.http.openai_answers import FINISH_REASONS, created, lor3_json, usage_json
from entrypoints.http.openai_body import OpenAIChat
from entrypoints.http.openai_errors import openai_error_json
from entrypoints.http.openai_names import in_the_bodys_names
from entrypoints.rendering import to_json

ASKED: Final = web.RequestKey("openai_chat", OpenAIChat)
"""What the request asked for, where it began the answer."""
_DONE: Final = b"data: [DONE]\n\n"


def create(request: web.Request) -> "OpenAIEncoder":
    encoder = OpenAIEncoder(asked=request.get(ASKED))
    message_id = request.match_info.get("message_id")
    if message_id is not None:  # an answer that is read on from the middle, where nobody says its model
        encoder.begin(MessageId(message_id), model="")
    return encoder


@attrs.define(kw_only=True)
class OpenAIEncoder:
    asked: OpenAIChat | None = None
    headers: Mapping[str, str] = HEADERS
    keep_alive: bytes = b": keep-alive\n\n"
    may_reset: bool = False
    _before: bytes = b'data: {"choices":[{"index":0,"delta":'
    """A chunk up to its delta."""
    _after: bytes = b',"logprobs":null,"finish_reason":null}]}\n\n'
    _before_text: bytes = b'data: {"choices":[{"index":0,"delta":{"content":'
    _after_text: bytes = b'},"logprobs":null,"finish_reason":null}]}\n\n'
    _grown: bool = False
    """Whether tool calls came in pieces: then they do not come whole."""
    _called: int = 0
    _message_id: MessageId = MessageId("")
    _has_told: bool = False
    """Whether this reader was told any of the answer."""
    _is_void: bool = False
    """Whether an answer that was made for other protocols' readers began again: then this one's readers are done."""

    def encode(self, portion: Portion) -> bytes:
        if self._is_void:
            return b""
        frames: list[bytes] = []
        events = portion.events
        texts = iter(texts_in(events))
        before, after = self._before_text, self._after_text
        has_told, self._has_told = self._has_told, self._has_told or bool(events)
        for index, event in enumerate(events):
            if type(event) is Delta:
                frames.append(b"%b%b%b" % (before, next(texts), after))
            elif type(event) is ChatStarted:
                self.begin(event.message_id, model=str(event.model))
                before, after = self._before_text, self._after_text
                frames.append(self._first(events, index))
            elif type(event) is Reset and event.reason == "replayed" and not has_told and index == 0:
                # All of a stored answer follows, for a reader whose place in it is not known any more.
                self.begin(self._message_id, model=str(event.to_model))
                before, after = self._before_text, self._after_text
                frames.append(self._first(events, index))
            elif type(event) is Reset:
                frames.append(self._void())
                break
            else:
                frames.append(self._other(event))
        return b"".join(frames)

    def close(self, failure: LorError | None, *, request_id: str, has_place: bool = True) -> bytes:
        if self._is_void:
            return b""
        if failure is None:
            return _DONE
        if isinstance(failure, InvalidRequest) and self.asked is not None:
            failure = in_the_bodys_names(failure, self.asked.names)
        return b"data: %b\n\n%b" % (to_json(openai_error_json(failure)), _DONE)

    @property
    def _includes_usage(self) -> bool:
        return self.asked is not None and self.asked.include_usage

    def begin(self, message_id: MessageId, *, model: str) -> None:
        """Makes ready for chunks of that answer."""
        self._message_id = message_id
        head = _head(message_id, model)
        usage = b',"usage":null' if self._includes_usage else b""
        self._before = b'data: %b,"choices":[{"index":0,"delta":' % to_json(head)[:-1]
        self._after = b',"logprobs":null,"finish_reason":null}]%b}\n\n' % usage
        self._before_text = self._before + b'{"content":'
        self._after_text = b"}" + self._after

    def _first(self, events: Sequence[ChatEvent], index: int) -> bytes:
        calls = index + 1 < len(events) and isinstance(events[index + 1], ToolCalled | ToolCallGrew)
        return self._chunk({"role": "assistant", "content": None if calls else ""})

    def _chunk(self, delta: JSONValue) -> bytes:
        return self._before + to_json(delta) + self._after

    def _other(self, event: ChatEvent) -> bytes:
        if isinstance(event, ToolCallGrew):
            self._grown = True
            return self._chunk({"tool_calls": [_piece(event)]})
        if isinstance(event, ToolCalled):
            index, self._called = self._called, self._called + 1
            if self._grown:
                return b""
            call = event.call
            whole = ToolCallGrew(index=index, id=call.id, name=call.name, arguments=call.arguments)
            return self._chunk({"tool_calls": [_piece(whole)]})
        if isinstance(event, ChatDone):
            return self._end(event.answer)
        if isinstance(event, Delta):  # a provider's own kind of it
            return self._before_text + to_json(event.text) + self._after_text
        return b""

    def _void(self) -> bytes:
        """`may_reset` is False, so only an answer that another request began can come to this."""
        again = AnswerInterrupted(
            "what was said of the answer is void, it began again; send the request again"
        )
        last = self.close(again, request_id="")
        self._is_void = True
        return last

    def _end(self, answer: ChatAnswer) -> bytes:
        warnings = () if self.asked is None else self.asked.warnings
        head = _head(answer.message_id, str(answer.model))
        finish: dict[str, JSONValue] = {
            "index": 0,
            "delta": {},
            "logprobs": None,
            "finish_reason": FINISH_REASONS[answer.finish_reason],
        }
        extras: dict[str, JSONValue] = {"lor3": lor3_json(answer, warnings=warnings)}
        if not self._includes_usage:
            return b"data: %b\n\n" % to_json({**head, "choices": [finish], **extras})
        usage = usage_json(answer.usage)
        return b"data: %b\n\ndata: %b\n\n" % (
            to_json({**head, "choices": [finish], "usage": None}),
            to_json({**head, "choices": [], "usage": usage, **extras}),
        )


def _head(message_id: MessageId, model: str) -> dict[str, JSONValue]:
    return {
        "id": message_id,
        "object": "chat.completion.chunk",
        "created": created(message_id),
        "model": model,
    }


def _piece(piece: ToolCallGrew) -> dict[str, JSONValue]:
    """A call's first piece has its id, type and name; the others have arguments alone."""
    if piece.id is None and piece.name is None:
        return {"index": piece.index, "function": {"arguments": piece.arguments}}
    function: dict[str, JSONValue] = {"arguments": piece.arguments}
    if piece.name is not None:
        function = {"name": piece.name, **function}
    shown: dict[str, JSONValue] = {"index": piece.index, "function": function}
    return shown if piece.id is None else {**shown, "id": piece.id, "type": "function"}
