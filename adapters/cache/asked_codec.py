"""What an answer is made for as bytes and back: the first line of its stream in Redis.

    {"asked":["<message>","<thread>","<session>","<parent>",[["user",["Hello",["i",null,"iVBO…","image/png",null]],[],null]]]}

A turn is its role, its parts, its tool calls and the call that it answers; a part that is a string is a text. What is
known of its tokens is not told.
"""

from typing import Any, Final, get_args

import attrs

from adapters.cache.event_codec import ASKED, dumped, loaded, optional, typed
from domain.answer import ChatAdmitted
from domain.ids import MessageId, SessionId, ThreadId
from domain.message import ImagePart, Message, Part, Role, TextPart, ToolCall

MAX_ASKED_BYTES: Final = 1024 * 1024
"""Each reader of the answer reads this too, so larger inline images are left out."""
_ROLES: Final = get_args(Role)
_DETAILS: Final = (None, "auto", "low", "high")


def encode_asked(asked: ChatAdmitted) -> bytes | None:
    """None where even the texts are too long to be told."""
    images = sum(len(image.data or "") for turn in asked.turns for image in turn.images)
    if images <= MAX_ASKED_BYTES:
        line = _encoded(asked)
        if len(line) <= MAX_ASKED_BYTES:
            return line
    if not images:
        return None
    line = _encoded(attrs.evolve(asked, turns=tuple([_without_data(turn) for turn in asked.turns])))
    return line if len(line) <= MAX_ASKED_BYTES else None


def decode_asked(value: object) -> ChatAdmitted | None:
    """None where a stream's first entry does not say it, or can't be read."""
    if not isinstance(value, bytes) or not value.startswith(ASKED):
        return None
    try:
        return _decoded(loaded(value.split(b"\n", 1)[0]))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _encoded(asked: ChatAdmitted) -> bytes:
    ids = [asked.message_id, asked.thread_id, asked.session_id, asked.parent]
    return dumped({"asked": [*ids, [_turn(each) for each in asked.turns]]})


def _turn(turn: Message) -> list[Any]:
    calls = [[call.id, call.name, call.arguments, call.complete] for call in turn.tool_calls]
    return [turn.role, [_part(part) for part in turn.parts], calls, turn.tool_call_id]


def _part(part: Part) -> Any:
    if isinstance(part, TextPart):
        return part.text
    return ["i", part.url, part.data, part.media_type, part.detail]


def _without_data(turn: Message) -> Message:
    if not turn.has_images:
        return turn
    parts = [part for part in turn.parts if isinstance(part, TextPart) or part.data is None]
    return attrs.evolve(turn, parts=tuple(parts))


def _decoded(line: Any) -> ChatAdmitted:
    message_id, thread_id, session_id, parent, turns = line["asked"]
    parent = optional(parent)
    return ChatAdmitted(
        message_id=MessageId(typed(message_id, str)),
        thread_id=ThreadId(typed(thread_id, str)),
        session_id=SessionId(typed(session_id, str)),
        turns=tuple([_turn_of(each) for each in typed(turns, list)]),
        parent=None if parent is None else MessageId(parent),
    )


def _turn_of(value: Any) -> Message:
    role, parts, calls, tool_call_id = value
    if role not in _ROLES:
        raise ValueError("a role of no known kind")
    return Message(
        role=role,
        parts=tuple([_part_of(each) for each in typed(parts, list)]),
        tool_calls=tuple([_call_of(each) for each in typed(calls, list)]),
        tool_call_id=optional(tool_call_id),
    )


def _part_of(value: Any) -> Part:
    if type(value) is str:
        return TextPart(text=value)
    kind, url, data, media_type, detail = value
    if kind != "i" or detail not in _DETAILS:
        raise ValueError("a part of no known kind")
    return ImagePart(url=optional(url), data=optional(data), media_type=optional(media_type), detail=detail)


def _call_of(value: Any) -> ToolCall:
    call_id, name, arguments, complete = value
    return ToolCall(
        id=typed(call_id, str),
        name=typed(name, str),
        arguments=typed(arguments, str),
        complete=typed(complete, bool),
    )
