"""Sessions, threads and messages in this process, with the locks and the rollback of a database."""

import datetime
from collections.abc import Mapping, Sequence
from typing import TypeVar

import attrs

from adapters.in_memory.tenant_view import TenantView
from domain.attempt import Attempt
from domain.clean_text import clean, clean_value
from domain.errors import NotFound
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.thread import Session, StoredMessage, Thread, ThreadOrder, ThreadSummary
from domain.values import frozen

V = TypeVar("V", Session, Thread)


@frozen
class InMemorySessions:
    _view: TenantView

    async def get(self, session_id: SessionId) -> Session | None:
        self._view.shelves.demand()
        return self._view.sessions.get(SessionId(session_id.lower()))

    async def of_thread(self, thread_id: ThreadId) -> Session | None:
        self._view.shelves.demand()
        thread = self._view.thread(thread_id)
        return None if thread is None else self._view.sessions.get(thread.session_id)

    async def of_message(self, message_id: MessageId) -> Session | None:
        self._view.shelves.demand()
        message = self._view.message(message_id)
        return None if message is None else await self.of_thread(message.thread_id)

    async def add(self, session: Session) -> None:
        view = self._view
        view.shelves.demand()
        _demand_tenant(view, session.tenant)
        if view.sessions.get(session.id) is not None:
            raise view.break_off()
        view.sessions.put(session.id, clean_value(session))

    async def list(
        self, *, user: str | None = None, before: SessionId | None = None, limit: int
    ) -> tuple[Session, ...]:
        self._view.shelves.demand()
        mine = [each for each in self._view.sessions.values() if user is None or each.user == clean(user)]
        return _newest(mine, before, limit)


@frozen
class InMemoryThreads:
    _view: TenantView

    async def get(self, thread_id: ThreadId) -> Thread | None:
        self._view.shelves.demand()
        return self._view.thread(thread_id)

    async def lock(self, thread_id: ThreadId) -> Thread | None:
        self._view.shelves.demand()
        await self._view.hold(_lock_of(thread_id))
        return self._view.thread(thread_id)

    async def add(self, thread: Thread) -> None:
        view = self._view
        view.shelves.demand()
        _demand_tenant(view, thread.tenant)
        if view.threads.get(thread.id) is not None:
            raise view.break_off()
        if view.sessions.get(thread.session_id) is None:
            raise NotFound("the session no longer exists; start a new one")
        await view.hold(_lock_of(thread.id))
        made = clean_value(thread)
        view.threads.put(thread.id, attrs.evolve(made, updated_at=made.updated_at or made.created_at))
        view.order.put(thread.id, ())

    async def list(
        self,
        *,
        session_id: SessionId | None = None,
        user: str | None = None,
        tag: str | None = None,
        order: ThreadOrder = "created",
        before: ThreadId | None = None,
        updated_before: datetime.datetime | None = None,
        limit: int,
    ) -> tuple[Thread, ...]:
        view = self._view
        view.shelves.demand()
        mine = [
            each
            for each in view.threads.values()
            if view.deleted.get(each.id) is None
            and (session_id is None or each.session_id == session_id.lower())
            and (user is None or _user_of(view, each) == clean(user))
            and (tag is None or clean(tag) in each.tags)
        ]
        if order == "created":
            return _newest(mine, before, limit)
        if before is not None and updated_before is not None:
            mine = [each for each in mine if _activity(each) < (updated_before, before.lower())]
        return tuple(sorted(mine, key=_activity, reverse=True)[: max(limit, 0)])

    async def change(self, thread: Thread) -> None:
        view = self._view
        view.shelves.demand()
        _demand_tenant(view, thread.tenant)
        if not view.holds(_lock_of(thread.id)):
            raise RuntimeError(f"thread `{thread.id}` is written without a lock: await `lock` first")
        stored = view.thread(thread.id)
        if stored is not None:
            made = clean_value(thread)
            view.threads.put(
                thread.id,
                attrs.evolve(
                    stored,
                    title=made.title,
                    tags=made.tags,
                    updated_at=made.updated_at or stored.updated_at,
                ),
            )

    async def delete(self, thread_id: ThreadId, *, at: datetime.datetime) -> bool:
        self._view.shelves.demand()
        await self._view.hold(_lock_of(thread_id))
        thread = self._view.thread(thread_id)
        if thread is None:
            return False
        self._view.deleted.put(thread.id, at)
        self._view.forget_keys(thread.id)
        return True

    async def purge(self, thread_id: ThreadId) -> bool:
        view = self._view
        view.shelves.demand()
        await view.hold(_lock_of(thread_id))
        thread = view.threads.get(ThreadId(thread_id.lower()))
        if thread is None:
            return False
        view.purge_thread(thread.id)
        return True

    async def summarise(self, thread_id: ThreadId, summary: ThreadSummary) -> None:
        view = self._view
        view.shelves.demand()
        await view.hold(("summary", thread_id.lower()))
        thread = view.thread(thread_id)
        if thread is None:
            return
        before = view.summaries.get(thread.id)
        if before is None or before.up_to <= summary.up_to:
            view.summaries.put(thread.id, clean_value(summary))


