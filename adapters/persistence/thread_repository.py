"""Threads in SQL."""

import datetime
import functools
from typing import Any, Final

import sqlalchemy as sa

from adapters.persistence.identifiers import LAST, canonical
from adapters.persistence.rows import Row, summary_row, thread_of, thread_row
from adapters.persistence.scope import Scope
from adapters.persistence.tables import IDEMPOTENCY_KEYS, SESSIONS, THREAD_SUMMARIES, THREAD_TAGS, THREADS
from adapters.persistence.thread_locks import ThreadLocks, demand_tenant
from adapters.persistence.thread_purge import FORGET_KEYS, purge_thread
from domain.clean_text import clean
from domain.errors import NotFound
from domain.ids import SessionId, ThreadId
from domain.thread import Thread, ThreadOrder, ThreadSummary
from domain.values import frozen

_T: Final = THREADS.c
_OF_ID: Final = _T.id == sa.bindparam("of_id")
_ANY: Final = sa.select(THREADS).where(_OF_ID)
_ONE: Final = _ANY.where(_T.deleted_at.is_(None))
# FOR NO KEY UPDATE, which is what the commit queue waits for; rows that refer to the thread may still be added.
_LOCKED: Final = _ONE.with_for_update(key_share=True)
# FOR UPDATE: nothing may refer to it any more.
_LOCKED_WHOLE: Final = _ANY.with_for_update()
_SESSION_KEPT: Final = (
    sa.select(SESSIONS.c.id)
    .where(SESSIONS.c.id == sa.bindparam("id"))
    .with_for_update(read=True, key_share=True)
)
_CHANGE: Final = sa.update(THREADS).where(_OF_ID, _T.deleted_at.is_(None))
_DELETE: Final = _CHANGE.values(deleted_at=sa.bindparam("at"))
_SUMMARY: Final = THREAD_SUMMARIES.c.thread_id == sa.bindparam("of_thread")
_REACH: Final = sa.select(THREAD_SUMMARIES.c.up_to).where(_SUMMARY)
_RESUMMARISE: Final = sa.update(THREAD_SUMMARIES).where(_SUMMARY)
_UNTAG: Final = sa.delete(THREAD_TAGS).where(THREAD_TAGS.c.thread_id == sa.bindparam("of_thread"))
_END_OF_TIME: Final = datetime.datetime.max.replace(tzinfo=datetime.UTC)


@functools.cache
def _newest(*, of_session: bool, of_user: bool, with_tag: bool, order: ThreadOrder) -> sa.Select[Any]:
    before: sa.BindParameter[str] = sa.bindparam("before")
    select = (
        sa.select(THREADS).where(_T.deleted_at.is_(None)).limit(sa.bindparam("limit", type_=sa.BigInteger))
    )
    if order == "created":
        select = select.where(_T.id < before).order_by(_T.id.desc())
    else:
        last = sa.bindparam("updated_before", type_=_T.updated_at.type)
        select = select.where(
            sa.or_(_T.updated_at < last, sa.and_(_T.updated_at == last, _T.id < before))
        ).order_by(_T.updated_at.desc(), _T.id.desc())
    if of_session:
        select = select.where(_T.session_id == sa.bindparam("of_session"))
    if of_user:
        session = SESSIONS.c
        select = select.join(SESSIONS, (session.id == _T.session_id) & (session.tenant == _T.tenant)).where(
            session.user == sa.bindparam("of_user"), session.tenant == sa.bindparam("tenant")
        )
    if with_tag:
        tag = THREAD_TAGS.c
        select = select.join(THREAD_TAGS, (tag.thread_id == _T.id) & (tag.tenant == _T.tenant)).where(
            tag.tag == sa.bindparam("with_tag"), tag.tenant == sa.bindparam("tenant")
        )
        if order == "created":  # said of both tables: an inequality of the one tells nothing of the other
            select = select.where(tag.thread_id < before)
    return select


