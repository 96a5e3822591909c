"""What a chat reads before it is sent."""

from typing import Protocol

from domain.ids import SessionId, Tenant, ThreadId
from domain.thread import Conversation, Session


class ConversationReader(Protocol):
    """Reads on the way of every continued chat: one round trip each, whatever the thread's length.

    Raises (from each method):
        StorageUnavailable: as a unit of work does.
    """

    async def conversation(
        self, tenant: Tenant, thread_id: ThreadId, *, limit: int, below: int | None = None
    ) -> Conversation | None:
        """The thread with its last `limit` complete messages, the last `MAX_PINNED` pinned ones before them,
        and its summary.

        None where it is absent, deleted or another tenant's.

        Args:
            limit: 0 reads no messages at all, pinned ones neither.
            below: only messages at positions less than this one.
        """

    async def session(self, tenant: Tenant, session_id: SessionId) -> Session | None:
        """None where it is absent or another tenant's."""
