"""A journal that keeps everything in this process."""

import attrs

from adapters.in_memory.budget_ledger import count
from adapters.in_memory.conversations import storable
from adapters.in_memory.idempotency import complete
from adapters.in_memory.shelves import Shelves
from domain.clean_text import clean_value
from domain.errors import NotFound
from domain.ids import Tenant, ThreadId
from domain.thread import ChatRecord, Thread
from domain.values import frozen


@frozen(kw_only=True)
class InMemoryChatJournal:
    """Commits at once, unless a unit of work has locked the thread. What it holds ends with the process."""

    _shelves: Shelves

    @property
    def is_ready(self) -> bool:
        return self._shelves.available

    @property
    def reason(self) -> str | None:
        return None if self._shelves.available else "the in-memory store was made unavailable by its test"

    @property
    def depth(self) -> int:
        return 0

    async def commit(self, record: ChatRecord) -> None:
        locks = self._shelves.locks
        lock = (record.thread.tenant, ("thread", record.thread.id))
        if locks.is_free(lock):
            self._commit(record)
            return
        await locks.hold(lock)
        try:
            self._commit(record)
        finally:
            locks.release(lock)

    def _commit(self, record: ChatRecord) -> None:
        shelves = self._shelves
        shelves.demand()
        tenant = record.thread.tenant
        key = (tenant, record.thread.id)
        if record.messages and (tenant, record.messages[-1].id) in shelves.messages:
            return  # stored before: ids are the record's identity
        if not record.new_session and (tenant, record.thread.session_id) not in shelves.sessions:
            raise NotFound("the session no longer exists; start a new one")
        if not record.new_thread and key not in shelves.threads:
            raise NotFound("the thread no longer exists; start a new one")
        if record.completes is not None:
            complete(shelves, tenant, record.completes)
        if record.new_session:
            shelves.sessions.setdefault((tenant, record.session.id), clean_value(record.session))
        if record.new_thread:
            thread = clean_value(record.thread)
            shelves.threads[key] = attrs.evolve(
                thread, length=0, updated_at=thread.updated_at or thread.created_at
            )
        self._add_turns(record, tenant, key)
        for spend in record.spends:
            count(shelves, (tenant, spend.subject, spend.period, spend.starts_at), spend.amount_usd)

    def _add_turns(self, record: ChatRecord, tenant: Tenant, key: tuple[Tenant, ThreadId]) -> None:
        if not record.messages:
            return
        shelves = self._shelves
        thread = shelves.threads[key]
        for position, message in enumerate(record.messages, start=thread.length):
            stored = attrs.evolve(storable(message), position=position)
            shelves.messages[tenant, stored.id] = stored
        last = record.messages[-1]
        shelves.attempts[tenant, last.id] = record.attempts
        shelves.order[key] = (*shelves.order.get(key, ()), *[each.id for each in record.messages])
        shelves.threads[key] = _grown(thread, record)


def _grown(thread: Thread, record: ChatRecord) -> Thread:
    at = record.messages[-1].created_at
    return attrs.evolve(
        thread,
        length=thread.length + len(record.messages),
        updated_at=at if thread.updated_at is None else max(thread.updated_at, at),
    )
