"""The columns of what was used: of what, and how much."""

from typing import Final

import sqlalchemy as sa

from adapters.persistence.tables import USAGE_DAYS, USAGE_LOG

DIMENSIONS: Final[tuple[str, ...]] = tuple(
    column.name for column in USAGE_DAYS.primary_key.columns if column.name not in ("tenant", "kind", "start")
)
"""`latency_bucket` is the last one."""
SUMS: Final[tuple[str, ...]] = tuple(
    column.name
    for column in USAGE_LOG.columns
    if isinstance(column.type, sa.BigInteger) and column.name not in ("latency_low_ms", "latency_high_ms")
)
"""Added up; `cost_usd` is too, and `latency_low_ms`, `latency_high_ms` and `last_at` are the least and the most."""
