# ruff: noqa: S608 - the statements are made of the tables' own names, once, at import
"""Adds the log of what was used to the hours and the days, and empties it, in one transaction.

So each use is always in one place: in the log, or in both sums; whoever reads all of them in one statement counts it
once. Nobody but this writes the sums, one at a time, so that rows are never waited for in a circle.
"""

from decimal import Context, Decimal
from typing import Final

import sqlalchemy as sa

from adapters.persistence.usage_columns import DIMENSIONS, SUMS
from domain.latency import ANY_LATENCY, NO_LATENCY

PORTION: Final = 10_000
"""Rows of the log that PostgreSQL adds up at once: some 0.2 s."""
_DUE: Final = 1000
"""Rows of the log that SQLite lets come together: a chat in five hundred waits some 20 ms."""
_LOCK_KEY: Final = 0x6C6F7235
_EXACT: Final = Context(prec=200)

_KEY: Final = ("tenant", "kind", "start", *DIMENSIONS)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)


# An answer counts for its user too, whatever else it was, and however long it took.
_SAID_OF_USER: Final = {
    "user": '"user"',
    "latency_bucket": f"CASE WHEN latency_bucket = {NO_LATENCY} THEN {NO_LATENCY} ELSE {ANY_LATENCY} END",
    "latency_low_ms": "0",
    "latency_high_ms": "0",
}
_OF_USER: Final = ", ".join(f'{_SAID_OF_USER.get(name, chr(39) * 2)} AS "{name}"' for name in DIMENSIONS)
_REST: Final = (*SUMS, "latency_low_ms", "latency_high_ms", "cost_usd")
_REST_OF_USER: Final = ", ".join(f'{_SAID_OF_USER.get(name, name)} AS "{name}"' for name in _REST)


def _uses(source: str) -> str:
    of_answer = _names(DIMENSIONS).replace(
        '"user"', "CASE kind WHEN 'answer' THEN '' ELSE \"user\" END AS \"user\""
    )
    return (
        f"SELECT tenant, kind, at, {of_answer}, {_names(_REST)} FROM {source} "
        f"UNION ALL SELECT tenant, 'user', at, {_OF_USER}, {_REST_OF_USER} FROM {source} WHERE kind = 'answer'"
    )


def _upsert(table: str, source: str, *, start: str, total: str, both: str, least: str, most: str) -> str:
    sums = ", ".join(f'sum("{name}")' for name in SUMS)
    numbers = ", ".join(str(number) for number in range(1, len(_KEY) + 1))
    added = ", ".join(f'"{name}" = s."{name}" + excluded."{name}"' for name in SUMS)
    return (
        f"INSERT INTO {table} AS s ({_names(_KEY)}, {_names(SUMS)}, latency_low_ms, latency_high_ms, cost_usd, last_at) "
        f"SELECT tenant, kind, {start} AS start, {_names(DIMENSIONS)}, {sums}, "
        f"min(latency_low_ms), max(latency_high_ms), {total}(cost_usd), max(at) FROM {source} "
        f"WHERE true GROUP BY {numbers} ON CONFLICT ({_names(_KEY)}) DO UPDATE SET {added}, "
        f"latency_low_ms = {least}(s.latency_low_ms, excluded.latency_low_ms), "
        f"latency_high_ms = {most}(s.latency_high_ms, excluded.latency_high_ms), "
        f"cost_usd = {both.format('s.cost_usd', 'excluded.cost_usd')}, "
        f"last_at = {most}(s.last_at, excluded.last_at)"
    )


def _on_postgresql() -> str:
    hours, days = (
        _upsert(
            f"usage_{grain}s",
            "each",
            start=f"date_trunc('{grain}', at, 'UTC')",
            total="sum",
            both="{} + {}",
            least="least",
            most="greatest",
        )
        for grain in ("hour", "day")
    )
    return (
        # Whoever comes second finds nothing to do.
        f"WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock({_LOCK_KEY}) AS is_ours), "
        f"taken AS (DELETE FROM usage_log WHERE (SELECT is_ours FROM turn) "
        f"AND ctid = ANY (ARRAY(SELECT ctid FROM usage_log LIMIT $1::bigint)) RETURNING *), "
        f"each AS MATERIALIZED ({_uses('taken')}), hours AS ({hours}), days AS ({days}) "
        f"SELECT count(*)::text FROM taken"
    )


ON_POSTGRESQL: Final = _on_postgresql()
"""Its parameter is how many rows of the log at most; it returns how many it was. It is to see all tenants."""

_ON_SQLITE: Final = (
    *(
        _upsert(
            table,
            f"({_uses('usage_log')})",
            start=start,
            total="lor3_decimal_sum",
            both="lor3_decimal_add({}, {})",
            least="min",
            most="max",
        )
        for table, start in (
            ("usage_hours", "substr(at, 1, 13) || ':00:00.000000+00:00'"),
            ("usage_days", "substr(at, 1, 10) || 'T00:00:00.000000+00:00'"),
        )
    ),
    "DELETE FROM usage_log",
)
# Rows are numbered from one again where there are none left.
_LENGTH: Final = "SELECT max(rowid) FROM usage_log"


class DecimalSum:
    """An aggregate for SQLite, which would add binary fractions up."""

    def __init__(self) -> None:
        self._total = Decimal(0)

    def step(self, value: str | None) -> None:
        if value is not None:
            self._total = _EXACT.add(self._total, Decimal(value))

    def finalize(self) -> str:
        return format(self._total, "f")


def _decimal_add(one: str, other: str) -> str:
    return format(_EXACT.add(Decimal(one), Decimal(other)), "f")


def add_up_when_due(connection: sa.Connection) -> None:
    """SQLite only: in the transaction that is under way."""
    if (connection.exec_driver_sql(_LENGTH).scalar() or 0) >= _DUE:
        add_up(connection)


def add_up(connection: sa.Connection) -> None:
    """SQLite only: in the transaction that is under way."""
    driver_connection = connection.connection.driver_connection
    if driver_connection is None:
        return
    driver_connection.create_aggregate("lor3_decimal_sum", 1, DecimalSum)
    driver_connection.create_function("lor3_decimal_add", 2, _decimal_add, deterministic=True)
    for statement in _ON_SQLITE:
        connection.exec_driver_sql(statement)
