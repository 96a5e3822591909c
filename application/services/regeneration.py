"""Finds what an answer was given to, so that another one can be made in its place."""

from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.absence import no_message
from application.services.exchange_reading import MOST_READ, complete, read_back, read_on
from application.services.thread_lookup import position_of
from domain.errors import Conflict, Fault, InvalidRequest
from domain.exchanges import exchanges_of
from domain.ids import MessageId, Tenant, ThreadId
from domain.message import Message
from domain.suggestion import shown
from domain.thread import StoredMessage, Thread
from domain.values import frozen


@frozen(kw_only=True)
class Regeneration:
    """An exchange without its answer: the answer is made again, or was not made yet."""

    thread_id: ThreadId
    turns: tuple[Message, ...]
    """The caller's turns; where tools were called on the way, the calls and their results too."""
    parent: MessageId
    """The last of them, which the new answer follows."""
    below: int
    """The position of the first of them: the memory is what lies before it."""


async def find_regeneration(
    unit_of_work: UnitOfWorkFactory, tenant: Tenant, message_id: MessageId
) -> Regeneration:
    """Reads the answer and what led to it; of a turn that waits for an answer at the end of its thread, the turns.

    An answer is the one to make again as long as nothing came after it but tries in its place that failed or
    were cut.

    Raises:
        NotFound: there is no such message.
        InvalidRequest: it is neither an answer that can be made again nor a turn that waits for one.
        Conflict: it is an answer that another one was made for, or that the thread went on from; or its exchange
            is too long to be read.
        StorageUnavailable: the database is away.
    """
    async with unit_of_work(tenant) as work:
        named = await work.messages.get(message_id)
        thread = None if named is None else await work.threads.get(named.thread_id)
        if named is None or thread is None:
            raise no_message(message_id)
        if named.message.role != "assistant":
            turns = await _waiting(work, named)
        else:
            turns = await _led_to(work, named)
            await _demand_last(work, named, thread, parent=turns[-1].id if turns else named.parent)
    if not turns:
        raise _refused(f"nothing that {shown(message_id)} answers is stored; send the question again")
    return Regeneration(
        thread_id=named.thread_id,
        turns=tuple(each.message for each in turns),
        parent=turns[-1].id,
        below=position_of(turns[0]),
    )


async def _waiting(work: UnitOfWork, named: StoredMessage) -> tuple[StoredMessage, ...]:
    """The turns at the thread's end that nothing answered, the named one among them: a fork may end with them."""
    behind = await read_on(work, named)
    if behind[-1].message.role != "assistant":
        waiting = exchanges_of(complete(await read_back(work, named.thread_id))).open
        if any(each.id == named.id for each in waiting):
            return waiting
    what = f"{shown(named.id)} is a turn of role {named.message.role}"
    answers = [each for each in behind if each.message.role == "assistant"]
    if not answers:
        raise _refused(f"{what} that no answer can be made for; send it again")
    to_same = [each for each in answers if each.parent == answers[0].parent]
    newest = (complete(to_same) or to_same)[-1]
    raise _refused(
        f"{what} that has its answer: name {newest.id} to have that one made again, or fork the thread at this"
        " turn and name the last message of the fork"
    )


async def _led_to(work: UnitOfWork, answer: StoredMessage) -> tuple[StoredMessage, ...]:
    """The turns up to its parent; where none is stored, up to the nearest that is no answer."""
    stored = await read_back(work, answer.thread_id, below=position_of(answer))
    last = next((index for index, each in enumerate(stored) if each.id == answer.parent), None)
    if last is None:
        last = next(
            (index for index in range(len(stored) - 1, -1, -1) if stored[index].message.role != "assistant"),
            None,
        )
    if last is None:
        return ()
    return exchanges_of(complete(stored[: last + 1])).open


async def _demand_last(
    work: UnitOfWork, answer: StoredMessage, thread: Thread, *, parent: MessageId | None
) -> None:
    """
    Raises:
        Conflict: something came after the answer that is no failed try to make it again.
    """
    behind = thread.length - 1 - position_of(answer)
    if behind == 0:
        return
    if behind <= MOST_READ:
        tries = await work.messages.page(answer.thread_id, after=position_of(answer), limit=behind)
        if parent is not None and all(
            each.message.role == "assistant" and each.parent == parent for each in tries
        ):
            made = complete(tries)
            if not made:
                return
            raise Conflict(
                f"message {shown(answer.id)} was made again: answer {made[-1].id} was made in its place;"
                " regenerate that one"
            )
    raise Conflict(
        f"message {shown(answer.id)} is not the last of its thread; fork the thread at the turn before it"
        " and regenerate the last message of the fork"
    )


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest.of(Fault(path="message_id", message=message))
