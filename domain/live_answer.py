"""Where a reader stands in an answer that grows.

A position is what a reader has seen, as one integer that grows with every event: each character of text counts one, and
so does every other event. So it needs no list of what was sent: whoever says "I have seen up to 17" of a stored answer
of plain text has its start and its first 16 characters. `Reset` begins the next run, whose positions begin at the next
multiple of `RUN`.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from domain.answer import ChatEvent, Delta, Reset
from domain.errors import LorError
from domain.ids import MessageId
from domain.values import frozen

Position: TypeAlias = int
"""0 is before the first event. Below 2^53 for the first two million runs, so that any client may read it as a number."""

RUN: Final = 2**32
"""More than any answer has characters and events."""


def name_of_user(user: str, message_id: MessageId) -> str:
    """The name by which an answer is found that belongs to this user: who asks for it by another user's finds none."""
    return f"user:{message_id.lower()}:{user}"


def after(position: Position, event: ChatEvent) -> Position:
    """The position of whoever was at `position` and has got `event`."""
    if type(event) is Delta:
        return position + len(event.text)
    if type(event) is Reset:
        return (position // RUN + 1) * RUN
    return position + 1


def rest_of(event: ChatEvent, begins: Position, seen: Position) -> ChatEvent | None:
    """What of an event that begins at `begins` is new to one who has seen up to `seen`; None where nothing is."""
    ends = after(begins, event)
    if ends <= seen:
        return None
    if type(event) is Delta and seen > begins:
        return Delta(event.text[seen - begins :])
    return event


@frozen(kw_only=True)
class Ending:
    """How an answer's events ended. Its last one says the rest: `ChatDone`, where there is no error."""

    error: LorError | None = None
    """What ended it before its answer."""
    is_for_all: bool = True
    """False where only those who read here are cut off: then the error is no event of the answer, and has no place."""


@frozen(kw_only=True)
class Portion:
    """Events that follow one another."""

    begins: Position
    """Of the one who gets them."""
    events: Sequence[ChatEvent]
