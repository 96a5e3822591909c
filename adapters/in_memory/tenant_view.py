"""What one unit of work sees of the shelves: its tenant's part, with its own writes before they are committed."""

import datetime
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

import attrs

from adapters.in_memory.shelves import Shelves, StoredKey
from domain.anomaly_record import SeenAnomaly
from domain.attempt import Attempt
from domain.client_chat import ClientChat
from domain.errors import StorageUnavailable
from domain.feedback import FeedbackChange
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.refusal import RefusalCount
from domain.thread import Session, StoredMessage, Thread, ThreadSummary

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@attrs.define
class Overlay(Generic[K, V]):
    """A dictionary whose changes nobody else sees before `apply`."""

    _stored: dict[tuple[Tenant, K], V]
    _tenant: Tenant | None
    """None: those of all tenants, to be read alone."""
    _written: dict[K, V | None] = attrs.field(factory=dict, init=False)
    """None for what was removed."""

    def get(self, key: K) -> V | None:
        if key in self._written:
            return self._written[key]
        if self._tenant is None:
            return next((value for (_, each), value in self._stored.items() if each == key), None)
        return self._stored.get((self._tenant, key))

    def put(self, key: K, value: V) -> None:
        self._written[key] = value

    def remove(self, key: K) -> None:
        self._written[key] = None

    def values(self) -> list[V]:
        """In no order."""
        if self._tenant is None:
            return list(self._stored.values())
        stored = {key: value for (tenant, key), value in self._stored.items() if tenant == self._tenant}
        return [value for value in (stored | self._written).values() if value is not None]

    def by_tenant(self) -> list[tuple[Tenant, V]]:
        """What is stored, in no order, with whose it is."""
        return [
            (tenant, value) for (tenant, _), value in self._stored.items() if self._tenant in (None, tenant)
        ]

    def apply(self) -> None:
        if self._tenant is None:
            return
        for key, value in self._written.items():
            if value is None:
                self._stored.pop((self._tenant, key), None)
            else:
                self._stored[self._tenant, key] = value
        self._written.clear()

    def forget(self) -> None:
        self._written.clear()


