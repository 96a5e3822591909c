"""What budgets have spent, in SQLite: money is decimal text there, so it is Python that adds."""

from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from adapters.persistence.tables import BUDGET_COUNTERS

COUNTER_KEY: Final = ("tenant", "subject", "subject_id", "period", "starts_at")
"""The columns that name a counter, here and in the table of holds."""


def of_key(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == sa.bindparam(f"of_{name}") for name in COUNTER_KEY))


def as_bound(counter: dict[str, Any]) -> dict[str, Any]:
    """The parameters of `of_key`."""
    return {f"of_{name}": value for name, value in counter.items()}


SPENT: Final = sa.select(BUDGET_COUNTERS.c.spent_usd).where(of_key(BUDGET_COUNTERS))
_COUNT: Final = insert(BUDGET_COUNTERS)
_UPSERT: Final = _COUNT.on_conflict_do_update(
    index_elements=list(BUDGET_COUNTERS.primary_key.columns), set_={"spent_usd": _COUNT.excluded.spent_usd}
)


def count(connection: sa.Connection, counter: dict[str, Any], amount_usd: Decimal) -> Decimal:
    """Adds to what a counter has spent, and tells how much that is; in a transaction that has the write lock."""
    spent: Decimal | None = connection.scalar(SPENT, as_bound(counter))
    if spent is not None and not amount_usd:
        return spent
    total = (spent or Decimal(0)) + amount_usd
    connection.execute(_UPSERT, {**counter, "spent_usd": total})
    return total
