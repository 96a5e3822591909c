"""What was used and what people thought of it, in groups."""

import datetime
import math
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import attrs

UsageGroup: TypeAlias = Literal["model", "provider", "prompt", "prompt_version", "label", "user", "day"]
"""`prompt` is a prompt's name, `prompt_version` a version (`name:v3`), `label` the prompt's label it was chosen by
(`name@production`), `day` a UTC day."""
GROUPS: Final[tuple[UsageGroup, ...]] = (
    "model", "provider", "prompt", "prompt_version", "label", "user", "day",
)  # fmt: skip
Z_95: Final = 1.959963984540054
"""The standard normal quantile that leaves 2.5 % on each side."""


@attrs.frozen(kw_only=True)
class UsageQuery:
    since: datetime.datetime
    until: datetime.datetime
    """Exclusive."""
    group_by: UsageGroup | None = None
    """None gives one row for all."""


@attrs.frozen(kw_only=True)
class RatingStatistics:
    """Ratings as scores from 0 to 1 (`domain/feedback.py`)."""

    count: int = 0
    total: float = 0.0
    """The sum of the scores."""
    thumbs_up: int = 0
    thumbs_down: int = 0
    stars: int = 0
    """How many of `count` are ratings from 1 to 5."""
    stars_total: int = 0
    """Their sum."""


@attrs.frozen(kw_only=True)
class UsageRow:
    """Answers of one group. Failed ones count as requests and errors, with what was paid for them."""

    group: str | None
    """None for those that have none, such as a chat without a prompt, and where there are no groups."""
    requests: int
    errors: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cost_usd: Decimal
    """Of those whose price is known."""
    unpriced: int
    """How many answers have an unknown price."""
    latency_mean_ms: float | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    ratings: RatingStatistics = RatingStatistics()


@attrs.frozen(kw_only=True)
class Estimate:
    """A mean with the interval that holds the true one in 95 of 100 cases."""

    mean: float
    low: float
    high: float


def estimate(ratings: RatingStatistics) -> Estimate | None:
    """The mean score, by Wilson's interval (E. B. Wilson, JASA 22, 1927) generalised to scores between 0 and 1.

    A score's variance is at most that of a coin with the same mean, so the interval is never too narrow; and
    unlike mean ± 1.96 s/√n it stays inside 0 and 1 and says little of one or two ratings. None without any.
    """
    n = ratings.count
    if n == 0:
        return None
    mean = min(1.0, max(0.0, ratings.total / n))
    z2 = Z_95 * Z_95
    middle = (mean + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(mean * (1 - mean) / n + z2 / (4 * n * n))
    return Estimate(mean=mean, low=max(0.0, middle - half), high=min(1.0, middle + half))
