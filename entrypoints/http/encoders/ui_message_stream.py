"""The UI message stream, version 1, of Vercel's AI SDK: what `useChat` reads.

Parts and their fields are those of `uiMessageChunkSchema` in the npm package `ai`, read in its source: 5.0.0, 5.0.277,
6.0.0, 6.0.326, 7.0.69, 7.0.70 and 7.0.173. The first releases of 5 and 6 throw on a field that they do not know, and
every release on a `type` that it does not know; so whatever a version can't do is in the table below. Of lor3's own,
all stands in `messageMetadata.lor3`, which every version takes.
"""

import json
from collections.abc import Mapping
from typing import Final, assert_never

import attrs
from aiohttp import web

from domain.answer import (
    ChatAnswer,
    ChatDone,
    ChatEvent,
    ChatStarted,
    Delta,
    Reset,
    ToolCalled,
    ToolCallGrew,
)
from domain.errors import LorError
from domain.json_value import JSONObject, JSONValue
from domain.live_answer import Portion
from domain.message import ToolCall
from domain.values import frozen
from entrypoints.http.encoders.delta_texts import texts_in
from entrypoints.http.encoders.ui_steps import chunks_of
from entrypoints.http.problems import problem_json
from entrypoints.rendering import answer_json, to_json


@frozen(kw_only=True)
class Dialect:
    """What a version of the SDK understands beyond the first one."""

    has_finish_reason: bool = False
    """`finishReason` in `finish`: 5.0.0 throws on it."""
    has_input_error: bool = False
    """`tool-input-error`: 5.0.0 throws on it."""
    has_reset: bool = False
    """`reset-step`, which drops all parts since the last `start-step`: from 7.0.70 on."""


AI_SDK_5: Final = Dialect()
AI_SDK_6: Final = Dialect(has_finish_reason=True, has_input_error=True)
AI_SDK_7: Final = Dialect(has_finish_reason=True, has_input_error=True, has_reset=True)

SHOWN_AS: Final = web.RequestKey("shown_as", str)
"""Set where the answer goes on with a message that the client has: the id of that."""
SHOWN_BEFORE: Final = web.RequestKey("shown_before", tuple[JSONValue, ...])
"""The parts of that message up to here, for a client that begins it anew."""

HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "x-vercel-ai-ui-message-stream": "v1",
    "X-Accel-Buffering": "no",  # nginx would hold the events back
}
_FINISH_REASONS: Final[Mapping[str, str]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content-filter",
    "tool_calls": "tool-calls",
}
_METADATA: Final = (
    "message_id",
    "thread_id",
    "session_id",
    "format",
    "model",
    "prompt_version",
    "finish_reason",
    "usage",
    "cost_usd",
    "attempts",
    "context",
    "budget",
    "warnings",
)
"""Of the answer object; the rest of it stands in the message's parts."""
_DONE: Final = b"data: [DONE]\n\n"


def create_for_5(request: web.Request) -> "UIMessageEncoder":
    return _create(AI_SDK_5, request)


def create_for_6(request: web.Request) -> "UIMessageEncoder":
    return _create(AI_SDK_6, request)


def create_for_7(request: web.Request) -> "UIMessageEncoder":
    return _create(AI_SDK_7, request)


def _create(dialect: Dialect, request: web.Request) -> "UIMessageEncoder":
    return UIMessageEncoder(
        dialect=dialect, shown_as=request.get(SHOWN_AS), before=request.get(SHOWN_BEFORE, ())
    )


