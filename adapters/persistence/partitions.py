# ruff: noqa: S608 - the statements are made of names of tables and months alone
"""The months that `messages` and `attempts` are divided into on PostgreSQL.

What belongs to no month (an id that is no UUIDv7, a month that nobody made in time) lies in a default partition.
https://www.postgresql.org/docs/current/ddl-partitioning.html
"""

import datetime
import re
from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from adapters.persistence import tenancy
from adapters.persistence.months import Month
from domain.values import frozen

KEYS: Final = {"messages": "id", "attempts": "message_id"}
"""The tables that are divided, each with the column it is divided by."""
AHEAD: Final = 3
"""Months that are made beside the one that is."""

_PARTITIONS: Final = sa.text(
    "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound, c.reltuples "
    "FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(:name)"
)
_BOUND: Final = re.compile(r"FOR VALUES FROM \((?:MINVALUE|'([0-9a-f-]{36})')\) TO \('([0-9a-f-]{36})'\)\Z")
_UNSECURED: Final = sa.text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class t ON t.oid = i.inhparent "
    "WHERE i.inhparent = to_regclass(:name) AND t.relrowsecurity AND c.relkind IN ('r', 'p') "
    "AND NOT (c.relrowsecurity AND c.relforcerowsecurity "
    "AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)) ORDER BY 1"
)
_OWNERS: Final = sa.text(
    "SELECT quote_ident(pg_get_userbyid(relowner)), relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) "
    "FROM pg_class WHERE oid = to_regclass(:name)"
)
_EXISTS: Final = sa.text("SELECT to_regclass(quote_ident(:name)) IS NOT NULL")
_NO_ID: Final = "00000000-0000-0000-0000-000000000000"
_ROW_SECURITY: Final = sa.text("SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass(:name)")


@frozen(kw_only=True)
class Partition:
    """A part of a table: of ids from `first` up to, and without, `end`."""

    name: str
    first: str | None = None
    """None is the beginning of time."""
    end: str | None = None
    """None is the default partition, of whatever no other one takes."""
    rows: int = 0
    """Estimated, as of the last time PostgreSQL counted."""

    @property
    def is_default(self) -> bool:
        return self.end is None

    def holds(self, month: Month) -> bool:
        return (
            self.end is not None and (self.first or "") <= month.first_id and month.next.first_id <= self.end
        )


class NameTaken(Exception):
    """A table that is no partition has the name that one needs."""


class TooManyToMove(Exception):
    """More rows of the month lie in the default partition than chats should wait for."""


def partitions_of(connection: sa.Connection, table: str) -> tuple[Partition, ...]:
    """Oldest first, the default one at the end."""
    found: list[Partition] = []
    for name, bound, rows in connection.execute(_PARTITIONS, {"name": table}):
        if bound == "DEFAULT":
            found.append(Partition(name=name, rows=max(0, round(rows))))
        elif match := _BOUND.match(bound):
            found.append(Partition(name=name, first=match[1], end=match[2], rows=max(0, round(rows))))
    return tuple(sorted(found, key=lambda partition: (partition.is_default, partition.end or "")))


def missing(partitions: Sequence[Partition], now: Month) -> tuple[Month, ...]:
    """Of this month and those to come the ones that no partition holds."""
    return tuple(
        month
        for month in now.and_following(AHEAD)
        if not any(partition.holds(month) for partition in partitions)
    )


def oldest_month_in_default(
    connection: sa.Connection, table: str, partitions: Sequence[Partition], now: Month, after: Month | None
) -> Month | None:
    """Of the months before this one the first that has rows in the default partition, and no partition yet.

    Args:
        after: a month up to which they were looked at.
    """
    default = next((partition.name for partition in partitions if partition.is_default), None)
    key = KEYS[table]
    while default is not None:
        first = connection.exec_driver_sql(
            # Of the index; other ids than UUIDv7 are of no month.
            f"SELECT {key}::text FROM \"{default}\" WHERE {key} < '{now.first_id}' "
            f"AND {key} >= '{after.next.first_id if after else _NO_ID}' AND substr({key}::text, 15, 1) = '7' "
            f"ORDER BY {key} LIMIT 1"
        ).scalar()
        if first is None:
            return None
        milliseconds = int(first[:8] + first[9:13], 16)
        month = Month.of(datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC))
        if not any(partition.holds(month) for partition in partitions):
            return month
        after = month
    return None


