"""API keys in SQL: the one table that is read without knowing whose rows are looked for."""

import datetime
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import sqlalchemy as sa

from adapters.persistence.async_engine import AsyncEngine
from adapters.persistence.batch_writer import BatchFailure
from adapters.persistence.column_types import Timestamp
from adapters.persistence.departures import Departures
from adapters.persistence.engine import Database
from adapters.persistence.failures import translated, unavailable
from adapters.persistence.held_file import FILE_GONE
from adapters.persistence.identifiers import canonical
from adapters.persistence.key_rows import key_of, key_row
from adapters.persistence.scope import Scope
from adapters.persistence.tables import API_KEYS
from adapters.persistence.transaction import Transaction
from application.ports.key_store import KeyChanges
from domain.access import ApiKey
from domain.clean_text import clean
from domain.errors import Conflict, NotFound
from domain.ids import Tenant
from domain.values import frozen

_ROUND_TRIP_S: Final = 1.0
"""On top of the server's own limit, before a silent server counts as gone."""
_OVERLAP: Final = datetime.timedelta(seconds=10)
"""Longer than a transaction that writes a key lasts: what it commits late is read by a later look."""
_LONG_OVER: Final = datetime.timedelta(days=1)
_LOCK: Final = "api keys"

_K: Final = API_KEYS.c
_ALL: Final[sa.Select[Any]] = sa.select(API_KEYS).order_by(_K.tenant, _K.name, _K.id)
_IS_NOT_LONG_OVER: Final = sa.and_(
    sa.or_(_K.revoked_at.is_(None), _K.revoked_at > sa.bindparam("over", type_=Timestamp)),
    sa.or_(_K.expires_at.is_(None), _K.expires_at > sa.bindparam("over", type_=Timestamp)),
)
_IS_NEW: Final = _K.changed_at >= sa.bindparam("since", type_=Timestamp)
_COUNT: Final = sa.select(sa.func.count().label("count")).select_from(API_KEYS)


@frozen(kw_only=True)
class SQLKeyStore:
    _database: Database
    _engine: Callable[[], AsyncEngine]
    _departures: Departures

    async def now(self) -> datetime.datetime:
        async with self._transaction() as transaction:
            await transaction.see(None)
            return await _now(transaction)

    async def changes(self, since: str | None) -> KeyChanges:
        if self._database.held.is_gone():
            raise unavailable(FILE_GONE)
        if self._is_missing():  # its clock is this machine's
            if since:
                raise unavailable("the database file is gone: put it back, or restart lor3")
            return KeyChanges(
                keys=(), any_exist=False, mark="", now=datetime.datetime.now(datetime.UTC), is_whole=True
            )
        async with self._transaction() as transaction:
            await transaction.see(None)
            now = await _now(transaction)
            count: int = (await transaction.execute(_COUNT, {})).scalar_one()
            marked_at, counted = _read_mark(since) if since else (None, 0)
            is_whole = marked_at is None or count < counted
            if is_whole or marked_at is None:
                statement, given = _ALL.where(_IS_NOT_LONG_OVER), {"over": now - _LONG_OVER}
            else:
                # The earlier of the two, so that a clock that was set back hides nothing.
                statement, given = _ALL.where(_IS_NEW), {"since": min(marked_at, now) - _OVERLAP}
            rows = (await transaction.execute(statement, given)).mappings().all()
        return KeyChanges(
            keys=tuple(key_of(dict(row)) for row in rows),
            any_exist=count > 0,
            mark=f"{now.isoformat()} {count}",
            now=now,
            is_whole=is_whole,
        )

    async def add(self, key: ApiKey) -> None:
        async with self._transaction() as transaction:
            await _add(transaction, key)
            await transaction.commit()

    async def replace(self, key_id: str, successor: ApiKey, *, after_s: float = 0.0) -> datetime.datetime:
        async with self._transaction() as transaction:
            await Scope(transaction, successor.tenant).lock(_LOCK)
            row_id = canonical(key_id)
            found = await _rows(transaction, _ALL.where(_K.id == row_id, _K.tenant == successor.tenant))
            if row_id is None or not found:
                raise NotFound("there is no such key; `lor3 key list` shows those there are")
            if found[0].revoked_at is not None:
                raise Conflict(f"the key `{found[0].name}` is revoked already: make a new one")
            over_at = await _revoke(transaction, [row_id], after_s)
            await _add(transaction, successor)
            await transaction.commit()
            return over_at

    async def list(self, *, tenant: Tenant | None = None, with_revoked: bool = False) -> tuple[ApiKey, ...]:
        self._demand_file()
        async with self._transaction() as transaction:
            await transaction.see(tenant)
            statement = _ALL if tenant is None else _ALL.where(_K.tenant == clean(tenant))
            if not with_revoked:
                now = await _now(transaction)
                statement = statement.where(sa.or_(_K.revoked_at.is_(None), _K.revoked_at > now))
            return await _rows(transaction, statement)

    async def find(self, name: str, *, tenant: Tenant | None) -> ApiKey | None:
        self._demand_file()
        async with self._transaction() as transaction:
            await transaction.see(tenant)
            row_id = canonical(name)
            if row_id is not None:
                statement = _ALL.where(_K.id == row_id)
            else:
                statement = _ALL.where(_K.name == clean(name), _K.revoked_at.is_(None))
            if tenant is not None:
                statement = statement.where(_K.tenant == clean(tenant))
            found = await _rows(transaction, statement)
            return found[0] if found else None

    async def revoke(self, key_ids: Sequence[str], *, after_s: float = 0.0) -> datetime.datetime:
        self._demand_file()
        async with self._transaction() as transaction:
            await transaction.begin(None)
            ids = [row_id for key_id in key_ids if (row_id := canonical(key_id)) is not None]
            over_at = await _revoke(transaction, ids, after_s)
            await transaction.commit()
            return over_at

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        connection = self._engine().connect()
        with translated():
            await connection.start()
        limit_s = self._database.config.statement_timeout_s
        transaction = Transaction(
            connection=connection, statement_timeout_s=limit_s, limit_s=limit_s + _ROUND_TRIP_S
        )
        try:
            yield transaction
        finally:
            await self._departures.leave(transaction)

    def _is_missing(self) -> bool:
        try:
            return self._database.is_missing()
        except BatchFailure as failure:
            raise unavailable(failure.told) from failure

    def _demand_file(self) -> None:
        """Opening a file of SQLite that is not there would make it, empty."""
        if self._is_missing():
            raise unavailable(
                f"there is no database yet ({self._database.place}): `lor3 key create` makes it, with a first key"
            )


