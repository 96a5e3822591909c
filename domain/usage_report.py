"""What was used and what people thought of it, in groups."""

import datetime
import math
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import attrs

from domain.values import frozen

UsageGroup: TypeAlias = Literal[
    "model", "provider", "prompt", "prompt_version", "label", "user", "key", "day", "hour", "tenant"
]
"""`prompt` is a prompt's name, `prompt_version` a version (`name:v3`), `label` the prompt's label it was chosen by
(`name@production`), `key` the account of an API key, `day` a UTC day (`2026-11-30`), `hour` one of its hours
(`2026-11-30T17`). A chat that no model answered is of the model that was asked first."""
GROUPS: Final[tuple[UsageGroup, ...]] = (
    "model", "provider", "prompt", "prompt_version", "label", "user", "key", "day", "hour",
)  # fmt: skip
"""Those within a tenant."""
Grain: TypeAlias = Literal["hour", "day"]
Z_95: Final = 1.959963984540054
"""The standard normal quantile that leaves 2.5 % on each side."""


@frozen(kw_only=True)
class UsageQuery:
    since: datetime.datetime
    until: datetime.datetime
    """Exclusive."""
    group_by: UsageGroup | None = None
    """None gives one row for all."""
    is_open: bool = False
    """True where `until` is now: the whole hour that it lies in counts, since nothing is behind it."""


@frozen(kw_only=True)
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


@frozen(kw_only=True)
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
    """None of a user, as are the other percentiles: they would be kept for too many."""
    latency_p95_ms: float | None
    ratings: RatingStatistics = RatingStatistics()
    name: str | None = None
    """What `group` is called, where that is known of a key."""
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    estimated: int = 0
    """How many answers have tokens that lor3 counted by itself."""
    latency_p99_ms: float | None = None
    refused: int = 0
    """Requests that were turned away, so that there is no answer: none of `requests`. Of whole hours; nobody knows
    their model, prompt or user."""


@frozen(kw_only=True)
class PromptRow:
    """What the answers of one version of a prompt were like, as it was chosen by one label."""

    prompt_version: str | None
    """`support:v3`, `support` where that is the group; None for chats without a prompt."""
    prompt_label: str | None
    """None where the version was named by number, or is the latest."""
    figures: UsageRow
    """Its `group` is the version."""


@frozen(kw_only=True)
class ProviderRow:
    """What became of the calls to one model, each try counted; summaries of threads included."""

    provider: str
    model: str
    """Empty where all of a provider's are one group."""
    requests: int
    """Calls that were made."""
    errors: int
    """Of those, the ones that failed; cancelled ones are no failures."""
    skipped: int
    """How often it was passed over without a call, because its breaker was open or its time was up."""
    failovers: int
    """How often another model was asked in its place, after a failure or a skip."""
    outcomes: tuple[tuple[str, int], ...]
    """Each outcome (`domain/attempt.py`) with its count, the most frequent first."""
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    unpriced: int
    latency_mean_ms: float | None
    """Of calls that went well, as are the percentiles."""
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    last_error_at: datetime.datetime | None

    @property
    def error_rate(self) -> float | None:
        """From 0 to 1; None where no call was made."""
        return self.errors / self.requests if self.requests else None


ErrorSource: TypeAlias = Literal["chat", "attempt", "refusal"]
"""`chat`: it was stored as failed. `attempt`: one call to a provider failed, another one may have answered. `refusal`:
a request that lor3 turned away, of which nothing is stored."""


@frozen(kw_only=True)
class ErrorRow:
    """One kind of failure, counted."""

    source: ErrorSource
    code: str
    """An error code (`upstream_error`), or the outcome of an attempt (`rate_limited`)."""
    provider: str | None
    model: str | None
    count: int
    last_at: datetime.datetime
    key: str | None = None
    """The account of the API key, of refusals; of chats too where errors are grouped by it."""
    key_name: str | None = None
    """What it is called, where that is known."""


ErrorGroup: TypeAlias = Literal["code", "model", "key"]
ERROR_GROUPS: Final[tuple[ErrorGroup, ...]] = ("code", "model", "key")


def most_frequent_first(rows: Iterable[ErrorRow]) -> tuple[ErrorRow, ...]:
    return tuple(
        sorted(
            rows,
            key=lambda row: (
                -row.count, row.source, row.code, row.provider or "", row.model or "", row.key or "",
            ),
        )
    )  # fmt: skip


def grouped_errors(rows: Iterable[ErrorRow], by: ErrorGroup) -> tuple[ErrorRow, ...]:
    """Of each source one row for each code, model or key; what they are not of is empty."""
    found: dict[tuple[ErrorSource, str, str | None, str | None, str | None], ErrorRow] = {}
    for row in rows:
        kept = attrs.evolve(
            row,
            code=row.code if by == "code" else "",
            provider=row.provider if by == "model" else None,
            model=row.model if by == "model" else None,
            key=row.key if by == "key" else None,
        )
        of = kept.source, kept.code, kept.provider, kept.model, kept.key
        before = found.get(of)
        if before is not None:
            last_at = max(before.last_at, kept.last_at)
            kept = attrs.evolve(kept, count=before.count + kept.count, last_at=last_at)
        found[of] = kept
    return most_frequent_first(found.values())


@frozen(kw_only=True)
class UsageCheck:
    """What the sums of one UTC day say of its answers, and what the messages that are stored say."""

    day: datetime.date
    summed: UsageRow
    """Without latencies, as is the other."""
    stored: UsageRow

    @property
    def is_equal(self) -> bool:
        return self.summed == self.stored

    @property
    def is_lacking(self) -> bool:
        """Whether answers are stored that no report counts. The other way round is right: sums outlive messages."""
        return self.stored.requests > self.summed.requests


SeriesOf: TypeAlias = Literal["answers", "attempts"]


@frozen(kw_only=True)
class SeriesPoint:
    """What happened in one hour or one UTC day. Times in which nothing did have no point."""

    group: str | None
    start: datetime.datetime
    requests: int
    errors: int
    tokens: int
    """In and out."""
    cost_usd: Decimal


_HOUR: Final = datetime.timedelta(hours=1)


def whole_hours(query: UsageQuery) -> UsageQuery:
    """From the beginning of the hour in which it begins to the end of the one in which it ends."""
    since = hour_of(query.since)
    until = hour_of(query.until)
    if until < query.until:
        until = until + _HOUR if until < _LAST_HOUR else query.until
    return attrs.evolve(query, since=since, until=until)


def hour_of(moment: datetime.datetime) -> datetime.datetime:
    """Its beginning, in UTC."""
    return moment.astimezone(datetime.UTC).replace(minute=0, second=0, microsecond=0)


_LAST_HOUR: Final = hour_of(datetime.datetime.max.replace(tzinfo=datetime.UTC))


@frozen(kw_only=True)
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
