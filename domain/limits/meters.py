"""What every subject has taken, as one process knows it, in bounded memory."""

from collections.abc import Iterable
from typing import Final

import attrs

from domain.limits.rate import MAX_AHEAD_S, RateDemand, RateLevel, admits, cost_s

MAX_SUBJECTS: Final = 20_000
_FIRST_SWEEP: Final = 1_024


@attrs.define
class Meter:
    """One subject. Times are the monotonic clock's."""

    requests_until: float = 0.0
    """The TAT of its requests; in the past where all of them are there."""
    tokens_until: float = 0.0
    running: int = 0
    """Its chats here that hold a place."""

    @property
    def until(self) -> float:
        return max(self.requests_until, self.tokens_until)

    def level(self, now: float) -> RateLevel:
        return RateLevel(max(0.0, self.requests_until - now), max(0.0, self.tokens_until - now), self.running)


@attrs.define
class Meters:
    """Subjects that stand as if they had never asked are forgotten; of too many the ones that are closest to it."""

    max_subjects: int = MAX_SUBJECTS
    _meters: dict[str, Meter] = attrs.field(factory=dict, init=False)
    _sweep_at: int = attrs.field(default=_FIRST_SWEEP, init=False)

    def __len__(self) -> int:
        return len(self._meters)

    def level(self, subject: str, now: float) -> RateLevel:
        meter = self._meters.get(subject)
        return RateLevel() if meter is None else meter.level(now)

    def running(self, subject: str) -> int:
        meter = self._meters.get(subject)
        return 0 if meter is None else meter.running

    def take(
        self, demands: tuple[RateDemand, ...], *, tokens: int, requests: int, now: float
    ) -> tuple[bool, tuple[RateLevel, ...]]:
        """Whether all of them admit it; then it is taken from all. With where they stand after."""
        meters = [self.meter(demand.subject, now) for demand in demands]
        for demand, meter in zip(demands, meters, strict=True):
            if not admits(demand.limits, meter.level(now), tokens=tokens, requests=requests):
                return False, tuple([each.level(now) for each in meters])
        for demand, meter in zip(demands, meters, strict=True):
            limits = demand.limits
            if limits.requests_per_minute is not None:
                cost = cost_s(requests, limits.requests_per_minute)
                meter.requests_until = max(meter.requests_until, now) + cost
            if limits.tokens_per_minute is not None:
                meter.tokens_until = max(meter.tokens_until, now) + cost_s(tokens, limits.tokens_per_minute)
            if limits.concurrency is not None:
                meter.running += 1
        return True, tuple([meter.level(now) for meter in meters])

    def learn(self, subject: str, requests_ahead_s: float, tokens_ahead_s: float, now: float) -> Meter:
        """Takes over what others know of a subject; its places here stay."""
        meter = self.meter(subject, now)
        meter.requests_until = now + requests_ahead_s
        meter.tokens_until = now + tokens_ahead_s
        return meter

    def correct(self, subject: str, tokens_s: float, now: float) -> None:
        """A chat took more tokens than was estimated, or fewer (negative), in seconds of its limit."""
        meter = self._meters.get(subject)
        if meter is None:
            if tokens_s <= 0:
                return
            meter = self.meter(subject, now)
        until = meter.tokens_until + tokens_s if tokens_s < 0 else max(meter.tokens_until, now) + tokens_s
        meter.tokens_until = min(until, now + MAX_AHEAD_S)

    def leave(self, subject: str, places: int = 1) -> None:
        """They are free."""
        meter = self._meters.get(subject)
        if meter is not None:
            meter.running = max(meter.running - places, 0)

    def meter(self, subject: str, now: float) -> Meter:
        """Its own, or a new one."""
        meter = self._meters.get(subject)
        if meter is None:
            if len(self._meters) >= self._sweep_at:
                self._sweep(now)
            meter = self._meters[subject] = Meter()
        return meter

    def _sweep(self, now: float) -> None:
        """Amortised: as many subjects have to come again before the next one."""
        kept = {name: meter for name, meter in self._meters.items() if meter.running or meter.until > now}
        if len(kept) > self.max_subjects * 3 // 4:
            kept = dict(_longest(kept.items(), self.max_subjects * 3 // 4))
        self._meters = kept
        self._sweep_at = min(self.max_subjects, max(_FIRST_SWEEP, 2 * len(kept)))
        if self._sweep_at <= len(kept):  # chats that run are never forgotten, however many they are
            self._sweep_at = 2 * len(kept)


def _longest(items: Iterable[tuple[str, Meter]], count: int) -> list[tuple[str, Meter]]:
    """Those with a place, and of the others the ones that would be idle last."""
    ranked = sorted(items, key=lambda item: (item[1].running > 0, item[1].until), reverse=True)
    running = sum(1 for _, meter in ranked if meter.running)
    return ranked[: max(count, running)]