async def _now(transaction: Transaction) -> datetime.datetime:
    """The database's own clock. Not the transaction's start: it may have waited."""
    if transaction.database == "postgresql":
        clock = sa.literal_column("clock_timestamp()", Timestamp)
    else:
        clock = sa.literal_column("strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now')", Timestamp)
    result = await transaction.execute(sa.select(clock), {})
    moment: datetime.datetime = result.scalar_one()
    return moment


async def _rows(transaction: Transaction, statement: sa.Select[Any]) -> tuple[ApiKey, ...]:
    result = await transaction.execute(statement, {})
    return tuple(key_of(dict(row)) for row in result.mappings())


async def _add(transaction: Transaction, key: ApiKey) -> None:
    # One after the other: no index says that a name is free, as a key that was rotated keeps it for a while.
    await Scope(transaction, key.tenant).lock(_LOCK)
    is_taken = _ALL.where(_K.tenant == clean(key.tenant), _K.name == clean(key.name), _K.revoked_at.is_(None))
    if await _rows(transaction, is_taken.limit(1)):
        raise Conflict(
            f"there is a key `{key.name}` already: take another name, or rotate or revoke that one"
        )
    row = key_row(key, changed_at=await _now(transaction))
    await transaction.execute(sa.insert(API_KEYS), [clean(row)])


async def _revoke(transaction: Transaction, ids: Sequence[str], after_s: float) -> datetime.datetime:
    now = await _now(transaction)
    over_at = now + datetime.timedelta(seconds=after_s)
    is_later = sa.or_(_K.revoked_at.is_(None), _K.revoked_at > over_at)
    await transaction.execute(
        sa.update(API_KEYS).where(_K.id.in_(ids), is_later).values(revoked_at=over_at, changed_at=now), {}
    )
    return over_at


def _read_mark(mark: str) -> tuple[datetime.datetime, int]:
    moment, _, count = mark.partition(" ")
    return datetime.datetime.fromisoformat(moment), int(count)
