"""Retention of what is in this process."""

import datetime

from adapters.in_memory.shelves import Shelves
from adapters.in_memory.tenant_view import TenantView
from application.ports.maintenance import PartitionState, PruneReport, Retention, TableRights
from domain.values import frozen


@frozen(kw_only=True)
class InMemoryMaintenance:
    """Removes each tenant's part as a whole, at once. There are no partitions."""

    _shelves: Shelves

    async def now(self) -> datetime.datetime:
        self._shelves.demand()
        return self._shelves.now()

    async def prune(self, retention: Retention, *, dry_run: bool = False) -> PruneReport:
        self._shelves.demand()
        retention.demand_past(self._shelves.now())
        tenants = {tenant for tenant, _ in (*self._shelves.sessions, *self._shelves.keys)}
        reports = [_prune(TenantView(self._shelves, each), retention, dry_run) for each in sorted(tenants)]
        return PruneReport(
            messages=sum(each.messages for each in reports),
            threads=sum(each.threads for each in reports),
            sessions=sum(each.sessions for each in reports),
            keys=sum(each.keys for each in reports),
        )

    async def prepare(self) -> tuple[str, ...]:
        self._shelves.demand()
        return ()

    async def partitions(self) -> PartitionState | None:
        self._shelves.demand()
        return None

    async def lacking_rights(self) -> TableRights:
        self._shelves.demand()
        return TableRights()


def _prune(view: TenantView, retention: Retention, dry_run: bool) -> PruneReport:
    before = _count(view)
    if retention.deleted_before is not None:
        for thread in view.threads.values():
            deleted_at = view.deleted.get(thread.id)
            if deleted_at is not None and deleted_at < retention.deleted_before:
                view.purge_thread(thread.id)
    if retention.messages_before is not None:
        for thread in view.threads.values():
            ids = view.order.get(thread.id) or ()
            old = [
                each
                for each in ids
                if (stored := view.messages.get(each)) and stored.created_at < retention.messages_before
            ]
            view.purge_messages(thread.id, tuple(old))
            if len(old) == len(ids) and thread.created_at < retention.messages_before:
                view.purge_thread(thread.id)
        used = {thread.session_id for thread in view.threads.values()}
        for session in view.sessions.values():
            if session.id not in used and session.created_at < retention.messages_before:
                view.sessions.remove(session.id)
    if retention.keys_before is not None:
        for key in view.keys.values():
            if key.expires_at < retention.keys_before:
                view.keys.remove(key.key)
    messages, threads, sessions, keys = (was - now for was, now in zip(before, _count(view), strict=True))
    if not dry_run:
        view.commit()
    return PruneReport(messages=messages, threads=threads, sessions=sessions, keys=keys)


def _count(view: TenantView) -> tuple[int, int, int, int]:
    return (
        len(view.messages.values()),
        len(view.threads.values()),
        len(view.sessions.values()),
        len(view.keys.values()),
    )
