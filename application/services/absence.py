"""What is told of sessions, threads and messages that are not there: absent, deleted and another tenant's look the
same."""

from typing import Final

from domain.errors import Absent, AbsentKind
from domain.suggestion import shown


def no_session(session_id: str, *, for_chat: bool = False) -> Absent:
    """
    Args:
        for_chat: a chat can do without it.
    """
    remedy = "leave `session_id` out to start one" if for_chat else "GET /sessions lists those there are"
    return _absent("session", session_id, remedy)


def no_thread(thread_id: str, *, for_chat: bool = False) -> Absent:
    """As `no_session`."""
    remedy = "leave `thread_id` out to start one" if for_chat else "GET /threads lists those there are"
    return _absent("thread", thread_id, remedy)


def no_message(message_id: str) -> Absent:
    return _absent("message", message_id, _MESSAGES)


def no_answer(message_id: str) -> Absent:
    """Of a message that is there."""
    name = shown(message_id)
    return Absent(
        f"message {name} is no answer of lor3's, but a turn that a caller sent; {_MESSAGES}",
        kind="message",
        name=name,
    )


_MESSAGES: Final = "GET /threads/{id}/messages lists those of a thread"


def _absent(kind: AbsentKind, name: str, remedy: str) -> Absent:
    return Absent(f"there is no {kind} {shown(name)}; {remedy}", kind=kind, name=shown(name))
