"""Partitions ahead and retention behind, of PostgreSQL and SQLite."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import sqlalchemy as sa

from adapters.persistence import partitions, pruning, rights
from adapters.persistence.batch_writer import BatchFailure
from adapters.persistence.engine import Database
from adapters.persistence.months import Month
from adapters.persistence.partitions import KEYS, NameTaken, TooManyToMove
from adapters.persistence.portions import Portions
from application.ports.maintenance import PartitionState, PruneReport, Retention, TableRights
from domain.errors import StorageUnavailable
from domain.values import frozen

MOST_MOVED: Final = 20_000
"""Rows out of the default partition while chats wait: about 0.2 s."""
MOST_PAST_MONTHS: Final = 24
"""Made in one pass of those whose rows lie in a default partition."""
_UPGRADE: Final = "lor3 db upgrade"


@frozen(kw_only=True)
class SQLMaintenance:
    _database: Database

    async def now(self) -> datetime.datetime:
        self._demand_file()
        with self._portions() as portions:
            return await portions.run(pruning.store_time)

    async def prune(self, retention: Retention, *, dry_run: bool = False) -> PruneReport:
        self._demand_file()
        with self._portions() as portions:
            return await (pruning.foretell if dry_run else pruning.prune)(retention, portions)

    async def prepare(self, *, most_moved: int | None = MOST_MOVED) -> tuple[str, ...]:
        """
        Args:
            most_moved: rows that lie in the default partition and may be moved while chats wait; None is any.
        """
        if self._database.kind != "postgresql":
            return ()
        made: list[str] = []
        full: list[str] = []
        with self._portions() as portions:
            looking = partial(portions.run, doing="look at tables", command=_UPGRADE)
            creating = partial(portions.run, doing="create or change tables", command=_UPGRADE)
            for table in KEYS:
                if await looking(partial(_lacks_default, table=table)):
                    made += await creating(partial(_make_default, table=table))
                for month in await looking(partial(_missing, table=table)):
                    work = partial(_make, table=table, month=month, most_moved=most_moved)
                    try:
                        made += await creating(work)
                    except TooManyToMove:
                        full.append(f"{table}_{month.name}")
                past: Month | None = None
                for _ in range(MOST_PAST_MONTHS):
                    past = await looking(partial(_oldest_in_default, table=table, after=past))
                    if past is None:
                        break
                    work = partial(_make_past, table=table, month=past, most_moved=most_moved)
                    try:
                        made += await creating(work)
                    except TooManyToMove:
                        full.append(f"{table}_{past.name}")
                if await looking(partial(partitions.unsecured, table=table)):
                    await creating(partial(_secure, table=table))
        if full:
            raise StorageUnavailable(
                f"more than {most_moved:,} rows each of {', '.join(full)} lie in default partitions: "
                f"run `{_UPGRADE}`, which moves them while chats wait"
            )
        return tuple(made)

    async def partitions(self) -> PartitionState | None:
        if self._database.kind != "postgresql":
            return None
        with self._portions() as portions:
            return await portions.run(_state, doing="look at tables", command="lor3 db check")

    def _demand_file(self) -> None:
        """Opening a file of SQLite that is not there would make it, empty."""
        try:
            is_missing = self._database.is_missing()
        except BatchFailure as failure:
            raise StorageUnavailable(f"{failure.reason} ({self._database.place})") from failure
        if is_missing:
            raise StorageUnavailable(
                f"there is no database yet ({self._database.place}): `lor3 serve` or `{_UPGRADE}` makes it"
            )

    async def lacking_rights(self) -> TableRights:
        if self._database.kind != "postgresql":
            return TableRights()
        with self._portions() as portions:
            return await portions.run(rights.lacking, doing="look at tables", command="lor3 db check")

    @contextmanager
    def _portions(self) -> Iterator[Portions]:
        engine = self._database.open_for_migration()
        try:
            yield Portions(database=self._database, engine=engine)
        except NameTaken as error:
            raise StorageUnavailable(
                f"a table that is no partition has the name `{error}`, which a partition needs: rename or drop it "
                f"({self._database.place})"
            ) from None
        finally:
            engine.dispose()


def _now(connection: sa.Connection) -> Month:
    return Month.of(connection.execute(sa.select(sa.func.now())).scalar_one())


def _missing(connection: sa.Connection, table: str) -> tuple[Month, ...]:
    """Nothing where the schema is from before there were any."""
    parts = partitions.partitions_of(connection, table)
    return partitions.missing(parts, _now(connection)) if parts else ()


def _make(connection: sa.Connection, table: str, month: Month, most_moved: int | None) -> tuple[str, ...]:
    """Nothing where another replica was faster."""
    if month not in _missing(connection, table):
        return ()
    return (partitions.make(connection, table, month, most_moved=most_moved),)


def _oldest_in_default(connection: sa.Connection, table: str, after: Month | None) -> Month | None:
    parts = partitions.partitions_of(connection, table)
    return partitions.oldest_month_in_default(connection, table, parts, _now(connection), after)


def _make_past(
    connection: sa.Connection, table: str, month: Month, most_moved: int | None
) -> tuple[str, ...]:
    if any(partition.holds(month) for partition in partitions.partitions_of(connection, table)):
        return ()
    return (partitions.make(connection, table, month, most_moved=most_moved),)


def _lacks_default(connection: sa.Connection, table: str) -> bool:
    parts = partitions.partitions_of(connection, table)
    return bool(parts) and not any(partition.is_default for partition in parts)


def _make_default(connection: sa.Connection, table: str) -> tuple[str, ...]:
    return (partitions.make_default(connection, table),) if _lacks_default(connection, table) else ()


def _secure(connection: sa.Connection, table: str) -> None:
    for partition in partitions.unsecured(connection, table):
        partitions.secure(connection, partition)


def _state(connection: sa.Connection) -> PartitionState | None:
    now = _now(connection)
    parts = {table: partitions.partitions_of(connection, table) for table in KEYS}
    if not all(parts.values()):
        return None
    reached = [month for each in parts.values() if (month := partitions.reach(each, now)) is not None]
    return PartitionState(
        reach=min(reached).next.start if len(reached) == len(parts) else None,
        missing=tuple(
            f"{table}_{month.name}"
            for table, each in parts.items()
            for month in partitions.missing(each, now)
        ),
        unsecured=tuple(name for table in KEYS for name in partitions.unsecured(connection, table)),
        in_default=sum(part.rows for part in parts["messages"] if part.is_default),
    )
