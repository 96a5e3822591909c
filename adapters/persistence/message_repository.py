"""Messages in SQL. Those of deleted threads are looked up like the others, and left out in the same statement."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import attrs
import sqlalchemy as sa

from adapters.persistence.identifiers import canonical, oldest_message
from adapters.persistence.rows import attempt_of, message_of, message_row
from adapters.persistence.scope import Scope
from adapters.persistence.tables import ATTEMPTS, MESSAGES, THREADS
from adapters.persistence.thread_locks import ThreadLocks, demand_tenant
from domain.attempt import Attempt
from domain.clean_text import clean
from domain.ids import MessageId, ThreadId
from domain.thread import StoredMessage

PORTION: Final = 500
"""Rows a statement adds: each stays far below the limit of a statement."""
_END: Final = 2**31 - 1
"""No position reaches it."""

_M: Final = MESSAGES.c
_LIMIT: Final = sa.bindparam("limit", type_=sa.BigInteger)
_THREAD_IS_THERE: Final = sa.exists().where(
    THREADS.c.id == _M.thread_id, THREADS.c.tenant == _M.tenant, THREADS.c.deleted_at.is_(None)
)
_ONE: Final = sa.select(MESSAGES).where(_M.id == sa.bindparam("id"), _THREAD_IS_THERE)
# Asked once, before any month is: the thread's row is not what makes a page.
_IS_THERE: Final = (
    sa.select(THREADS.c.deleted_at.is_(None))
    .where(THREADS.c.id == sa.bindparam("thread_id"), THREADS.c.tenant == sa.bindparam("tenant"))
    .scalar_subquery()
)
_IN_THREAD: Final = (
    _M.thread_id == sa.bindparam("thread_id"),
    _M.id >= sa.bindparam("oldest"),
    _IS_THERE,
)
_OF_THREAD: Final = sa.select(MESSAGES).where(*_IN_THREAD)
_TAIL: Final = _OF_THREAD.where(_M.status == "complete").order_by(_M.position.desc()).limit(_LIMIT)
_PAGE: Final = _OF_THREAD.where(
    _M.position > sa.bindparam("after"), _M.position < sa.bindparam("below")
).limit(_LIMIT)
_OLDEST_FIRST: Final = _PAGE.order_by(_M.position)
_NEWEST_FIRST: Final = _PAGE.order_by(_M.position.desc())
_PINNED: Final = sa.select(sa.func.count().label("pinned")).where(*_IN_THREAD, _M.pinned)
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


@attrs.frozen
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
        return (await self._of_thread(_TAIL, thread_id, limit))[::-1]

    async def page(
        self,
        thread_id: ThreadId,
        *,
        after: int = -1,
        below: int | None = None,
        limit: int,
        newest_first: bool = False,
    ) -> tuple[StoredMessage, ...]:
        select = _NEWEST_FIRST if newest_first else _OLDEST_FIRST
        end = _END if below is None else min(below, _END)
        return await self._of_thread(select, thread_id, limit, after=min(max(after, -1), _END), below=end)

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

    async def pin(self, message_ids: Sequence[MessageId], *, pinned: bool) -> None:
        ids = [key for each in message_ids if (key := canonical(each)) is not None]
        if ids:
            await self._scope.change(_PIN, MESSAGES, {"of_ids": ids, "is_pinned": pinned})

    async def count_pinned(self, thread_id: ThreadId) -> int:
        key = canonical(thread_id)
        if key is None:
            return 0
        parameters = {"thread_id": key, "oldest": oldest_message(key)}
        (row,) = await self._scope.rows(_PINNED, MESSAGES, parameters)
        return int(row["pinned"])

    async def note_token_counts(self, counts: Mapping[MessageId, int]) -> None:
        known = {key: count for each, count in counts.items() if (key := canonical(each)) is not None}
        if known:
            counted = sa.case(
                *[(_M.id == key, sa.literal(count, sa.BigInteger)) for key, count in known.items()]
            )
            await self._scope.change(_COUNT.values(token_count=counted), MESSAGES, {"of_ids": list(known)})

    async def _of_thread(
        self, select: sa.Select[Any], thread_id: ThreadId, limit: int, **bounds: int
    ) -> tuple[StoredMessage, ...]:
        key = canonical(thread_id)
        if key is None or limit <= 0:
            return ()
        parameters = {"thread_id": key, "oldest": oldest_message(key), "limit": limit, **bounds}
        return tuple([message_of(row) for row in await self._scope.rows(select, MESSAGES, parameters)])


def _portions(messages: Sequence[StoredMessage]) -> Iterator[Sequence[StoredMessage]]:
    rest = iter(messages)
    while portion := tuple(islice(rest, PORTION)):
        yield portion


def _position_of(stored: StoredMessage) -> int:
    if stored.position is None:
        raise ValueError(f"message `{stored.id}` has no position")
    return stored.position
