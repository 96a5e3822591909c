"""What of a store may go: found and removed in portions, each a transaction of its own.

Each function does one portion on a connection that is in a transaction and sees all tenants.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from adapters.persistence.among import among
from adapters.persistence.months import first_id_at
from adapters.persistence.tables import (
    ATTEMPTS,
    BUDGET_COUNTERS,
    BUDGET_HOLDS,
    FEEDBACK_CHANGES,
    IDEMPOTENCY_KEYS,
    MESSAGES,
    SESSIONS,
    THREADS,
)

Key: TypeAlias = tuple[str, str]
"""An id and its tenant."""
IdRange: TypeAlias = tuple[str, str]
"""From the first id up to, and without, the second."""

BEGINNING: Final = "00000000-0000-0000-0000-000000000000"
"""Where a walk by id begins."""

_M: Final = MESSAGES.c
_T: Final = THREADS.c
_S: Final = SESSIONS.c
_K: Final = IDEMPOTENCY_KEYS.c
_HAS_MESSAGES: Final = sa.exists().where(_M.thread_id == _T.id, _M.tenant == _T.tenant)
_HAS_THREADS: Final = sa.exists().where(_T.session_id == _S.id, _T.tenant == _S.tenant)


def old_messages(
    connection: sa.Connection,
    *,
    before: datetime.datetime,
    after: str,
    limit: int,
    table: sa.FromClause = MESSAGES,
) -> list[Key]:
    """Those older than `before`, by id, from the one behind `after`.

    Args:
        table: `messages`, or a partition of it.
    """
    m = table.c
    found = connection.execute(
        sa.select(m.id, m.tenant).where(m.id > after, _is_old(table, before)).order_by(m.id).limit(limit)
    )
    return [(row.id, row.tenant) for row in found]


def count_old(
    connection: sa.Connection,
    *,
    before: datetime.datetime,
    deleted_before: datetime.datetime | None,
    table: sa.FromClause = MESSAGES,
) -> int:
    """Those older than `before`, without those of threads that were deleted before that other time.

    Args:
        table: `messages`, or a partition of it.
    """
    old = sa.select(sa.func.count()).select_from(table).where(_is_old(table, before))
    if deleted_before is not None:
        is_of_deleted = sa.exists().where(
            _T.id == table.c.thread_id, _T.tenant == table.c.tenant, _T.deleted_at < deleted_before
        )
        old = old.where(~is_of_deleted)
    return connection.scalar(old) or 0


def delete_messages(connection: sa.Connection, keys: Iterable[Key]) -> int:
    """With their attempts and the history of their feedback; how many messages that were."""
    keys = list(keys)
    # Messages first: whoever rates one of them holds its row, and has written the history when that is let go.
    count = _delete(connection, MESSAGES, _M.id, keys)
    for table in (ATTEMPTS, FEEDBACK_CHANGES):
        delete_of(connection, keys, table=table)
    return count


def delete_of(connection: sa.Connection, keys: Iterable[Key], *, table: sa.Table) -> int:
    """What a table holds of messages; how many rows that were."""
    return _delete(connection, table, table.c.message_id, keys)


def left_behind(
    connection: sa.Connection, table: sa.Table, *, ids: IdRange, after: str, limit: int
) -> list[Key]:
    """Messages in a range that are gone and still have rows in `table`, by id, from the one behind `after`."""
    first, end = ids
    of, tenant = table.c.message_id, table.c.tenant
    # The bounds once more: so no month need be looked into but those of the range.
    is_message = sa.exists().where(_M.id == of, _M.tenant == tenant, _M.id >= first, _M.id < end)
    found = connection.execute(
        sa.select(of.label("id"), tenant)
        .where(of >= first, of < end, of > after, ~is_message)
        .distinct()
        .order_by(of)
        .limit(limit)
    )
    return [(row.id, row.tenant) for row in found]


def deleted_threads(connection: sa.Connection, *, before: datetime.datetime, limit: int) -> list[Key]:
    """Those that were deleted before this."""
    found = connection.execute(
        sa.select(_T.id, _T.tenant).where(_T.deleted_at < before).order_by(_T.deleted_at).limit(limit)
    )
    return [(row.id, row.tenant) for row in found]


def messages_of(connection: sa.Connection, thread: Key, *, limit: int) -> list[Key]:
    found = connection.execute(
        sa.select(_M.id, _M.tenant).where(_M.thread_id == thread[0], _M.tenant == thread[1]).limit(limit)
    )
    return [(row.id, row.tenant) for row in found]


def delete_thread(connection: sa.Connection, thread: Key) -> int:
    """With its summary, the answers kept for its idempotency keys, what its budgets have spent, and messages written at
    the last moment."""
    connection.execute(_locked(THREADS, [thread]))
    while late := messages_of(connection, thread, limit=1000):
        delete_messages(connection, late)
    connection.execute(sa.delete(IDEMPOTENCY_KEYS).where(_K.thread_id == thread[0], _K.tenant == thread[1]))
    removed = connection.execute(
        sa.delete(THREADS).where(_T.tenant == thread[1], _T.id == thread[0], _T.deleted_at.is_not(None))
    ).rowcount
    if removed:
        _forget_budgets(connection, [thread])
    return removed


def empty_threads(
    connection: sa.Connection, *, before: datetime.datetime, after: str, limit: int
) -> list[Key]:
    """Those not written to since `before` that hold no message, by id, from the one behind `after`."""
    found = connection.execute(
        sa.select(_T.id, _T.tenant)
        .where(_T.id > after, _T.updated_at < before, ~_HAS_MESSAGES)
        .order_by(_T.id)
        .limit(limit)
    )
    return [(row.id, row.tenant) for row in found]


def delete_empty_threads(connection: sa.Connection, keys: Sequence[Key], *, before: datetime.datetime) -> int:
    # Locked first, then looked at again: a chat that continues one of them meanwhile keeps it.
    connection.execute(_locked(THREADS, keys))
    removed = [
        (row.id, tenant)
        for tenant, ids in _by_tenant(keys).items()
        for row in connection.execute(
            sa.delete(THREADS)
            .where(
                _T.tenant == tenant,
                among(connection.dialect.name, _T.id, ids),
                _T.updated_at < before,
                ~_HAS_MESSAGES,
            )
            .returning(_T.id)
        )
    ]
    _forget_budgets(connection, removed)
    return len(removed)


def empty_sessions(
    connection: sa.Connection, *, before: datetime.datetime, after: str, limit: int
) -> list[Key]:
    """Those older than `before` that hold no thread, by id, from the one behind `after`."""
    found = connection.execute(
        sa.select(_S.id, _S.tenant)
        .where(_S.id > after, _S.created_at < before, ~_HAS_THREADS)
        .order_by(_S.id)
        .limit(limit)
    )
    return [(row.id, row.tenant) for row in found]


def delete_empty_sessions(connection: sa.Connection, keys: Sequence[Key]) -> int:
    # Locked first: a thread that is begun in one of them meanwhile would go with it, by the foreign key.
    connection.execute(_locked(SESSIONS, keys))
    return sum(
        connection.execute(
            sa.delete(SESSIONS).where(
                _S.tenant == tenant, among(connection.dialect.name, _S.id, ids), ~_HAS_THREADS
            )
        ).rowcount
        for tenant, ids in _by_tenant(keys).items()
    )


def delete_keys(connection: sa.Connection, *, before: datetime.datetime, limit: int) -> int:
    """Idempotency keys whose time was over before this."""
    found = connection.execute(
        sa.select(_K.key, _K.tenant).where(_K.expires_at < before).order_by(_K.expires_at).limit(limit)
    )
    return sum(
        connection.execute(
            sa.delete(IDEMPOTENCY_KEYS).where(
                _K.tenant == tenant, among(connection.dialect.name, _K.key, keys), _K.expires_at < before
            )
        ).rowcount
        for tenant, keys in _by_tenant((row.key, row.tenant) for row in found).items()
    )


def would_go(
    connection: sa.Connection,
    *,
    before: datetime.datetime,
    deleted_before: datetime.datetime | None,
    whole: Sequence[IdRange] = (),
) -> Mapping[str, int]:
    """How many threads and sessions nothing is in that stays.

    Threads that were deleted before that other time are as good as gone, and not among them.

    Args:
        whole: the ids of months that go whatever is in them.
    """
    stays = sa.true() if deleted_before is None else sa.func.coalesce(_T.deleted_at >= deleted_before, True)
    newer = sa.exists().where(
        _M.thread_id == _T.id, _M.tenant == _T.tenant, ~_is_old(MESSAGES, before), _is_in_none(whole)
    )
    alive = sa.exists().where(
        _T.session_id == _S.id, _T.tenant == _S.tenant, stays, sa.or_(_T.updated_at >= before, newer)
    )
    threads = sa.select(sa.func.count()).select_from(THREADS).where(_T.updated_at < before, stays, ~newer)
    sessions = sa.select(sa.func.count()).select_from(SESSIONS).where(_S.created_at < before, ~alive)
    return {"threads": connection.scalar(threads) or 0, "sessions": connection.scalar(sessions) or 0}


def count_deleted(
    connection: sa.Connection, *, before: datetime.datetime, but: Sequence[IdRange] = ()
) -> Mapping[str, int]:
    """How many threads were deleted before this, and how many messages are in them.

    Args:
        but: the ids of messages that are counted elsewhere.
    """
    deleted = _T.deleted_at < before
    threads = sa.select(sa.func.count()).select_from(THREADS).where(deleted)
    messages = (
        sa.select(sa.func.count())
        .select_from(THREADS)
        .join(MESSAGES, sa.and_(_M.thread_id == _T.id, _M.tenant == _T.tenant))
        .where(deleted, _is_in_none(but))
    )
    return {"threads": connection.scalar(threads) or 0, "messages": connection.scalar(messages) or 0}


def count_keys(connection: sa.Connection, *, before: datetime.datetime) -> int:
    expired = sa.select(sa.func.count()).select_from(IDEMPOTENCY_KEYS).where(_K.expires_at < before)
    return connection.scalar(expired) or 0


def _is_old(table: sa.FromClause, before: datetime.datetime) -> sa.ColumnElement[bool]:
    """By the time that it bears, and by its id too: what a fork copied bears an older time, and stays."""
    m = table.c
    # An id that is no UUIDv7 says nothing of its time.
    return sa.and_(
        m.created_at < before,
        sa.or_(m.id < first_id_at(before), sa.func.substr(sa.cast(m.id, sa.Text), 15, 1) != sa.literal("7")),
    )


def _is_in_none(ranges: Sequence[IdRange]) -> sa.ColumnElement[bool]:
    return sa.and_(sa.true(), *(sa.or_(_M.id < first, _M.id >= end) for first, end in ranges))


def _delete(connection: sa.Connection, table: sa.Table, column: sa.Column[Any], keys: Iterable[Key]) -> int:
    return sum(
        connection.execute(
            sa.delete(table).where(table.c.tenant == tenant, among(connection.dialect.name, column, ids))
        ).rowcount
        for tenant, ids in _by_tenant(keys).items()
    )


def _forget_budgets(connection: sa.Connection, threads: Iterable[Key]) -> None:
    """What threads have spent that are gone. Counters first: whoever writes a hold has locked its counter."""
    threads = sorted(threads)
    for table in (BUDGET_COUNTERS, BUDGET_HOLDS):
        for thread_id, tenant in threads:
            connection.execute(
                sa.delete(table).where(
                    table.c.subject_id == thread_id, table.c.tenant == tenant, table.c.subject == "thread"
                )
            )


def _locked(table: sa.Table, keys: Sequence[Key]) -> sa.Select[Any]:
    """In order, so that two never wait for each other in a circle."""
    return (
        sa.select(table.c.id)
        .where(sa.tuple_(table.c.id, table.c.tenant).in_(keys))
        .order_by(table.c.id)
        .with_for_update()
    )


def _by_tenant(keys: Iterable[Key]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for each, tenant in keys:
        grouped.setdefault(tenant, []).append(each)
    return grouped