@frozen
class InMemoryMessages:
    _view: TenantView

    async def get(self, message_id: MessageId) -> StoredMessage | None:
        self._view.shelves.demand()
        return self._view.message(message_id)

    async def tail(self, thread_id: ThreadId, *, limit: int) -> tuple[StoredMessage, ...]:
        self._view.shelves.demand()
        complete = [each for each in self._view.turns(thread_id) if each.status == "complete"]
        return tuple(complete[-limit:]) if limit > 0 else ()

    async def page(
        self,
        thread_id: ThreadId,
        *,
        after: int = -1,
        below: int | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> tuple[StoredMessage, ...]:
        self._view.shelves.demand()
        turns = [
            each
            for each in self._view.turns(thread_id)
            if position_of(each) > after and (below is None or position_of(each) < below)
        ]
        return tuple((turns[::-1] if newest_first else turns)[: max(limit, 0)])

    async def attempts(self, message_id: MessageId) -> tuple[Attempt, ...]:
        self._view.shelves.demand()
        stored = self._view.message(message_id)
        return () if stored is None else self._view.attempts.get(stored.id) or ()

    async def add(self, messages: Sequence[StoredMessage]) -> None:
        view = self._view
        view.shelves.demand()
        added: dict[ThreadId, list[MessageId]] = {}
        for each in messages:
            _demand_tenant(view, each.tenant)
            if not view.holds(_lock_of(each.thread_id)) or view.thread(each.thread_id) is None:
                raise RuntimeError(f"thread `{each.thread_id}` is not of this unit of work: add it first")
            if view.messages.get(each.id) is not None:
                raise view.break_off()
            view.messages.put(each.id, storable(each))
            added.setdefault(each.thread_id, []).append(each.id)
        for thread_id, ids in added.items():
            view.order.put(thread_id, (*(view.order.get(thread_id) or ()), *ids))

    async def copy(self, source: ThreadId, to: ThreadId, *, first: int, ids: Sequence[MessageId]) -> None:
        self._view.shelves.demand()
        originals = [
            each for each in self._view.turns(source) if first <= position_of(each) < first + len(ids)
        ]
        new_ids = {each.id: ids[position_of(each) - first] for each in originals}
        copies = [
            attrs.evolve(
                each,
                id=new_ids[each.id],
                thread_id=ThreadId(to.lower()),
                position=position_of(each) - first,
                parent=None if each.parent is None else new_ids.get(each.parent),
                copied_from=each.id,
                feedback=None,
            )
            for each in originals
        ]
        await self.add(copies)

    async def pin(self, message_ids: Sequence[MessageId], *, pinned: bool) -> None:
        self._view.shelves.demand()
        for message_id in message_ids:
            stored = self._view.message(message_id)
            if stored is not None:
                self._view.messages.put(stored.id, attrs.evolve(stored, pinned=pinned))

    async def count_pinned(self, thread_id: ThreadId) -> int:
        self._view.shelves.demand()
        return sum(each.pinned and each.status == "complete" for each in self._view.turns(thread_id))

    async def note_token_counts(self, counts: Mapping[MessageId, int]) -> None:
        self._view.shelves.demand()
        for message_id, count in counts.items():
            stored = self._view.message(message_id)
            if stored is not None and stored.message.token_count is None:
                message = attrs.evolve(stored.message, token_count=count)
                self._view.messages.put(stored.id, attrs.evolve(stored, message=message))


def storable(stored: StoredMessage) -> StoredMessage:
    """As a database gives it back."""
    cleaned = clean_value(stored)
    return attrs.evolve(
        cleaned,
        metadata=tuple(sorted(cleaned.metadata)),
        created_at=cleaned.created_at.astimezone(datetime.UTC),
    )


def position_of(stored: StoredMessage) -> int:
    if stored.position is None:
        raise ValueError(f"message `{stored.id}` has no position")
    return stored.position


def _lock_of(thread_id: ThreadId) -> tuple[str, str]:
    return "thread", thread_id.lower()


def _newest(values: Sequence[V], before: str | None, limit: int) -> tuple[V, ...]:
    values = [each for each in values if before is None or each.id < before.lower()]
    return tuple(sorted(values, key=lambda each: each.id, reverse=True)[: max(limit, 0)])


def _user_of(view: TenantView, thread: Thread) -> str | None:
    session = view.sessions.get(thread.session_id)
    return None if session is None else session.user


def _activity(thread: Thread) -> tuple[datetime.datetime, str]:
    return thread.updated_at or thread.created_at, thread.id


def _demand_tenant(view: TenantView, tenant: Tenant) -> None:
    if tenant != view.tenant:
        raise ValueError(f"a row of tenant `{tenant}` in a unit of work of another tenant")