@frozen
class Threads:
    _scope: Scope
    _locks: ThreadLocks

    async def get(self, thread_id: ThreadId) -> Thread | None:
        return await self._one(_ONE, thread_id)

    async def lock(self, thread_id: ThreadId) -> Thread | None:
        await self._scope.begin()
        thread = await self._one(_LOCKED, thread_id)
        if thread is not None:
            self._locks.note(thread.id)
        return thread

    async def add(self, thread: Thread) -> None:
        demand_tenant(thread.tenant, of=self._scope.tenant)
        await self._scope.begin()
        session_id = canonical(thread.session_id)
        if session_id is None or not await self._scope.rows(_SESSION_KEPT, SESSIONS, {"id": session_id}):
            raise NotFound("the session no longer exists; start a new one")
        row = clean(thread_row(thread, next_position=thread.length))
        await self._scope.add(THREADS, [row])
        await self._tag(row)
        self._locks.note(thread.id)

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
        last = LAST if before is None else canonical(before)
        of_session = None if session_id is None else canonical(session_id)
        if last is None or limit <= 0 or (session_id is not None and of_session is None):
            return ()
        parameters: dict[str, Any] = {"before": last, "limit": limit}
        chosen = {"of_session": of_session, "of_user": user, "with_tag": tag}
        parameters |= {name: value for name, value in chosen.items() if value is not None}
        if order == "updated":
            parameters["updated_before"] = updated_before or _END_OF_TIME
        select = _newest(
            of_session=of_session is not None,
            of_user=user is not None,
            with_tag=tag is not None,
            order=order,
        )
        return tuple([thread_of(row) for row in await self._scope.rows(select, THREADS, parameters)])

    async def change(self, thread: Thread) -> None:
        demand_tenant(thread.tenant, of=self._scope.tenant)
        self._locks.demand(thread.id)
        row = clean(thread_row(thread, next_position=thread.length))
        changed = {name: row[name] for name in ("title", "tags")}
        if thread.updated_at is not None:
            changed["updated_at"] = thread.updated_at
        if await self._scope.change(_CHANGE.values(changed), THREADS, {"of_id": thread.id}):
            await self._scope.change(_UNTAG, THREAD_TAGS, {"of_thread": row["id"]})
            await self._tag(row)

    async def delete(self, thread_id: ThreadId, *, at: datetime.datetime) -> bool:
        key = canonical(thread_id)
        if key is None or not await self._scope.change(_DELETE, THREADS, {"of_id": key, "at": at}):
            return False
        await self._scope.change(FORGET_KEYS, IDEMPOTENCY_KEYS, {"of_thread": key})
        return True

    async def purge(self, thread_id: ThreadId) -> bool:
        await self._scope.begin()
        thread = await self._one(_LOCKED_WHOLE, thread_id)
        if thread is None:
            return False
        await purge_thread(self._scope, thread.id, length=thread.length)
        return True

    async def summarise(self, thread_id: ThreadId, summary: ThreadSummary) -> None:
        key = canonical(thread_id)
        if key is None:
            return
        # Not the thread's row: a chat may be committed meanwhile.
        await self._scope.lock(f"summary\0{key}")
        if await self._one(_ONE, ThreadId(key)) is None:
            return
        reach = await self._scope.rows(_REACH, THREAD_SUMMARIES, {"of_thread": key})
        row = clean(summary_row(summary))
        if not reach:
            await self._scope.add(THREAD_SUMMARIES, [{**row, "thread_id": key}])
        elif reach[0]["up_to"] <= summary.up_to:
            await self._scope.change(_RESUMMARISE.values(row), THREAD_SUMMARIES, {"of_thread": key})

    async def _tag(self, row: Row) -> None:
        """Makes the thread of this row, which has no tags yet, found by those it names."""
        if row["tags"]:
            tags = sorted(set(row["tags"]))
            await self._scope.add(THREAD_TAGS, [{"thread_id": row["id"], "tag": tag} for tag in tags])

    async def _one(self, select: sa.Select[Any], thread_id: str) -> Thread | None:
        key = canonical(thread_id)
        if key is None:
            return None
        rows = await self._scope.rows(select, THREADS, {"of_id": key})
        return thread_of(rows[0]) if rows else None
