"""Export a whole thread."""

from collections.abc import AsyncIterator
from typing import Final

import attrs

from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.thread_lookup import existing_session, existing_thread, position_of
from domain.ids import Tenant, ThreadId
from domain.thread import Session, StoredMessage, Thread
from domain.values import frozen

_PORTION: Final = 50


@frozen(kw_only=True)
class ThreadExport:
    """A thread as it was when it was opened: what is added meanwhile is left out."""

    session: Session
    thread: Thread
    portions: AsyncIterator[tuple[StoredMessage, ...]]
    """All its messages, in order, some at a time."""


@attrs.define(kw_only=True)
class ExportThread:
    """Reads a thread of any length, with no more than some of its messages in memory."""

    _unit_of_work: UnitOfWorkFactory

    async def open(self, tenant: Tenant, thread_id: ThreadId) -> ThreadExport:
        """
        Raises:
            NotFound: it is absent. Also from `portions`, where it is deleted meanwhile.
            StorageUnavailable: the database is away. Also from `portions`.
        """
        async with self._unit_of_work(tenant) as work:
            thread = await existing_thread(work, thread_id)
            session = await existing_session(work, thread.session_id)
        return ThreadExport(session=session, thread=thread, portions=self._portions(tenant, thread))

    async def _portions(self, tenant: Tenant, thread: Thread) -> AsyncIterator[tuple[StoredMessage, ...]]:
        """Each in a transaction of its own: a slow reader must not hold one."""
        after = -1
        while after + 1 < thread.length:
            async with self._unit_of_work(tenant) as work:
                portion = await work.messages.page(
                    thread.id, after=after, below=thread.length, limit=_PORTION
                )
                if not portion:
                    await existing_thread(work, thread.id)  # else retention took the rest of it
                    return
            yield portion
            after = position_of(portion[-1])
