"""The text that Prometheus reads."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from adapters.telemetry.exposition import exposition
from adapters.telemetry.metric_names import Metric
from adapters.telemetry.series import counts, distributions, gauges

_COUNTED = Metric("counted", 'Has a \\ and a\nsecond line, and "quotes".', ("z", "a"))
_PLAIN = Metric("plain", "Has no labels.")
_SHOWN = Metric("shown", "A gauge.", ("model",))
_TIMED = Metric("timed_seconds", "A histogram.", ("route",), (0.0005, 0.1, 1.0, 300.0))
_VALUES = (0.0, 0.0005, 0.00051, 0.1, 0.2, 300.0, 300.1)


def test_text_is_that_of_prometheus_client() -> None:
    """For the same numbers, with what has to be escaped, and values upon each bound."""
    registry = CollectorRegistry()
    theirs = Counter(_COUNTED.name, _COUNTED.help, _COUNTED.labels, registry=registry)
    counted, plain, shown, timed = (
        counts(_COUNTED), counts(_PLAIN), gauges(_SHOWN), distributions(_TIMED),
    )  # fmt: skip
    theirs.labels('q"\\\n', "é {b}").inc(2.5)
    counted['q"\\\n', "é {b}"].value += 2.5
    Counter(_PLAIN.name, _PLAIN.help, registry=registry)
    Gauge(_SHOWN.name, _SHOWN.help, _SHOWN.labels, registry=registry).labels("m").set(-1)
    shown[("m",)].value = -1
    histogram = Histogram(
        _TIMED.name, _TIMED.help, _TIMED.labels, registry=registry, buckets=_TIMED.buckets
    ).labels("/chat")
    for value in _VALUES:
        histogram.observe(value)
        timed[("/chat",)].observe(value)
    expected = [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]

    text = exposition((counted, plain, shown, timed)).decode()
    assert expected == text[: text.index("# HELP process_")].splitlines()


@pytest.mark.parametrize(
    ("value", "shown"), [(float("inf"), "+Inf"), (float("-inf"), "-Inf"), (float("nan"), "NaN"), (3, "3.0")]
)
def test_numbers_are_as_go_reads_them(value: float, shown: str) -> None:
    """Python's `inf` and `nan` are not."""
    family = gauges(_PLAIN)
    family[()].value = value

    assert f"plain {shown}" in exposition((family,)).decode().splitlines()


def test_the_process_has_figures_with_their_usual_names() -> None:
    """Dashboards for any program build on them."""
    text = exposition(()).decode()
    figures = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert set(figures) == {
        "process_virtual_memory_bytes", "process_resident_memory_bytes", "process_start_time_seconds",
        "process_cpu_seconds_total", "process_max_fds", "process_open_fds",
    }  # fmt: skip
    assert all(value > 0 for value in figures.values())
    assert figures["process_resident_memory_bytes"] < figures["process_virtual_memory_bytes"]
