"""Limits that one process keeps by itself: for a server without Redis, and for tests."""

from collections import deque
from collections.abc import Sequence

import attrs

from application.ports.clock import Clock
from application.services.rate_grant import Dropped, RateGrant, give_back, rate_limited
from domain.limits.meters import Meters
from domain.limits.rate import RateDemand


@attrs.define(kw_only=True, eq=False)
class LocalRateLimiter:
    """A `RateLimiter`. With several processes each lets the whole limit through."""

    _clock: Clock
    _meters: Meters = attrs.field(factory=Meters)
    dropped: deque[Dropped] = attrs.field(factory=deque, init=False)

    @property
    def known_subjects(self) -> int:
        return len(self._meters)

    async def take(self, demands: Sequence[RateDemand], *, tokens: int, requests: int = 1) -> RateGrant:
        if self.dropped:
            give_back(self)
        taken = tuple(demands)
        is_let, levels = self._meters.take(
            taken, tokens=tokens, requests=requests, now=self._clock.monotonic()
        )
        if not is_let:
            raise rate_limited(taken, levels, tokens=tokens, requests=requests)
        return RateGrant(self, taken, levels, tokens=tokens)

    async def start(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""

    def correct(self, subject: str, tokens_s: float) -> None:
        self._meters.correct(subject, tokens_s, self._clock.monotonic())

    def leave(self, subject: str) -> None:
        self._meters.leave(subject)
