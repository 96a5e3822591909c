"""Messages in SQL. Those of deleted threads are looked up like the others, and left out in the same statement."""

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from adapters.persistence.identifiers import END, canonical, message_ids
from adapters.persistence.rows import Row, attempt_of, message_of, message_row
from adapters.persistence.scope import Scope
from adapters.persistence.tables import ATTEMPTS, MESSAGES, THREADS
from adapters.persistence.thread_copy import copy_messages
from adapters.persistence.thread_locks import ThreadLocks, demand_tenant
from domain.attempt import Attempt
from domain.clean_text import clean
from domain.ids import MessageId, ThreadId
from domain.thread import StoredMessage
from domain.values import frozen

PORTION: Final = 500
"""Rows a statement adds: each stays far below the limit of a statement."""

_M: Final = MESSAGES.c
_LIMIT: Final = sa.bindparam("limit", type_=sa.BigInteger)
_THREAD_IS_THERE: Final = sa.exists().where(
    THREADS.c.id == _M.thread_id, THREADS.c.tenant == _M.tenant, THREADS.c.deleted_at.is_(None)
)
_ONE: Final = sa.select(MESSAGES).where(_M.id == sa.bindparam("id"), _THREAD_IS_THERE)
# Asked once, before any month is; NULL, and so no rows, where the thread is absent or deleted.
_LENGTH: Final = (
    sa.select(sa.cast(THREADS.c.next_position, sa.BigInteger))
    .where(
        THREADS.c.id == sa.bindparam("thread_id"),
        THREADS.c.tenant == sa.bindparam("tenant"),
        THREADS.c.deleted_at.is_(None),
    )
    .scalar_subquery()
)
_IN_THREAD: Final = (
    _M.thread_id == sa.bindparam("thread_id"),
    _M.id >= sa.bindparam("oldest"),
    _M.id <= sa.bindparam("newest"),
    _LENGTH > 0,
)
# Without a window PostgreSQL may read a long thread whole and sort it: it plans for threads of usual length, of
# which a few rows are cheaper to sort than to merge from many months.
_WINDOW: Final = sa.bindparam("window", type_=sa.BigInteger)
_OF_THREAD: Final = sa.select(MESSAGES, _LENGTH.label("length")).where(*_IN_THREAD).limit(_LIMIT)
_FORWARDS: Final = _OF_THREAD.where(
    _M.position > sa.bindparam("after", type_=sa.BigInteger),
    _M.position <= sa.bindparam("after", type_=sa.BigInteger) + _WINDOW,
).order_by(_M.position)
_BACKWARDS: Final = _OF_THREAD.where(
    _M.position < sa.bindparam("below", type_=sa.BigInteger),
    _M.position >= sa.bindparam("below", type_=sa.BigInteger) - _WINDOW,
).order_by(_M.position.desc())
_FROM_THE_END: Final = _OF_THREAD.where(_M.position >= _LENGTH - _WINDOW).order_by(_M.position.desc())
_TAIL: Final = _FROM_THE_END.where(_M.status == "complete")
_PINNED: Final = sa.select(sa.func.count().label("pinned")).where(
    *_IN_THREAD, _M.pinned, _M.status == "complete"
)
_ATTEMPTS: Final = (
    sa.select(ATTEMPTS)
    .where(
        ATTEMPTS.c.message_id == sa.bindparam("id"),
        sa.exists().where(_M.id == ATTEMPTS.c.message_id, _M.tenant == ATTEMPTS.c.tenant, _THREAD_IS_THERE),
    )
    .order_by(ATTEMPTS.c.number)
)
_CHANGE: Final = sa.update(MESSAGES).where(
    _M.id.in_(sa.bindparam("of_ids", expanding=True)), _THREAD_IS_THERE
)
_PIN: Final = _CHANGE.values(pinned=sa.bindparam("is_pinned"))
_COUNT: Final = _CHANGE.where(_M.token_count.is_(None))


