"""Limits that one process keeps by itself: for a server without Redis, and for tests."""

from collections import deque
from collections.abc import Sequence

import attrs

from application.ports.clock import Clock
from application.services.rate_grant import Dropped, RateGrant, give_back, rate_limited
from domain.limits.meters import Meters
from domain.limits.rate import RateDemand, RateDemands, cost_s


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
        taken = RateDemands(demands)
        is_let, levels = self._meters.take(
            taken, tokens=tokens, requests=requests, now=self._clock.monotonic()
        )
        if not is_let:
            raise rate_limited(taken, levels, tokens=tokens, requests=requests)
        return RateGrant(self, taken, levels, tokens)

    async def start(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""

    def correct(self, demands: RateDemands, held: int, tokens: int) -> None:
        now = self._clock.monotonic()
        for subject, limit in demands.metered:
            self._meters.correct(subject, cost_s(tokens, limit) - cost_s(held, limit), now)

    def leave(self, demands: RateDemands) -> None:
        for subject, _ in demands.placed:
            self._meters.leave(subject)
