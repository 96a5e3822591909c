"""Pin a message, so that the memory keeps it whatever its age."""

import attrs

from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.absence import no_message
from application.services.pinning import let_go, pin_exchange
from application.services.thread_lookup import existing_message, locked_thread
from domain.errors import NotFound
from domain.ids import DEFAULT_TENANT, MessageId, Tenant
from domain.thread import StoredMessage
from domain.values import frozen


@frozen(kw_only=True)
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
                await locked_thread(work, message.thread_id)
            except NotFound:  # deleted meanwhile
                raise no_message(command.message_id) from None
            change = pin_exchange if command.pinned else let_go
            if await change(work, message):
                await work.commit()
        return attrs.evolve(message, pinned=command.pinned)