@frozen
class Messages:
    _scope: Scope
    _locks: ThreadLocks

    async def get(self, message_id: MessageId) -> StoredMessage | None:
        key = canonical(message_id)
        if key is None:
            return None
        rows = await self._scope.rows(_ONE, MESSAGES, {"id": key})
        return message_of(rows[0]) if rows else None

    async def tail(self, thread_id: ThreadId, *, limit: int) -> tuple[StoredMessage, ...]:
        rows = await self._walk(_TAIL, thread_id, limit, window=tail_window(limit))
        return tuple([message_of(row) for row in reversed(rows)])

    async def page(
        self,
        thread_id: ThreadId,
        *,
        after: int = -1,
        below: int | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> tuple[StoredMessage, ...]:
        if not newest_first:
            rows = await self._walk(_FORWARDS, thread_id, limit, window=limit, after=max(after, -1))
        elif below is None or below > END:
            rows = await self._walk(_FROM_THE_END, thread_id, limit, window=limit)
        else:
            rows = await self._walk(_BACKWARDS, thread_id, limit, window=limit, below=below)
        end = END if below is None else below
        return tuple([message_of(row) for row in rows if after < row["position"] < end])

    async def attempts(self, message_id: MessageId) -> tuple[Attempt, ...]:
        key = canonical(message_id)
        if key is None:
            return ()
        rows = await self._scope.rows(_ATTEMPTS, ATTEMPTS, {"id": key})
        return tuple([attempt_of(row) for row in rows])

    async def add(self, messages: Sequence[StoredMessage]) -> None:
        for each in messages:
            demand_tenant(each.tenant, of=self._scope.tenant)
            self._locks.demand(each.thread_id)
        for portion in _portions(messages):
            rows = [clean(message_row(each, position=_position_of(each))) for each in portion]
            await self._scope.add(MESSAGES, rows)

    async def copy(self, source: ThreadId, to: ThreadId, *, first: int, ids: Sequence[MessageId]) -> None:
        self._locks.demand(to)
        original, made = canonical(source), canonical(to)
        if original is not None and made is not None:
            await copy_messages(self._scope, original, made, first=first, ids=ids)

    async def pin(self, message_ids: Sequence[MessageId], *, pinned: bool) -> None:
        ids = [key for each in message_ids if (key := canonical(each)) is not None]
        if ids:
            await self._scope.change(_PIN, MESSAGES, {"of_ids": ids, "is_pinned": pinned})

    async def count_pinned(self, thread_id: ThreadId) -> int:
        key = canonical(thread_id)
        if key is None:
            return 0
        parameters = {"thread_id": key, **_bounds(key)}
        (row,) = await self._scope.rows(_PINNED, MESSAGES, parameters)
        return int(row["pinned"])

    async def note_token_counts(self, counts: Mapping[MessageId, int]) -> None:
        known = {key: count for each, count in counts.items() if (key := canonical(each)) is not None}
        if known:
            counted = sa.case(
                *[(_M.id == key, sa.literal(count, sa.BigInteger)) for key, count in known.items()]
            )
            await self._scope.change(_COUNT.values(token_count=counted), MESSAGES, {"of_ids": list(known)})

    async def _walk(
        self, select: sa.Select[Any], thread_id: ThreadId, limit: int, *, window: int, **bounds: int
    ) -> list[Row]:
        """Looks into the window first, which is all there is but for gaps: what retention or failures left."""
        key = canonical(thread_id)
        if key is None or limit <= 0:
            return []
        parameters = {
            "thread_id": key,
            **_bounds(key),
            "limit": min(limit, END),
            "window": min(window, END),
            **{name: min(max(bound, -1), END) for name, bound in bounds.items()},
        }
        rows = await self._scope.rows(select, MESSAGES, parameters)
        if len(rows) < limit and not _reaches_the_end(rows, window, is_forwards="after" in bounds):
            rows = await self._scope.rows(select, MESSAGES, {**parameters, "window": END})
        return rows


def tail_window(limit: int) -> int:
    """Among so many last messages, enough are usually complete."""
    return limit + limit // 2 + 8


def _reaches_the_end(rows: Sequence[Row], window: int, *, is_forwards: bool) -> bool:
    if not rows:
        return False
    if is_forwards:
        return bool(rows[-1]["position"] == rows[-1]["length"] - 1)
    return bool(rows[-1]["position"] == 0 or window >= rows[-1]["length"])


def _bounds(thread_id: str) -> dict[str, str]:
    ids = message_ids(thread_id, now_s=time.time())
    return {"oldest": ids.oldest, "newest": ids.newest}


def _portions(messages: Sequence[StoredMessage]) -> Iterator[Sequence[StoredMessage]]:
    rest = iter(messages)
    while portion := tuple(islice(rest, PORTION)):
        yield portion


def _position_of(stored: StoredMessage) -> int:
    if stored.position is None:
        raise ValueError(f"message `{stored.id}` has no position")
    return stored.position
