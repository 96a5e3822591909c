"""How the usage report is drawn at a terminal."""

import io
import re
import sys
from decimal import Decimal

import attrs
import pytest

from domain.usage_report import RatingStatistics, UsageRow
from entrypoints.cli.observe_usage import print_usage

_ROW = UsageRow(
    group="anthropic:claude-opus-5-5",
    requests=1234,
    errors=12,
    input_tokens=1_300_000,
    output_tokens=412_000,
    cached_input_tokens=0,
    cost_usd=Decimal("0.12612"),
    unpriced=5,
    latency_mean_ms=None,
    latency_p50_ms=44.2,
    latency_p95_ms=1512.0,
    ratings=RatingStatistics(count=1200, total=900.0, thumbs_up=900, thumbs_down=300),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(monkeypatch: pytest.MonkeyPatch, row: UsageRow) -> str:
    """At 80 columns."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    print_usage([row], "model")
    return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())


@pytest.mark.parametrize(
    ("latencies", "shown"),
    [
        ((44.2, 1512.0), "44 ms / 1.5 s"),
        ((44.2, 120.0), "44 / 120 ms"),
        ((1512.0, 2904.0), "1.5 / 2.9 s"),
        ((999.4, 999.6), "999 ms / 1.0 s"),
        ((None, None), "–"),
    ],
)
def test_latency_has_the_unit_that_suits_it(
    monkeypatch: pytest.MonkeyPatch, latencies: tuple[float | None, float | None], shown: str
) -> None:
    """Nothing is rounded away."""
    p50, p95 = latencies
    row = attrs.evolve(_ROW, group="demo", errors=0, latency_p50_ms=p50, latency_p95_ms=p95)
    row = attrs.evolve(row, ratings=RatingStatistics())

    assert shown in drawn(monkeypatch, row)


@pytest.mark.parametrize(
    ("cost", "shown"),
    [("0.12612", ("$0.1261", "5 unpriced")), ("0", ("5 unpriced",)), ("1234.5", ("$1,234.50", "5 unpriced"))],
)
def test_cost_is_told_apart_from_what_has_no_price(
    monkeypatch: pytest.MonkeyPatch, cost: str, shown: tuple[str, ...]
) -> None:
    """Below it, each in one piece, on a narrow terminal too."""
    seen = drawn(monkeypatch, attrs.evolve(_ROW, cost_usd=Decimal(cost)))

    assert all(each in seen for each in (*shown, "44 ms", "1.5 s", "(0.72–0.77)"))
    assert "+ 5" not in seen
    assert max(len(line) for line in seen.splitlines()) <= 80
