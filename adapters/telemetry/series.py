"""Numbers behind metrics, kept as plainly as can be: counting is on the way of every chat, reading is rare.

They have no lock. `+=` on one of them calls nothing after it has read the old value, and the interpreter hands its lock
to another thread at calls and jumps only: no count is lost, whichever thread counts.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Final, Generic, Literal, TypeVar

import attrs

from adapters.telemetry.metric_names import Metric

Labels = tuple[str, ...]
"""Values, in the order of the metric's labels."""
NONE: Final[Labels] = ()


@attrs.define(eq=False)
class Number:
    """One series of a counter or a gauge."""

    value: float = 0.0


@attrs.define(eq=False)
class Distribution:
    """One series of a histogram: how many values came up to each bound, and their sum."""

    bounds: tuple[float, ...]
    """Ascending; beyond the last one is the bucket of all the rest."""
    counts: list[int]
    """Of each bucket alone, not of those below it; one more than there are bounds."""
    sum: float = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


S = TypeVar("S", Number, Distribution)


class Family(dict[Labels, S], Generic[S]):
    """The series of one metric by their labels; what is asked for by labels that are new is made.

    One without labels has its only series from the start.
    """

    def __init__(
        self, metric: Metric, shown_as: Literal["counter", "gauge", "histogram"], make: Callable[[], S]
    ) -> None:
        super().__init__()
        self.metric: Final = metric
        self.shown_as: Final = shown_as
        self._make: Callable[[], S] = make
        if not metric.labels:
            self[NONE] = make()

    def __missing__(self, labels: Labels) -> S:
        return self.setdefault(labels, self._make())


Counts = Family[Number]
Distributions = Family[Distribution]


def counts(metric: Metric) -> Counts:
    return Family(metric, "counter", Number)


def gauges(metric: Metric) -> Counts:
    return Family(metric, "gauge", Number)


def distributions(metric: Metric) -> Distributions:
    bounds = metric.buckets
    return Family(metric, "histogram", lambda: Distribution(bounds, [0] * (len(bounds) + 1)))


def read_once(
    metric: Metric, shown_as: Literal["counter", "gauge"], values: Mapping[Labels, float]
) -> Counts:
    """A family of values that are kept elsewhere."""
    family: Counts = Family(metric, shown_as, Number)
    for labels, value in values.items():
        family[labels].value = value
    return family