@attrs.define(kw_only=True)
class UIMessageEncoder:
    dialect: Dialect
    shown_as: str | None = None
    """The client's message that the answer goes on with. It would show two under another id."""
    before: tuple[JSONValue, ...] = ()
    """What stands in that message up to here, where the client is to be told of it."""
    headers: Mapping[str, str] = HEADERS
    keep_alive: bytes = b": keep-alive\n\n"
    _begun: bool = False
    """Whether a step is under way."""
    _texts: int = 0
    """How many texts were begun: their ids."""
    _delta: bytes = b""
    """What stands before a piece of the text that is under way; empty where none is."""
    _growing: dict[int, str] = attrs.field(factory=dict)
    """Ids of the calls that grow, by their index."""
    _called: list[ToolCall] = attrs.field(factory=list)
    """Complete ones: a client runs them as soon as it hears of them, so they wait for the answer's end."""

    @property
    def may_reset(self) -> bool:
        return self.dialect.has_reset

    def encode(self, portion: Portion) -> bytes:
        frames: list[bytes] = []
        texts = iter(texts_in(portion.events))
        for event in portion.events:
            if type(event) is Delta:
                if not self._delta:
                    self._begin_text(frames)
                frames.append(b"%b%b}\n\n" % (self._delta, next(texts)))
            else:
                self._other(event, frames)
        return b"".join(frames)

    def close(self, failure: LorError | None, *, request_id: str, has_place: bool = True) -> bytes:
        if failure is None:
            return _DONE
        frames: list[bytes] = []
        self._end_text(frames)
        problem = to_json(problem_json(failure, request_id=request_id)).decode()
        frames += (_part("error", errorText=problem), _DONE)
        return b"".join(frames)

    def _other(self, event: ChatEvent, frames: list[bytes]) -> None:
        match event:
            case ChatStarted():
                metadata: JSONObject = {
                    "message_id": event.message_id,
                    "thread_id": event.thread_id,
                    "session_id": event.session_id,
                    "model": str(event.model),
                    "prompt_version": event.prompt_version,
                }
                frames += (
                    _part(
                        "start",
                        messageId=self.shown_as or event.message_id,
                        messageMetadata={"lor3": metadata},
                    ),
                    *(_frame(chunk) for chunk in chunks_of(self.before)),
                    _part("start-step"),
                )
                self._begun = True
            case ToolCallGrew():
                self._grow(event, frames)
            case ToolCalled():
                self._called.append(event.call)
            case Reset():
                # Where there is no such part, the answer was made so that it needs none.
                if self.dialect.has_reset:
                    frames.append(_part("reset-step"))
                self._delta = b""
                self._growing.clear()
            case ChatDone():
                self._finish(event.answer, frames)
            case Delta():  # before, for speed
                raise AssertionError
            case _:
                assert_never(event)

    def _begin_text(self, frames: list[bytes]) -> None:
        self._texts += 1
        name = f"text-{self._texts}"
        frames.append(_part("text-start", id=name))
        self._delta = b'data: {"type":"text-delta","id":"%b","delta":' % name.encode()

    def _end_text(self, frames: list[bytes]) -> None:
        if self._delta:
            frames.append(_part("text-end", id=f"text-{self._texts}"))
            self._delta = b""

    def _grow(self, event: ToolCallGrew, frames: list[bytes]) -> None:
        self._end_text(frames)
        call_id = self._growing.get(event.index)
        if call_id is None:
            if event.id is None or event.name is None:
                return  # nobody could say what grows; the whole call follows
            call_id = self._growing[event.index] = event.id
            frames.append(_part("tool-input-start", toolCallId=call_id, toolName=event.name))
        if event.arguments:
            frames.append(_part("tool-input-delta", toolCallId=call_id, inputTextDelta=event.arguments))

    def _finish(self, answer: ChatAnswer, frames: list[bytes]) -> None:
        self._end_text(frames)
        is_stopped = answer.finish_reason == "stopped"
        if not is_stopped:
            for call in self._called:
                self._call(call, frames)
        if self._begun:
            frames.append(_part("finish-step"))
        whole = answer_json(answer)
        metadata: JSONObject = {"lor3": {name: whole[name] for name in _METADATA}}
        if is_stopped:
            frames += (_part("message-metadata", messageMetadata=metadata), _part("abort"))
            return
        reason: JSONObject = (
            {"finishReason": _FINISH_REASONS.get(answer.finish_reason, "other")}
            if self.dialect.has_finish_reason
            else {}
        )
        frames.append(_part("finish", **reason, messageMetadata=metadata))

    def _call(self, call: ToolCall, frames: list[bytes]) -> None:
        given = _arguments(call)
        if given is not None:
            frames.append(_part("tool-input-available", toolCallId=call.id, toolName=call.name, input=given))
        elif self.dialect.has_input_error:
            frames.append(
                _part(
                    "tool-input-error",
                    toolCallId=call.id,
                    toolName=call.name,
                    input=call.arguments,
                    errorText="the arguments that the model wrote are cut off, or no JSON object",
                )
            )


def _arguments(call: ToolCall) -> JSONObject | None:
    """None where no tool could be given them."""
    if not call.complete:
        return None
    try:
        given: JSONValue = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None


def _part(kind: str, **fields: JSONValue) -> bytes:
    return _frame({"type": kind, **fields})


def _frame(chunk: JSONObject) -> bytes:
    return b"data: %b\n\n" % to_json(chunk)
