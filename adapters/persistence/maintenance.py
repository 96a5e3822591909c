"""Partitions ahead and retention behind, of PostgreSQL and SQLite."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import attrs
import sqlalchemy as sa

from adapters.persistence import partitions, pruning, rights
from adapters.persistence.batch_writer import BatchFailure
from adapters.persistence.engine import Database
from adapters.persistence.months import Month
from adapters.persistence.partitions import KEYS, TooManyToMove
from adapters.persistence.portions import Portions
from application.ports.maintenance import PartitionState, PruneReport, Retention, TableRights
from domain.errors import StorageUnavailable

MOST_MOVED: Final = 20_000
"""Rows out of the default partition while chats wait: about 0.2 s."""
_UPGRADE: Final = "lor3 db upgrade"


@attrs.frozen(kw_only=True)
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
        with self._portions() as portions:
            for table in KEYS:
                months = await portions.run(
                    partial(_missing, table=table), doing="look at tables", command=_UPGRADE
                )
                for month in months:
                    work = partial(_make, table=table, month=month, most_moved=most_moved)
                    try:
                        name = await portions.run(work, doing="create tables", command=_UPGRADE)
                    except TooManyToMove:
                        raise StorageUnavailable(
                            f"more than {most_moved:,} rows of {month.name} lie in {table}_default: "
                            f"run `{_UPGRADE}`, which moves them while chats wait"
                        ) from None
                    made += [name] if name else []
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
        finally:
            engine.dispose()


def _now(connection: sa.Connection) -> Month:
    return Month.of(connection.execute(sa.select(sa.func.now())).scalar_one())


def _missing(connection: sa.Connection, table: str) -> tuple[Month, ...]:
    """Nothing where the schema is from before there were any."""
    parts = partitions.partitions_of(connection, table)
    return partitions.missing(parts, _now(connection)) if parts else ()


def _make(connection: sa.Connection, table: str, month: Month, most_moved: int | None) -> str | None:
    """None where another replica was faster."""
    if month not in _missing(connection, table):
        return None
    return partitions.make(connection, table, month, most_moved=most_moved)


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
        in_default=sum(part.rows for part in parts["messages"] if part.is_default),
    )
