"""lor3's own protocol: server-sent events (WHATWG HTML, section 9.2) named as in the contract.

Data is one line of JSON, in which every control character is escaped, so nothing that a model writes can start a line;
`event` is a constant, and `id` the position of whoever has got the event: a number that grows.
"""

from collections.abc import Mapping
from typing import Final, assert_never

import attrs
from aiohttp import web

from domain.answer import ChatDone, ChatEvent, ChatStarted, Delta, Reset, ToolCalled, ToolCallGrew
from domain.errors import LorError
from domain.json_value import JSONValue
from domain.live_answer import Portion, Position, after
from entrypoints.http.encoders.delta_texts import texts_in
from entrypoints.http.problems import problem_json
from entrypoints.rendering import (
    answer_json,
    reset_json,
    started_json,
    to_json,
    tool_call_delta_json,
    tool_call_json,
)

HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-store",
    "X-Accel-Buffering": "no",  # nginx would hold the events back
}


def create(request: web.Request) -> "NativeEncoder":
    return NativeEncoder()


@attrs.define
class NativeEncoder:
    headers: Mapping[str, str] = HEADERS
    keep_alive: bytes = b": keep-alive\n\n"
    may_reset: bool = True
    _position: Position = 0

    def encode(self, portion: Portion) -> bytes:
        position, events = portion.begins, portion.events
        frames: list[bytes] = []
        texts = iter(texts_in(events))
        for event in events:
            if type(event) is Delta:
                position += len(event.text)
                frames.append(b'id: %d\nevent: delta\ndata: {"text":%b}\n\n' % (position, next(texts)))
            else:
                position = after(position, event)
                name, data = _named(event)
                frames.append(_frame(position, name, data))
        self._position = position
        return b"".join(frames)

    def close(self, failure: LorError | None, *, request_id: str, has_place: bool = True) -> bytes:
        if failure is None:
            return b""
        data = problem_json(failure, request_id=request_id)
        # An id that counts what was not sent would cost its reader that, should it come back with it.
        return _frame(self._position + has_place, b"error", data)


def _frame(position: Position, name: bytes, data: JSONValue) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (position, name, to_json(data))


def _named(event: ChatEvent) -> tuple[bytes, JSONValue]:
    match event:
        case Delta():
            return b"delta", {"text": event.text}
        case ChatStarted():
            return b"start", started_json(event)
        case ToolCallGrew():
            return b"tool_call_delta", tool_call_delta_json(event)
        case ToolCalled():
            return b"tool_call", tool_call_json(event.call)
        case Reset():
            return b"reset", reset_json(event)
        case ChatDone():
            return b"done", answer_json(event.answer)
    assert_never(event)
