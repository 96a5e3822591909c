"""What is usual for a stream of numbers, and when one leaves it.

A baseline follows the middle and the spread of the logarithm of what it is shown: tokens and costs are spread over
orders of magnitude, and "ten times as much" is the same step everywhere. Both are learnt with a bounded influence
(Huber's M-estimator, updated one value at a time, as in robust exponential smoothing: Gelper, Fried and Croux, 2010):
a value far away moves them no further than one just outside, so that a spike neither hides the next spike nor itself.
A level that stays becomes usual within some tens of values.

Said in words of an operator: an anomaly is a value at least three times the usual one and four or more of its robust
standard deviations above it, in a stream where that is rare. Falls are none: what costs less than usual hurts nobody.
A stream of two kinds (short questions, now and then a book) shows its second kind as an anomaly a few times, and never
again: what comes once in a hundred values is usual.
"""

import math
from typing import Final

import attrs

from domain.values import frozen

WARM_UP: Final = 30
"""Values before anything is judged."""
THRESHOLD: Final = 4.0
"""Robust standard deviations above the middle."""
CALM: Final = 2.5
"""Below this the next spike is told again: one event a spike, however many values it has."""
MIN_RATIO: Final = 3.0
"""Of the usual value, below which nothing is an anomaly, however steady the stream is."""
CALM_AFTER: Final = 3
"""Values in a row below `CALM` that end a spike."""
RARE: Final = 0.01
"""Of the values: where spikes begin more often than this, they are no anomalies."""
_RARITY_RATE: Final = 0.004
"""The weight of one value in how often that is: about the last 250 count."""
_STRIDE: Final = 4
"""Once enough is known, only every fourth ordinary value is learnt from; each one is judged."""
_KNOWN: Final = 200
"""Values that are enough for that."""
_RATE: Final = 0.03
"""The weight of a value that is learnt from, once enough is known: about the last seventy such values count."""
_CLIP: Final = 2.0
"""Standard deviations beyond which a value counts as if it were that far away."""
_CONSISTENCY: Final = 1.1
"""Makes up for what the clipping takes off the spread of normal values."""
_MIN_SPREAD: Final = 0.1
"""Of the logarithm: a stream of equal values has some spread all the same."""
_FIRST_SPREAD: Final = 1.0
_LEAST: Final = 1e-9
"""Stands for zero, which has no logarithm."""


@frozen(kw_only=True)
class Anomaly:
    value: float
    usual: float
    """The baseline's middle, as it was before this value."""
    score: float
    """Robust standard deviations above it."""


@attrs.define
class Baseline:
    """Of one stream of numbers ≥ 0. About a hundred bytes; a fraction of a microsecond for an ordinary value."""

    _stride: int = _STRIDE
    _count: int = 0
    _middle: float = 0.0
    _spread: float = _FIRST_SPREAD
    _odd: float = 0.0
    """The fraction of late values that began a spike."""
    _in_spike: bool = False
    _calm_for: int = 0
    _beyond: float = -1.0
    """Values up to this one are ordinary; less than any value where each has to be looked at."""

    @property
    def usual(self) -> float | None:
        """None while it is still learning."""
        return math.exp(self._middle) if self._count >= WARM_UP else None

    @property
    def limit(self) -> float:
        """What a value has to exceed to begin a spike now; infinite where none would."""
        if self._count <= WARM_UP or self._in_spike or self._odd > RARE:
            return math.inf
        return math.exp(self._middle + max(THRESHOLD * self._spread, _LEAST_AWAY))

    def measure(self, value: float) -> Anomaly:
        """How far `value` is away. Learns nothing."""
        away = math.log(max(value, _LEAST)) - self._middle
        return Anomaly(value=value, usual=math.exp(self._middle), score=away / self._spread)

    def see(self, value: float) -> Anomaly | None:
        """Learns from `value`; an anomaly where it begins a spike."""
        count = self._count = self._count + 1
        if value <= self._beyond and count % self._stride:
            return None
        logarithm = math.log(max(value, _LEAST))
        if count == 1:
            self._middle = logarithm
            return None
        away = logarithm - self._middle
        score = away / self._spread
        anomaly = self._judge(value, away, score) if count > WARM_UP else None
        self._learn(score, count)
        return anomaly

    def _judge(self, value: float, away: float, score: float) -> Anomaly | None:
        if self._in_spike:
            self._calm_for = self._calm_for + 1 if score < CALM else 0
            self._in_spike = self._calm_for < CALM_AFTER
            return None
        was_odd = self._odd
        if score < THRESHOLD or away < _LEAST_AWAY:
            # It stands for the ordinary ones that were passed over.
            self._odd = was_odd * (1.0 - _RARITY_RATE * (self._stride if self._beyond >= 0.0 else 1))
            return None
        self._odd = was_odd + _RARITY_RATE * (1.0 - was_odd)
        self._in_spike, self._calm_for = True, 0
        if was_odd > RARE:
            return None
        return Anomaly(value=value, usual=math.exp(self._middle), score=score)

    def _learn(self, score: float, count: int) -> None:
        # The first values weigh more: 1/2, 1/3 … down to the rate.
        rate = max(_RATE, 1.0 / count)
        clipped = max(-_CLIP, min(_CLIP, score))
        spread = self._spread
        self._middle += rate * clipped * spread
        squared = (1.0 - rate) * spread * spread + rate * _CONSISTENCY * (clipped * spread) ** 2
        self._spread = max(_MIN_SPREAD, math.sqrt(squared))
        if count < _KNOWN or self._in_spike or self._stride == 1:
            self._beyond = -1.0
        else:
            self._beyond = math.exp(self._middle + max(THRESHOLD * self._spread, _LEAST_AWAY))


_LEAST_AWAY: Final = math.log(MIN_RATIO)


@attrs.define
class MinuteSum:
    """Adds up what comes within a minute. Each finished minute is a value of a baseline; one that is an anomaly before
    it is over is told at once.

    Minutes in which nothing came are no values: a service that rests at night is as usual in the morning as it was.
    """

    _baseline: Baseline = attrs.field(factory=lambda: Baseline(stride=1))
    _minute: int = -1
    _sum: float = 0.0
    _limit: float = math.inf

    def see(self, value: float, minute: int) -> Anomaly | None:
        """
        Args:
            minute: which one it is, by a clock that does not go back.
        """
        if minute != self._minute:
            if self._minute >= 0:
                self._baseline.see(
                    self._sum
                )  # what it may say of it was said when the sum went beyond the limit
            self._minute, self._sum, self._limit = minute, 0.0, self._baseline.limit
        self._sum += value
        if self._sum < self._limit:
            return None
        self._limit = math.inf
        return self._baseline.measure(self._sum)
