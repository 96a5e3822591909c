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
    """An exchange without its answer: the answer is made again, or was not made yet."""

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
    """Reads the answer and what led to it; of a turn that waits for an answer at the end of its thread, the turns.

    Raises:
        NotFound: there is no such message.
        InvalidRequest: it is neither an answer that can be made again nor a turn that waits for one.
        Conflict: it is an answer, and not the last message of its thread.
        StorageUnavailable: the database is away.
    """
    async with unit_of_work(tenant) as work:
        named = await work.messages.get(message_id)
        thread = None if named is None else await work.threads.get(named.thread_id)
        if named is None or thread is None:
            raise no_message(message_id)
        position = named.position or 0
        if named.message.role != "assistant":
            turns = await _waiting(work, named, position)
        elif position != thread.length - 1:
            raise await _not_the_last(work, named)
        else:
            turns = await _led_to(work, named, position)
    if not turns:
        raise _refused(f"nothing that {shown(message_id)} answers is stored; send the question again")
    return Regeneration(
        thread_id=named.thread_id,
        turns=tuple(each.message for each in turns),
        parent=turns[-1].id,
        below=turns[0].position or 0,
        pinned=any(each.pinned for each in turns),
    )


async def _waiting(work: UnitOfWork, named: StoredMessage, position: int) -> tuple[StoredMessage, ...]:
    """The turns at the thread's end that nothing answered, the named one among them: a fork may end with them."""
    page = await work.messages.page(named.thread_id, limit=LOOK_BACK, newest_first=True)
    stored = sorted(page, key=lambda each: each.position or 0)
    if stored and stored[-1].message.role != "assistant":
        waiting = exchanges_of(each for each in stored if each.status == "complete").open
        if any(each.id == named.id for each in waiting):
            return waiting
    what = f"{shown(named.id)} is a turn of role {named.message.role}"
    behind = await work.messages.page(named.thread_id, after=position, limit=LOOK_BACK)
    answers = [each for each in behind if each.message.role == "assistant"]
    if not answers:
        raise _refused(f"{what} that no answer can be made for; send it again")
    newest = [each for each in answers if each.parent == answers[0].parent][-1]
    raise _refused(
        f"{what} that has its answer: name {newest.id} to have that one made again, or fork the thread at this"
        " turn and name the last message of the fork"
    )


async def _not_the_last(work: UnitOfWork, answer: StoredMessage) -> Conflict:
    (last,) = await work.messages.page(answer.thread_id, limit=1, newest_first=True) or (answer,)
    if answer.parent is not None and last.parent == answer.parent and last.message.role == "assistant":
        return Conflict(
            f"message {shown(answer.id)} was made again: answer {last.id} was made in its place; regenerate that one"
        )
    return Conflict(
        f"message {shown(answer.id)} is not the last of its thread; fork the thread at the turn before it"
        " and regenerate the last message of the fork"
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