@attrs.define
class TenantView:
    """Writes wait in its overlays; `commit` applies them, `leave` forgets them and lets go of what it holds."""

    shelves: Shelves
    tenant: Tenant
    is_of_every_tenant: bool = attrs.field(default=False, kw_only=True)
    """True: it shows what is of all of them, to be read alone."""
    sessions: Overlay[SessionId, Session] = attrs.field(init=False)
    threads: Overlay[ThreadId, Thread] = attrs.field(init=False)
    """Deleted ones too: most want `thread`."""
    deleted: Overlay[ThreadId, datetime.datetime] = attrs.field(init=False)
    summaries: Overlay[ThreadId, ThreadSummary] = attrs.field(init=False)
    messages: Overlay[MessageId, StoredMessage] = attrs.field(init=False)
    """Those of deleted threads too: most want `message`."""
    order: Overlay[ThreadId, tuple[MessageId, ...]] = attrs.field(init=False)
    attempts: Overlay[MessageId, tuple[Attempt, ...]] = attrs.field(init=False)
    changes: Overlay[MessageId, tuple[FeedbackChange, ...]] = attrs.field(init=False)
    keys: Overlay[str, StoredKey] = attrs.field(init=False)
    client_chats: Overlay[str, ClientChat] = attrs.field(init=False)
    anomalies: Overlay[str, SeenAnomaly] = attrs.field(init=False)
    """Those of deleted threads too."""
    refusals: Overlay[int, RefusalCount] = attrs.field(init=False)
    _held: set[Hashable] = attrs.field(factory=set, init=False)
    _is_broken: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        shelves = self.shelves
        tenant = None if self.is_of_every_tenant else self.tenant
        self.sessions = Overlay(shelves.sessions, tenant)
        self.threads = Overlay(shelves.threads, tenant)
        self.deleted = Overlay(shelves.deleted, tenant)
        self.summaries = Overlay(shelves.summaries, tenant)
        self.messages = Overlay(shelves.messages, tenant)
        self.order = Overlay(shelves.order, tenant)
        self.attempts = Overlay(shelves.attempts, tenant)
        self.changes = Overlay(shelves.changes, tenant)
        self.keys = Overlay(shelves.keys, tenant)
        self.client_chats = Overlay(shelves.client_chats, tenant)
        self.anomalies = Overlay(shelves.anomalies, tenant)
        self.refusals = Overlay(shelves.refusals, tenant)

    def thread(self, thread_id: ThreadId) -> Thread | None:
        """None where it is absent or deleted."""
        key = ThreadId(thread_id.lower())
        return None if self.deleted.get(key) is not None else self.threads.get(key)

    def message(self, message_id: MessageId) -> StoredMessage | None:
        """None where it is absent, or its thread is deleted."""
        stored = self.messages.get(MessageId(message_id.lower()))
        return None if stored is None or self.thread(stored.thread_id) is None else stored

    def turns(self, thread_id: ThreadId) -> list[StoredMessage]:
        """By position; none where the thread is absent or deleted."""
        thread = self.thread(thread_id)
        ids = () if thread is None else self.order.get(thread.id) or ()
        return [stored for each in ids if (stored := self.messages.get(each)) is not None]

    def purge_messages(self, thread_id: ThreadId, ids: tuple[MessageId, ...]) -> None:
        """Removes messages of one thread with all that belongs to them."""
        gone = frozenset(ids)
        kept = tuple([each for each in self.order.get(thread_id) or () if each not in gone])
        self.order.put(thread_id, kept)
        for message_id in ids:
            self.messages.remove(message_id)
            self.attempts.remove(message_id)
            self.changes.remove(message_id)

    def purge_thread(self, thread_id: ThreadId) -> None:
        """Removes it with all that belongs to it."""
        self.purge_messages(thread_id, self.order.get(thread_id) or ())
        self.order.remove(thread_id)
        self.summaries.remove(thread_id)
        self.deleted.remove(thread_id)
        self.threads.remove(thread_id)
        self.forget_keys(thread_id)
        for chat in self.client_chats.values():
            if chat.thread_id == thread_id:
                self.client_chats.remove(chat.id)

    def forget_keys(self, thread_id: ThreadId) -> None:
        """Removes those that were completed with an answer of the thread."""
        for each in self.keys.values():
            if each.answer is not None and each.answer.thread_id == thread_id:
                self.keys.remove(each.key)

    async def hold(self, key: Hashable) -> None:
        """Waits until no other unit of work holds `key` of this tenant; `commit` and `leave` release it.

        Raises:
            StorageUnavailable: it stayed held for too long; nothing of this unit of work can be committed then.
        """
        if key in self._held:
            return
        try:
            await self.shelves.locks.hold((self.tenant, key))
        except StorageUnavailable:
            self._is_broken = True
            raise
        self._held.add(key)

    def holds(self, key: Hashable) -> bool:
        return key in self._held

    def break_off(self) -> StorageUnavailable:
        """For what a database refuses: nothing can be committed any more. Returns what to raise."""
        self._is_broken = True
        return StorageUnavailable("the store can't take a value of it")

    def demand_whole(self) -> None:
        """
        Raises:
            StorageUnavailable: the store is away, or a step of this unit of work failed.
        """
        self.shelves.demand()
        if self._is_broken:
            raise StorageUnavailable("an earlier step failed, so nothing was stored; try again")

    def commit(self) -> None:
        self.demand_whole()
        for overlay in self._overlays():
            overlay.apply()
        self.leave()

    def leave(self) -> None:
        for overlay in self._overlays():
            overlay.forget()
        for key in self._held:
            self.shelves.locks.release((self.tenant, key))
        self._held.clear()

    def _overlays(self) -> "tuple[Overlay[Any, Any], ...]":
        return (
            self.sessions, self.threads, self.deleted, self.summaries, self.messages, self.order, self.attempts,
            self.changes, self.keys, self.client_chats, self.anomalies,
            self.refusals,
        )  # fmt: skip
