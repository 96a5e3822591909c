"""How much a caller may ask for in a time: the generic cell rate algorithm, in seconds.

A limit of n a minute is kept as one number, the theoretical arrival time (TAT): how far ahead of now it is says how much
of the minute is used up. One request moves it by 60 / n seconds; it may be a whole minute ahead, so that all n may come
at once, after which they come back one by one. It survives a change of the limit, and is idle once it has passed.

Source: ITU-T I.371, annex A (the virtual scheduling algorithm), and Brandur Leach, "Rate Limiting, Cells, and GCRA".
"""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

import attrs

from domain.values import frozen

WINDOW_S: Final = 60.0
MAX_AHEAD_S: Final = 2 * WINDOW_S
"""Chats that took more than was estimated may leave a debt of one further minute; what is beyond is let off."""
SLACK_S: Final = 1e-6
"""Sums of fractions of a minute are that exact: less than one request at a million a minute."""
PLACE_RETRY_S: Final = 1.0
"""When to try again where all places are taken: nobody knows when a chat ends."""

LimitKind: TypeAlias = Literal["requests", "tokens", "concurrency"]


@frozen(kw_only=True)
class RateLimits:
    """None is no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    """Of prompts and answers together."""
    concurrency: int | None = None
    """Chats under way at a time."""

    @property
    def is_empty(self) -> bool:
        return (
            self.requests_per_minute is None and self.tokens_per_minute is None and self.concurrency is None
        )

    def or_else(self, others: "RateLimits") -> "RateLimits":
        """Its own, and where it has none that of `others`."""
        if others.is_empty or self == others:
            return self
        if self.is_empty:
            return others
        requests, tokens, places = self.requests_per_minute, self.tokens_per_minute, self.concurrency
        return RateLimits(
            requests_per_minute=others.requests_per_minute if requests is None else requests,
            tokens_per_minute=others.tokens_per_minute if tokens is None else tokens,
            concurrency=others.concurrency if places is None else places,
        )


NO_LIMITS: Final = RateLimits()


@frozen(kw_only=True)
class RateDemand:
    """One subject's limits, to be taken from."""

    kind: str
    """`key`, `user` or `address`."""
    id: str
    limits: RateLimits
    subject: str = attrs.field(init=False, eq=False, repr=False)
    """What it is counted under."""

    @subject.default
    def _subject_of(self) -> str:
        return f"{self.kind}:{self.id}"


class RateDemands(tuple[RateDemand, ...]):  # noqa: SLOT001 - a tuple has no room for slots
    """All that a caller takes from. What a limiter needs of it is worked out once, so make it once a caller."""

    placed: tuple[tuple[str, int], ...]
    """Subjects with a `concurrency`, and that."""
    metered: tuple[tuple[str, int], ...]
    """Subjects with tokens a minute, and those."""
    request_limits: tuple[tuple[int, int], ...]
    """Indexes of demands with requests a minute, and those."""
    token_limits: tuple[tuple[int, int], ...]
    """The same of tokens."""

    def __new__(cls, demands: Iterable[RateDemand] = ()) -> "RateDemands":
        if isinstance(demands, RateDemands):
            return demands
        made = super().__new__(cls, demands)
        indexed = [(index, each.subject, each.limits) for index, each in enumerate(made)]
        made.placed = tuple(
            [(subject, each.concurrency) for _, subject, each in indexed if each.concurrency is not None]
        )
        made.metered = tuple(
            [
                (subject, each.tokens_per_minute)
                for _, subject, each in indexed
                if each.tokens_per_minute is not None
            ]
        )
        made.request_limits = tuple(
            [
                (index, each.requests_per_minute)
                for index, _, each in indexed
                if each.requests_per_minute is not None
            ]
        )
        made.token_limits = tuple(
            [
                (index, each.tokens_per_minute)
                for index, _, each in indexed
                if each.tokens_per_minute is not None
            ]
        )
        return made


@frozen(kw_only=True)
class RateState:
    """Where a subject's limit stands after a demand, for the `x-ratelimit-*` headers."""

    limit: int
    remaining: int
    reset_s: float
    """Until all of it is there again, if nothing more is asked."""


