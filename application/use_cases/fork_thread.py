"""Fork a thread at a message."""

from application.services.thread_forking import ThreadForking
from domain.ids import DEFAULT_TENANT, MessageId, Tenant, ThreadId
from domain.thread import Thread
from domain.thread_words import checked_title
from domain.values import frozen


@frozen(kw_only=True)
class ForkThreadCommand:
    tenant: Tenant = DEFAULT_TENANT
    thread_id: ThreadId
    message_id: MessageId
    """The last message that the new thread has too."""
    title: str | None = None
    """As that of the thread it comes from, where it is None."""


@frozen(kw_only=True)
class ForkThread:
    """Makes a thread of the same session that begins as a copy of another one, up to a message and with it."""

    _forking: ThreadForking

    async def execute(self, command: ForkThreadCommand) -> Thread:
        """The new thread.

        Raises:
            InvalidRequest: the title is none, or too much would have to be copied.
            NotFound: the thread is absent, or has no such message.
            Overloaded: other long forks take too long.
            StorageUnavailable: nothing was stored.
        """
        return await self._forking.fork(
            command.tenant,
            command.thread_id,
            command.message_id,
            title=checked_title(command.title),
        )
