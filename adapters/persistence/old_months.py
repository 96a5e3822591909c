"""Which messages may go for their age: whole months of PostgreSQL, the others one by one; and what months leave."""

import datetime
from collections.abc import Sequence

import sqlalchemy as sa

from adapters.persistence import partitions
from adapters.persistence.months import Month
from adapters.persistence.partitions import Partition
from adapters.persistence.retention import BEGINNING, IdRange, Key
from adapters.persistence.tables import MESSAGES
from domain.values import frozen


@frozen(kw_only=True)
class WholeMonth:
    """A partition of `messages` that holds nothing but what may go."""

    name: str
    ids: IdRange
    messages: int
    is_estimated: bool
    """Whether that is as of the last time PostgreSQL counted; else of now."""


@frozen(kw_only=True)
class OldMessages:
    """Where messages lie that may go."""

    before: datetime.datetime
    """On PostgreSQL the beginning of a month, as months go as a whole."""
    whole: tuple[WholeMonth, ...] = ()
    mixed: tuple[sa.FromClause, ...]
    """Whose rows have to be looked at one by one."""

    @property
    def whole_ids(self) -> tuple[IdRange, ...]:
        return tuple(month.ids for month in self.whole)

    @classmethod
    def of(cls, connection: sa.Connection, cut_off: datetime.datetime) -> "OldMessages":
        if connection.dialect.name != "postgresql":
            return cls(before=cut_off, mixed=(MESSAGES,))
        month = Month.of(cut_off)
        whole: list[WholeMonth] = []
        mixed: list[sa.FromClause] = []
        for part in partitions.partitions_of(connection, "messages"):
            if part.end is not None and part.end <= month.first_id:
                whole.append(_counted(connection, part, part.end))
            elif part.is_default or (part.first or BEGINNING) < month.first_id:
                mixed.append(_table(part.name))
        return cls(before=month.start, whole=tuple(whole), mixed=tuple(mixed))


def drop(connection: sa.Connection, month: WholeMonth) -> bool:
    """With the attempts that have partitions of their own for this time; False where somebody else was faster."""
    there = partitions.partitions_of(connection, "messages")
    if not any((part.name, part.end) == (month.name, month.ids[1]) for part in there):
        return False
    first, end = month.ids
    attempts = [
        part.name
        for part in partitions.partitions_of(connection, "attempts")
        if part.end is not None and first <= (part.first or BEGINNING) and part.end <= end
    ]
    for name in (*attempts, month.name):
        connection.exec_driver_sql(f'DROP TABLE "{name}"')
    return True


def gone(connection: sa.Connection, before: datetime.datetime) -> tuple[IdRange, ...]:
    """The ids of PostgreSQL's months that are no more: what is left of those times lies in the default partition."""
    if connection.dialect.name != "postgresql":
        return ()
    end = Month.of(before).first_id
    found: list[IdRange] = []
    reached = BEGINNING
    for part in partitions.partitions_of(connection, "messages"):
        first = part.first or BEGINNING
        if part.end is None or first >= end:
            break
        if first > reached:
            found.append((reached, first))
        reached = part.end
    if reached < end:
        found.append((reached, end))
    return tuple(found)


def is_there(connection: sa.Connection, table: sa.FromClause) -> bool:
    """False for a partition that somebody dropped since it was listed."""
    if connection.dialect.name != "postgresql":
        return True
    there = sa.select(sa.func.to_regclass(f'"{table.description}"').is_not(None))
    return bool(connection.scalar(there))


def in_none(keys: Sequence[Key], ranges: Sequence[IdRange]) -> int:
    """How many have their ids in none of the ranges."""
    return sum(not any(first <= key[0] < end for first, end in ranges) for key in keys)


def _counted(connection: sa.Connection, part: Partition, end: str) -> WholeMonth:
    ids = (part.first or BEGINNING, end)
    if part.rows:
        return WholeMonth(name=part.name, ids=ids, messages=part.rows, is_estimated=True)
    # PostgreSQL counts by itself where there are more than some: what it never counted is soon counted here.
    count = connection.scalar(sa.select(sa.func.count()).select_from(_table(part.name))) or 0
    return WholeMonth(name=part.name, ids=ids, messages=count, is_estimated=False)


def _table(name: str) -> sa.FromClause:
    return sa.table(name, *(sa.column(column.name, column.type) for column in MESSAGES.columns))