class RateLevel(NamedTuple):
    """Where a subject stands, whatever its limits are."""

    requests_ahead_s: float = 0.0
    """Of now: from 0, where all is there, to `MAX_AHEAD_S`."""
    tokens_ahead_s: float = 0.0
    running: int = 0
    """Chats that hold a place."""


@frozen(kw_only=True)
class RateRefusal:
    """Which limit is in the way, and where the caller stands."""

    subject: str
    """`key`, `user` or `address`."""
    limit: LimitKind
    allowed: int
    wait_s: float
    requests: RateState | None = None
    """Of the subject that has the least left; None where there is no such limit."""
    tokens: RateState | None = None


def cost_s(amount: int, limit: int) -> float:
    """How far so much moves the TAT. What is more than the limit takes all of it, so that it can pass at all."""
    return WINDOW_S * min(amount, limit) / limit


def conforms(ahead_s: float, cost: float) -> bool:
    """Whether so much may be taken now. Nothing can always be taken."""
    return cost <= 0 or ahead_s + cost <= WINDOW_S + SLACK_S


def wait_s(ahead_s: float, cost: float) -> float:
    """Until so much can be taken, if nothing else is asked."""
    return max(0.0, ahead_s + cost - WINDOW_S) if cost > 0 else 0.0


def admits(limits: RateLimits, level: RateLevel, *, tokens: int, requests: int) -> bool:
    """Whether a subject at `level` may take so much, and a place, now."""
    per_minute = limits.requests_per_minute
    if per_minute is not None and not conforms(level.requests_ahead_s, cost_s(requests, per_minute)):
        return False
    per_minute = limits.tokens_per_minute
    if per_minute is not None and not conforms(level.tokens_ahead_s, cost_s(tokens, per_minute)):
        return False
    return limits.concurrency is None or level.running < limits.concurrency


def states(
    demands: RateDemands, levels: "tuple[RateLevel | tuple[float, float, int], ...]"
) -> tuple[RateState | None, RateState | None]:
    """Requests and tokens, each of the subject that has the least left.

    Args:
        levels: or what they hold, without a name.
    """
    return _least(demands.request_limits, levels, 0), _least(demands.token_limits, levels, 1)


def _least(
    limits: tuple[tuple[int, int], ...],
    levels: "tuple[RateLevel | tuple[float, float, int], ...]",
    which: Literal[0, 1],
) -> RateState | None:
    if not limits:
        return None
    least, of, ahead_s = -1, 0, 0.0
    for index, limit in limits:
        ahead = levels[index][which]
        left = int((WINDOW_S - ahead + SLACK_S) / WINDOW_S * limit)
        if left < 0:
            left = 0
        elif left > limit:
            left = limit
        if least < 0 or left < least:
            least, of, ahead_s = left, limit, ahead
    return RateState(limit=of, remaining=least, reset_s=ahead_s if ahead_s > 0 else 0.0)


def refusal(
    demands: "tuple[RateDemand, ...]", levels: "tuple[RateLevel, ...]", *, tokens: int, requests: int
) -> RateRefusal:
    """Why subjects at these levels were not admitted together: the limit that is in the way for the longest."""
    worst: tuple[float, str, LimitKind, int] = (-1.0, "", "requests", 0)
    for demand, level in zip(demands, levels, strict=True):
        limits, kind = demand.limits, demand.kind
        limit = limits.requests_per_minute
        if limit is not None:
            wait = wait_s(level.requests_ahead_s, cost_s(requests, limit))
            worst = max(worst, (wait, kind, "requests", limit))
        limit = limits.tokens_per_minute
        if limit is not None:
            wait = wait_s(level.tokens_ahead_s, cost_s(tokens, limit))
            worst = max(worst, (wait, kind, "tokens", limit))
        limit = limits.concurrency
        if limit is not None:
            wait = PLACE_RETRY_S if level.running >= limit else 0.0
            worst = max(worst, (wait, kind, "concurrency", limit))
    requests_state, tokens_state = states(RateDemands(demands), levels)
    wait, subject, kind_of_limit, allowed = worst
    return RateRefusal(
        subject=subject,
        limit=kind_of_limit,
        allowed=allowed,
        wait_s=max(wait, 0.001),
        requests=requests_state,
        tokens=tokens_state,
    )
