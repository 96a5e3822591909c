"""The events of an answer as bytes and back, exactly: the value of one entry of its stream in Redis.

A value is lines of JSON, each one portion or the end:

    {"asked":[…]}
    [17,"Hel","lo",["r","rate_limited",["openai","gpt-5"],["anthropic","claude-opus-5-5"]]]
    {"error":null}

A portion is where it begins and its events in order; a string is a text, since most events are that. What an answer is
made for stands on the first line, see `asked_codec.py`; where it is not said, `NOTHING_YET` does. The form's
version is the name of the entry's field, which Redis stores once for all entries: `FIELD`.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeAlias, TypeVar

import attrs
import orjson

from adapters.cache.error_codec import decode_error, encode_error
from domain.answer import ChatDone, ChatEvent, ChatStarted, Delta, Reset, ToolCalled, ToolCallGrew
from domain.answer_codec import decode_answer, encode_answer
from domain.errors import AnswerUnknown
from domain.ids import MessageId, SessionId, ThreadId
from domain.live_answer import Ending, Portion
from domain.message import ToolCall
from domain.model import ModelRef

FIELD: Final = b"1"
"""Grows with each change of the form; an entry without it can't be read."""
ASKED: Final = b'{"asked":'
"""What a line that says what an answer is made for begins with."""
_ERROR: Final = b'{"error":'
NOTHING_YET: Final = b"[0]"
"""What stands at the beginning of an answer that has said nothing."""

_Line: TypeAlias = list[Any] | dict[str, Any]
_T = TypeVar("_T")


_NOTHING_YET: Final = Portion(begins=0, events=())


class Unreadable(Exception):
    """Not an entry's value, or one of another version."""


def encode_portion(portion: Portion) -> bytes:
    return dumped(
        [
            portion.begins,
            *[event.text if type(event) is Delta else _encoded(event) for event in portion.events],
        ]
    )


def encode_ending(ending: Ending) -> bytes:
    return dumped({"error": None if ending.error is None else encode_error(ending.error)})


def decode_entry(value: object) -> Iterator[Portion | Ending]:
    """
    Raises:
        Unreadable: perhaps after what stands before the line that can't be read.
    """
    if not isinstance(value, bytes):
        raise Unreadable
    for line in value.split(b"\n"):
        if line.startswith(ASKED):
            yield _NOTHING_YET
            continue
        try:
            yield _decoded(loaded(line))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise Unreadable from error


def is_end(value: object) -> bool:
    """Whether nothing follows an entry."""
    return isinstance(value, bytes) and value[value.rfind(b"\n") + 1 :].startswith(_ERROR)


def _encoded(event: ChatEvent) -> list[Any]:
    if isinstance(event, ToolCallGrew):
        return ["g", event.index, event.id, event.name, event.arguments]
    if isinstance(event, ToolCalled):
        call = event.call
        return ["c", call.id, call.name, call.arguments, call.complete]
    if isinstance(event, Reset):
        return ["r", event.reason, _model(event.from_model), _model(event.to_model)]
    if isinstance(event, ChatDone):
        # As a text of its own: orjson takes no integer above 64 bits, which an answer's output may hold.
        return ["d", encode_answer(event.answer), event.answer.is_replay]
    if isinstance(event, ChatStarted):
        ids = [event.message_id, event.thread_id, event.session_id]
        return ["s", *ids, _model(event.model), event.prompt_version, event.is_replay]
    return ["t", event.text]  # a subclass of Delta


def _decoded(line: _Line) -> Portion | Ending:
    if isinstance(line, dict):
        if line["error"] is None:
            return Ending()
        error = decode_error(line["error"])
        # The answer goes on where it is made: that it can't be read here is none of its events.
        return Ending(error=error, is_for_all=not isinstance(error, AnswerUnknown))
    begins, *events = line
    if type(begins) is not int or begins < 0:
        raise ValueError("a position is a number")
    return Portion(
        begins=begins,
        events=tuple([Delta(each) if type(each) is str else _event(each) for each in events]),
    )


def _event(value: list[Any]) -> ChatEvent:
    kind, *fields = value
    match kind:
        case "g":
            index, call_id, name, arguments = fields
            return ToolCallGrew(
                index=typed(index, int),
                id=optional(call_id),
                name=optional(name),
                arguments=typed(arguments, str),
            )
        case "c":
            call_id, name, arguments, complete = fields
            return ToolCalled(
                ToolCall(
                    id=typed(call_id, str),
                    name=typed(name, str),
                    arguments=typed(arguments, str),
                    complete=typed(complete, bool),
                )
            )
        case "r":
            reason, before, after = fields
            return Reset(reason=typed(reason, str), from_model=_model_of(before), to_model=_model_of(after))
        case "d":
            text, is_replay = fields
            answer = decode_answer(typed(text, str))
            if answer is None:
                raise ValueError("not an answer")
            return ChatDone(attrs.evolve(answer, is_replay=True) if is_replay else answer)
        case "s":
            message_id, thread_id, session_id, model, prompt_version, is_replay = fields
            return ChatStarted(
                message_id=MessageId(typed(message_id, str)),
                thread_id=ThreadId(typed(thread_id, str)),
                session_id=SessionId(typed(session_id, str)),
                model=_model_of(model),
                prompt_version=optional(prompt_version),
                is_replay=typed(is_replay, bool),
            )
        case "t":
            (text,) = fields
            return Delta(typed(text, str))
    raise ValueError("an event of no known kind")


def typed(value: Any, kind: type[_T]) -> _T:
    if type(value) is not kind:
        raise TypeError
    return value


def optional(value: Any) -> str | None:
    return None if value is None else typed(value, str)


def _model(model: ModelRef) -> list[str]:
    return [model.provider, model.model]


def _model_of(value: Any) -> ModelRef:
    provider, model = value
    return ModelRef(typed(provider, str), typed(model, str))


def dumped(line: _Line) -> bytes:
    try:
        return orjson.dumps(line)
    except TypeError:  # half a surrogate pair, which models say: the standard library's escapes it
        return json.dumps(line, separators=(",", ":")).encode()


def loaded(line: bytes) -> _Line:
    """
    Raises:
        ValueError, TypeError, RecursionError: it is no line.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:  # as above
        value = json.loads(line)
    if not isinstance(value, list | dict):
        raise TypeError
    return value