def unsecured(connection: sa.Connection, table: str) -> tuple[str, ...]:
    """Partitions without row security, though the table has it: made by hand."""
    return tuple(connection.scalars(_UNSECURED, {"name": table}))


def secure(connection: sa.Connection, partition: str) -> None:
    connection.exec_driver_sql(f'DROP POLICY IF EXISTS {tenancy.POLICY} ON "{partition}"')
    for statement in tenancy.secure(partition):
        connection.exec_driver_sql(statement)


def reach(partitions: Sequence[Partition], now: Month) -> Month | None:
    """The last month up to which, from this one on, each has its partition; None where this one has none."""
    last = None
    month = now
    while any(partition.holds(month) for partition in partitions):
        last, month = month, month.next
    return last


def make(connection: sa.Connection, table: str, month: Month, *, most_moved: int | None) -> str:
    """Makes a month's partition, and moves to it what of that month lies in the default one; returns its name.

    It is made beside the table and attached: so the table itself is not locked against reading and writing, only
    its default partition is, for as long as it takes to look through that.

    Args:
        most_moved: rows that may have to be moved; None where all may wait.

    Raises:
        NameTaken, TooManyToMove: nothing was done.
        sqlalchemy.exc.SQLAlchemyError: as the driver says.
    """
    key, name = KEYS[table], f"{table}_{month.name}"
    first, end = month.first_id, month.next.first_id
    run = connection.exec_driver_sql
    if table == "messages":
        # The foreign key of the new partition wants it. First of all, as chats lock it before messages.
        run("LOCK TABLE threads IN SHARE ROW EXCLUSIVE MODE")
    default = _default(connection, table)
    run(f'LOCK TABLE "{default}" IN ACCESS EXCLUSIVE MODE')
    is_theirs = f"{key} >= '{first}' AND {key} < '{end}'"
    if most_moved is not None:
        count = run(
            f'SELECT count(*) FROM (SELECT FROM "{default}" WHERE {is_theirs} LIMIT {most_moved + 1}) s'
        )
        if int(count.scalar_one()) > most_moved:
            raise TooManyToMove
    _demand_free(connection, name)
    run(f'CREATE TABLE "{name}" (LIKE "{table}" INCLUDING DEFAULTS INCLUDING CONSTRAINTS)')
    # Said beforehand, so that attaching need not read what was moved.
    run(f'ALTER TABLE "{name}" ADD CONSTRAINT ck_month CHECK ({is_theirs})')
    run(
        f'WITH moved AS (DELETE FROM "{default}" WHERE {is_theirs} RETURNING *) '
        f'INSERT INTO "{name}" SELECT * FROM moved'
    )
    run(f"ALTER TABLE \"{table}\" ATTACH PARTITION \"{name}\" FOR VALUES FROM ('{first}') TO ('{end}')")
    run(f'ALTER TABLE "{name}" DROP CONSTRAINT ck_month')
    _finish(connection, table, name)
    return name


def _default(connection: sa.Connection, table: str) -> str:
    """Its name; made where somebody dropped it."""
    for partition in partitions_of(connection, table):
        if partition.is_default:
            return partition.name
    return make_default(connection, table)


def make_default(connection: sa.Connection, table: str) -> str:
    """
    Raises:
        NameTaken: nothing was done.
    """
    name = f"{table}_default"
    _demand_free(connection, name)
    connection.exec_driver_sql(
        f'CREATE TABLE "{name}" (LIKE "{table}" INCLUDING DEFAULTS INCLUDING CONSTRAINTS)'
    )
    connection.exec_driver_sql(f'ALTER TABLE "{table}" ATTACH PARTITION "{name}" DEFAULT')
    _finish(connection, table, name)
    return name


def _demand_free(connection: sa.Connection, name: str) -> None:
    if connection.scalar(_EXISTS, {"name": name}):
        raise NameTaken(name)


def _finish(connection: sa.Connection, table: str, name: str) -> None:
    """Gives a new partition what it does not take over from its table."""
    if connection.scalar(_ROW_SECURITY, {"name": table}):
        secure(connection, name)
    owner, is_ours = connection.execute(_OWNERS, {"name": table}).one()
    if not is_ours:  # a superuser's, who made it: the owner must be able to drop it one day
        connection.exec_driver_sql(f'ALTER TABLE "{name}" OWNER TO {owner}')
