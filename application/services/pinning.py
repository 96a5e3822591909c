"""Pins are of whole exchanges, and the newest answer of an exchange has the pin of the one before it."""

from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.exchange_reading import complete, read_around
from domain.errors import Conflict, NotFound, StorageUnavailable
from domain.exchanges import exchanges_of, waiting_turns
from domain.ids import MessageId, Tenant
from domain.thread import MAX_PINNED, StoredMessage
from domain.values import frozen


async def pin_exchange(work: UnitOfWork, message: StoredMessage) -> bool:
    """Pins what the memory takes for the message's exchange; True where that changed something.

    The thread must be locked: two that pin at the same time must not both find room.

    Raises:
        Conflict: its exchange has no complete answer, or the thread would have more than `MAX_PINNED`.
    """
    around = await read_around(work, message)
    change = [each for each in _whole(around, message) if not each.pinned]
    pinned = await work.messages.count_pinned(message.thread_id) if change else 0
    if pinned + len(change) > MAX_PINNED:
        raise Conflict(
            f"a thread has at most {MAX_PINNED} pinned messages; this one has {pinned}, and the exchange of this "
            f"message has {len(change)} more: {'let go of others first' if pinned else 'it is too long to be pinned'}"
        )
    return await _pin(work, change, pinned=True)


async def let_go(work: UnitOfWork, message: StoredMessage) -> bool:
    """Unpins all of the message's exchange, earlier answers too; True where that changed something.

    The thread must be locked.
    """
    around = await read_around(work, message)
    return await _pin(work, [each for each in around if each.pinned], pinned=False)


@frozen(kw_only=True)
class PinCarrier:
    """Lets the pin of an exchange follow to an answer that was added to it.

    An answer is committed unpinned: whether its exchange is pinned may change while it grows. This looks
    afterwards, so that the last word is the user's.
    """

    unit_of_work: UnitOfWorkFactory

    async def carry(self, tenant: Tenant, answer_id: MessageId, *, parent: MessageId) -> tuple[str, ...]:
        """Pins what the memory takes for the exchange now, and nothing else of it, where it was pinned before.

        One read where it was not. The answer is durable already, so nothing but what cancels it is raised.

        Args:
            parent: the turn that was there before, and that the answer or the turns before it follow.

        Returns:
            Warnings for the caller.
        """
        try:
            async with self.unit_of_work(tenant) as work:
                before = await work.messages.get(parent)
                # Who pins from now on sees the new answer: only what was pinned before it matters.
                if before is None or not before.pinned:
                    return ()
                if await work.threads.lock(before.thread_id) is None:
                    return ()
                answer = await work.messages.get(answer_id)
                return () if answer is None else await _carry(work, answer)
        except (StorageUnavailable, Conflict, NotFound) as error:
            return (f"the answer is stored, but not pinned as its exchange is: {error.detail}",)


async def _carry(work: UnitOfWork, answer: StoredMessage) -> tuple[str, ...]:
    around = await read_around(work, answer)
    before = [each for each in around if each.pinned]
    if not before:
        return ()  # let go of meanwhile
    stored = complete(around)
    exchanges = [each.messages for each in exchanges_of(stored).whole] + [waiting_turns(stored)]
    now = next((each for each in exchanges if any(one.id == answer.id for one in each)), ())
    held = {each.id for each in now}
    gone = [each for each in before if each.id not in held]
    new = [each for each in now if not each.pinned]
    warnings: tuple[str, ...] = ()
    if await work.messages.count_pinned(answer.thread_id) - len(gone) + len(new) > MAX_PINNED:
        gone, new = before, []
        warnings = (
            f"the exchange is not pinned any more: with this answer the thread would have more than {MAX_PINNED}"
            " pinned messages",
        )
    changed = await _pin(work, gone, pinned=False)
    if await _pin(work, new, pinned=True) or changed:
        await work.commit()
    return warnings


def _whole(around: list[StoredMessage], message: StoredMessage) -> tuple[StoredMessage, ...]:
    for exchange in exchanges_of(complete(around)).whole:
        if any(each.id == message.id for each in exchange.messages):
            return exchange.messages
    raise Conflict(
        "only whole exchanges can be pinned, and this message is part of none: it has no answer yet, or its answer "
        "failed, was cut, or had another one made in its place; pin the message that stands for it"
    )


async def _pin(work: UnitOfWork, messages: list[StoredMessage], *, pinned: bool) -> bool:
    if messages:
        await work.messages.pin([each.id for each in messages], pinned=pinned)
    return bool(messages)
