"""Finds what an answer was given to, so that another one can be made in its place."""

from typing import Final

import attrs

from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.absence import no_message
from domain.errors import Conflict, Fault, InvalidRequest
from domain.exchanges import exchanges_of
from domain.ids import MessageId, Tenant, ThreadId
from domain.message import Message
from domain.suggestion import shown
from domain.thread import StoredMessage

LOOK_BACK: Final = 200
"""Messages before an answer among which its exchange begins: tool calls make it long."""


@attrs.frozen(kw_only=True)
class Regeneration:
    """The exchange of an answer, without the answer."""

    thread_id: ThreadId
    turns: tuple[Message, ...]
    """The caller's turns; where tools were called on the way, the calls and their results too."""
    parent: MessageId
    """The last of them, which the new answer follows."""
    below: int
    """The position of the first of them: the memory is what lies before it."""
    pinned: bool
    """Whether the exchange is, and so the new answer too."""


async def find_regeneration(
    unit_of_work: UnitOfWorkFactory, tenant: Tenant, message_id: MessageId
) -> Regeneration:
    """Reads the answer and what led to it.

    Raises:
        NotFound: there is no such message.
        InvalidRequest: it is no answer, or not one that can be made again.
        Conflict: it is not the last message of its thread.
        StorageUnavailable: the database is away.
    """
    async with unit_of_work(tenant) as work:
        answer = await work.messages.get(message_id)
        thread = None if answer is None else await work.threads.get(answer.thread_id)
        if answer is None or thread is None:
            raise no_message(message_id)
        if answer.message.role != "assistant":
            raise _refused(
                f"{shown(message_id)} is a turn of role {answer.message.role}; name the answer to it"
            )
        position = answer.position or 0
        if position != thread.length - 1:
            raise Conflict(
                f"message {shown(message_id)} is not the last of its thread;"
                " fork the thread at an earlier message to go on from there"
            )
        turns = await _led_to(work, answer, position)
    if not turns:
        raise _refused(f"nothing that {shown(message_id)} answers is stored; send the question again")
    return Regeneration(
        thread_id=answer.thread_id,
        turns=tuple(each.message for each in turns),
        parent=turns[-1].id,
        below=turns[0].position or 0,
        pinned=any(each.pinned for each in turns),
    )


async def _led_to(work: UnitOfWork, answer: StoredMessage, position: int) -> tuple[StoredMessage, ...]:
    """The turns up to its parent; where none is stored, up to the nearest that is no answer."""
    before = await work.messages.page(answer.thread_id, below=position, limit=LOOK_BACK, newest_first=True)
    stored = sorted(before, key=lambda each: each.position or 0)
    last = next((index for index, each in enumerate(stored) if each.id == answer.parent), None)
    if last is None:
        last = next(
            (index for index in range(len(stored) - 1, -1, -1) if stored[index].message.role != "assistant"),
            None,
        )
    if last is None:
        return ()
    return exchanges_of(each for each in stored[: last + 1] if each.status == "complete").open


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest.of(Fault(path="message_id", message=message))
