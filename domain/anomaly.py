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

from math import exp, inf, log, sqrt
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
_LEAST_AWAY: Final = log(MIN_RATIO)


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

    stride: int = _STRIDE
    count: int = attrs.field(default=0, init=False)
    """Of the values seen."""
    _middle: float = 0.0
    _spread: float = _FIRST_SPREAD
    _odd: float = 0.0
    """The fraction of late values that began a spike."""
    _in_spike: bool = False
    _calm_for: int = 0
    beyond: float = attrs.field(default=-1.0, init=False)
    """Values up to this one are ordinary; less than any value where each has to be looked at."""

    @property
    def usual(self) -> float | None:
        """None while it is still learning."""
        return exp(self._middle) if self.count >= WARM_UP else None

    @property
    def limit(self) -> float:
        """What a value has to exceed to begin a spike now; infinite where none would."""
        if self.count <= WARM_UP or self._in_spike or self._odd > RARE:
            return inf
        return exp(self._middle + max(THRESHOLD * self._spread, _LEAST_AWAY))

    def measure(self, value: float) -> Anomaly:
        """How far `value` is away. Learns nothing."""
        away = log(max(value, _LEAST)) - self._middle
        return Anomaly(value=value, usual=exp(self._middle), score=away / self._spread)

    def see(self, value: float) -> Anomaly | None:
        """Learns from `value`; an anomaly where it begins a spike."""
        count = self.count = self.count + 1
        return None if value <= self.beyond and count % self.stride else self.look_at(value)

    def look_at(self, value: float) -> Anomaly | None:
        """As `see`, of a value that is counted already and may not be passed over."""
        count, middle, spread = self.count, self._middle, self._spread
        logarithm = log(value if value > _LEAST else _LEAST)
        if count == 1:
            self._middle = logarithm
            return None
        away = logarithm - middle
        score = away / spread
        anomaly: Anomaly | None = None
        if count > WARM_UP:
            if self._in_spike or (score >= THRESHOLD and away >= _LEAST_AWAY):
                anomaly = self._judge(value, score)
            else:
                # It stands for the ordinary ones that were passed over.
                self._odd *= 1.0 - _RARITY_RATE * (self.stride if self.beyond >= 0.0 else 1)
        # The first values weigh more: 1/2, 1/3 … down to the rate.
        rate = 1.0 / count
        if rate < _RATE:
            rate = _RATE
        moved = (-_CLIP if score < -_CLIP else min(score, _CLIP)) * spread
        middle = self._middle = middle + rate * moved
        spread = sqrt((1.0 - rate) * spread * spread + rate * _CONSISTENCY * moved * moved)
        if spread < _MIN_SPREAD:
            spread = _MIN_SPREAD
        self._spread = spread
        if count < _KNOWN or self._in_spike or self.stride == 1:
            self.beyond = -1.0
        else:
            least = THRESHOLD * spread
            self.beyond = exp(middle + (least if least > _LEAST_AWAY else _LEAST_AWAY))
        return anomaly

    def _judge(self, value: float, score: float) -> Anomaly | None:
        """Of a value in a spike, or one that is far away."""
        if self._in_spike:
            self._calm_for = self._calm_for + 1 if score < CALM else 0
            self._in_spike = self._calm_for < CALM_AFTER
            return None
        was_odd = self._odd
        self._odd = was_odd + _RARITY_RATE * (1.0 - was_odd)
        self._in_spike, self._calm_for = True, 0
        if was_odd > RARE:
            return None
        return Anomaly(value=value, usual=exp(self._middle), score=score)


@attrs.define
class MinuteSum:
    """Adds up what comes within a minute. Each finished minute is a value of a baseline; one that is an anomaly before
    it is over is told at once.

    Minutes in which nothing came are no values: a service that rests at night is as usual in the morning as it was.
    """

    minute: int = attrs.field(default=-1, init=False)
    sum: float = attrs.field(default=0.0, init=False)
    limit: float = attrs.field(default=inf, init=False)
    """Sums below it are ordinary."""
    _baseline: Baseline = attrs.field(factory=lambda: Baseline(stride=1), init=False)

    def see(self, value: float, minute: int) -> Anomaly | None:
        """
        Args:
            minute: which one it is, by a clock that does not go back.
        """
        if minute != self.minute:
            if self.minute >= 0:
                self._baseline.see(
                    self.sum
                )  # what it may say of it was said when the sum went beyond the limit
            self.minute, self.sum, self.limit = minute, 0.0, self._baseline.limit
        self.sum += value
        if self.sum < self.limit:
            return None
        self.limit = inf
        return self._baseline.measure(self.sum)


Seen = tuple[tuple[str, Anomaly], ...]
"""Measures that are anomalies, and how."""


@attrs.define
class Consumption:
    """The baselines of one model, prompt version or key: tokens and cost of each answer, and of all within a minute."""

    tokens: Baseline = attrs.field(factory=Baseline)
    tokens_a_minute: MinuteSum = attrs.field(factory=MinuteSum)
    cost: Baseline = attrs.field(factory=Baseline)
    cost_a_minute: MinuteSum = attrs.field(factory=MinuteSum)

    def see(self, tokens: int, cost: float, minute: int) -> Seen:
        """Learns from one answer; what begins a spike with it.

        Each chat is seen three times, and nearly each is ordinary: that is found here, without a further call.

        Args:
            cost: in US dollars; of 0, which may stand for an unknown one, nothing is learnt.
            minute: which one it is, by a clock that does not go back.
        """
        seen: Seen = ()
        each, minutes = self.tokens, self.tokens_a_minute
        count = each.count = each.count + 1
        if (tokens > each.beyond or not count % each.stride) and (
            anomaly := each.look_at(tokens)
        ) is not None:
            seen = (("tokens", anomaly),)
        total = minutes.sum + tokens
        if minute == minutes.minute and total < minutes.limit:
            minutes.sum = total
        elif (anomaly := minutes.see(tokens, minute)) is not None:
            seen = (*seen, ("tokens_per_minute", anomaly))
        if not cost:
            return seen
        each, minutes = self.cost, self.cost_a_minute
        count = each.count = each.count + 1
        if (cost > each.beyond or not count % each.stride) and (anomaly := each.look_at(cost)) is not None:
            seen = (*seen, ("cost_usd", anomaly))
        total = minutes.sum + cost
        if minute == minutes.minute and total < minutes.limit:
            minutes.sum = total
        elif (anomaly := minutes.see(cost, minute)) is not None:
            seen = (*seen, ("cost_usd_per_minute", anomaly))
        return seen
