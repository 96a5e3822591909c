"""Reads stored messages as far as one exchange reaches: mostly two of them, with tool calls up to a thousand."""

from collections.abc import Iterable
from typing import Final

from application.ports.unit_of_work import UnitOfWork
from application.services.thread_lookup import position_of
from domain.errors import Conflict
from domain.ids import ThreadId
from domain.thread import StoredMessage

MOST_READ: Final = 1_200
"""Messages in one direction: the 1,000 that one chat takes, and answers that were made again among them."""
_FIRST_PORTION: Final = 20
_PORTION: Final = 400


async def read_back(
    work: UnitOfWork, thread_id: ThreadId, *, below: int | None = None
) -> list[StoredMessage]:
    """The messages before the position `below`, or the thread's end, from the first of their exchange on.

    Whatever their status, by position. Where turns without an answer lie before them, those too.

    Raises:
        Conflict: the exchange is too long to be read.
    """
    return await _back(work, thread_id, [], below)


async def read_around(work: UnitOfWork, message: StoredMessage) -> list[StoredMessage]:
    """The messages from the first of the message's exchange on up to the next one, whatever their status.

    Raises:
        Conflict: they are too many to be read.
    """
    before = await _back(work, message.thread_id, [message], position_of(message))
    return before[:-1] + await read_on(work, message)


async def read_on(work: UnitOfWork, message: StoredMessage) -> list[StoredMessage]:
    """The message, and those behind it that belong to its exchange or answer it, whatever their status.

    Raises:
        Conflict: they are too many to be read.
    """
    found = [message]
    portion = _FIRST_PORTION
    while len(found) <= MOST_READ:
        page = await work.messages.page(message.thread_id, after=position_of(found[-1]), limit=portion)
        for each in page:
            if _begins(each, after=found[-1]):
                return found
            found.append(each)
        if len(page) < portion:
            return found
        portion = _PORTION
    raise _too_long()


async def _back(
    work: UnitOfWork, thread_id: ThreadId, found: list[StoredMessage], below: int | None
) -> list[StoredMessage]:
    """By position; `found` is newest first."""
    portion = _FIRST_PORTION
    while len(found) <= MOST_READ:
        page = await work.messages.page(thread_id, below=below, limit=portion, newest_first=True)
        for each in page:
            if found and _begins(found[-1], after=each):
                return found[::-1]
            found.append(each)
        if len(page) < portion:
            return found[::-1]
        below, portion = position_of(found[-1]), _PORTION
    raise _too_long()


def complete(messages: Iterable[StoredMessage]) -> list[StoredMessage]:
    return [each for each in messages if each.status == "complete"]


def _begins(message: StoredMessage, *, after: StoredMessage) -> bool:
    """Whether a new exchange begins with `message`: every chat ends with an answer, be it a failed one."""
    return message.message.role in ("user", "system") and after.message.role == "assistant"


def _too_long() -> Conflict:
    return Conflict(
        f"the exchange of this message is longer than {MOST_READ} messages, more than is read to find where it"
        " begins and ends; ask the question in a new thread"
    )
