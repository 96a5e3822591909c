"""Pin a message, so that the memory keeps it whatever its age."""

from typing import Final

import attrs

from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
from application.services.absence import no_message
from application.services.thread_lookup import existing_message, locked_thread, position_of
from domain.errors import Conflict, NotFound
from domain.exchanges import exchanges_of
from domain.ids import DEFAULT_TENANT, MessageId, Tenant, ThreadId
from domain.thread import StoredMessage

MAX_PINNED: Final = 100
"""Messages of one thread: all of them go into each prompt."""
_MAX_EXCHANGE: Final = 100
"""Messages on either side of one that are looked at for its exchange."""


@attrs.frozen(kw_only=True)
class PinMessageCommand:
    tenant: Tenant = DEFAULT_TENANT
    message_id: MessageId
    pinned: bool


@attrs.define(kw_only=True)
class PinMessage:
    """Pins, or lets go of, the whole exchange of a message: half of one is no memory.

    Which messages are an exchange, the memory says: calls of tools and their results belong to it, and answers
    that failed, were cut or had another one made in their place do not.
    """

    _unit_of_work: UnitOfWorkFactory

    async def execute(self, command: PinMessageCommand) -> StoredMessage:
        """The message as it is now.

        Raises:
            NotFound: the message is absent.
            Conflict: its exchange has no complete answer, or the thread would have more than `MAX_PINNED`.
            StorageUnavailable: nothing was changed.
        """
        async with self._unit_of_work(command.tenant) as work:
            message = await existing_message(work, command.message_id)
            try:
                # Two that pin at the same time must not both find room.
                await locked_thread(work, message.thread_id)
            except NotFound:  # deleted meanwhile
                raise no_message(command.message_id) from None
            around = await _around(work, message)
            if command.pinned:
                change = [each for each in _exchange(around, message) if not each.pinned]
                await _demand_room(work, message.thread_id, len(change))
            else:
                change = [each for each in around if each.pinned]
            if change:
                await work.messages.pin([each.id for each in change], pinned=command.pinned)
                await work.commit()
        return attrs.evolve(message, pinned=command.pinned)


async def _around(work: UnitOfWork, message: StoredMessage) -> list[StoredMessage]:
    """What was said from the caller's turn on up to the next one, by position: its exchange is among it."""
    at = position_of(message)
    before = await work.messages.page(message.thread_id, below=at, limit=_MAX_EXCHANGE, newest_first=True)
    found = [message]
    for each in before:
        if _begins(found[0], after=each):
            break
        found.insert(0, each)
    for each in await work.messages.page(message.thread_id, after=at, limit=_MAX_EXCHANGE):
        if _begins(each, after=found[-1]):
            break
        found.append(each)
    return found


def _begins(message: StoredMessage, *, after: StoredMessage) -> bool:
    """Whether a new exchange begins with `message`: every chat ends with an answer, be it a failed one."""
    return message.message.role in ("user", "system") and after.message.role == "assistant"


def _exchange(around: list[StoredMessage], message: StoredMessage) -> tuple[StoredMessage, ...]:
    complete = [each for each in around if each.status == "complete"]
    for exchange in exchanges_of(complete).whole:
        if any(each.id == message.id for each in exchange.messages):
            return exchange.messages
    raise Conflict(
        "only whole exchanges can be pinned, and this message is part of none: it has no answer yet, or its answer "
        "failed, was cut, or had another one made in its place; pin the message that stands for it"
    )


async def _demand_room(work: UnitOfWork, thread_id: ThreadId, more: int) -> None:
    pinned = await work.messages.count_pinned(thread_id)
    if more and pinned + more > MAX_PINNED:
        raise Conflict(
            f"a thread has at most {MAX_PINNED} pinned messages; this one has {pinned}, and the exchange of this "
            f"message has {more} more: let go of others first"
        )
