"""Prometheus' text exposition format, version 1.0.0.

Its source is https://prometheus.io/docs/instrumenting/exposition_formats/ (text-based format); it reads as what
prometheus_client writes of the same numbers.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import accumulate

from adapters.telemetry.series import Distribution, Family, Labels, Number


def exposition(families: "Iterable[Family[Number] | Family[Distribution]]") -> bytes:
    """Each family's head and samples, in the order given."""
    return "".join([line for family in families for line in _lines(family)]).encode()


def _lines(family: "Family[Number] | Family[Distribution]") -> Iterator[str]:
    metric = family.metric
    name = f"{metric.name}_total" if family.shown_as == "counter" else metric.name
    help_ = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {help_}\n# TYPE {name} {family.shown_as}\n"
    # A copy, since another thread may add to it.
    items: list[tuple[Labels, Number | Distribution]] = [*family.items()]
    for labels, series in items:
        if not isinstance(series, Distribution):
            yield f"{name}{_labels(metric.labels, labels)} {_number(series.value)}\n"
            continue
        names, bounds = (*metric.labels, "le"), (*series.bounds, math.inf)
        reached = list(accumulate(series.counts))
        for bound, count in zip(bounds, reached, strict=True):
            yield f"{name}_bucket{_labels(names, (*labels, _number(bound)))} {_number(count)}\n"
        of = _labels(metric.labels, labels)
        yield f"{name}_count{of} {_number(reached[-1])}\n{name}_sum{of} {_number(series.sum)}\n"


def _labels(names: tuple[str, ...], values: Labels) -> str:
    if not names:
        return ""
    pairs = [f'{name}="{_escaped(value)}"' for name, value in sorted(zip(names, values, strict=True))]
    return "{" + ",".join(pairs) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    """As Go reads it."""
    value = float(value)
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(value)
