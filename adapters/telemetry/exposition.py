"""The text that Prometheus reads, written by prometheus_client of the numbers that are kept here."""

import math
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import Metric as Shown
from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.registry import Collector

from adapters.telemetry.series import Distribution, Family, Labels, Number

_PROCESS = ProcessCollector(registry=None)
"""What Linux knows of this process; nothing elsewhere."""


def exposition(families: "Iterable[Family[Number] | Family[Distribution]]") -> bytes:
    """Each family in the order given, and then the process' own figures."""
    return generate_latest(_Reading(families))


class _Reading(Collector):
    def __init__(self, families: "Iterable[Family[Number] | Family[Distribution]]") -> None:
        self._families = families

    def collect(self) -> Iterator[Shown]:
        for family in self._families:
            yield _shown(family)
        yield from _PROCESS.collect()


def _shown(family: "Family[Number] | Family[Distribution]") -> Shown:
    metric = family.metric
    shown = Shown(metric.name, metric.help, family.shown_as)
    name = f"{metric.name}_total" if family.shown_as == "counter" else metric.name
    # A copy, since another thread may add to it.
    items: list[tuple[Labels, Number | Distribution]] = [*family.items()]
    for labels, series in items:
        of = dict(zip(metric.labels, labels, strict=True))
        if not isinstance(series, Distribution):
            shown.add_sample(name, of, series.value)
            continue
        reached = list(accumulate(series.counts))
        for bound, count in zip((*series.bounds, math.inf), reached, strict=True):
            shown.add_sample(
                f"{name}_bucket", {**of, "le": "+Inf" if bound == math.inf else repr(float(bound))}, count
            )
        shown.add_sample(f"{name}_count", of, reached[-1])
        shown.add_sample(f"{name}_sum", of, series.sum)
    return shown
