"""An anomaly that was seen, as it is kept."""

import datetime
from typing import Final

from domain.values import frozen

KEPT_DAYS: Final = 90
"""How long one is kept; older ones go when the next is added."""


@frozen(kw_only=True)
class SeenAnomaly:
    id: str
    """UUIDv7."""
    at: datetime.datetime
    dimension: str
    """`model`, `prompt_version` or `key`."""
    name: str
    """Which model, version or key id."""
    measure: str
    """`tokens` or `cost_usd` of an answer, `tokens_per_minute` or `cost_usd_per_minute` of all answers."""
    value: float
    usual: float
    """The middle of what it was until then."""
    score: float
    """How many robust standard deviations it is away."""
    message_id: str | None = None
    """The answer it was seen at."""
