"""How `lor3 observe` is drawn at a terminal of 80 columns."""

import datetime
import io
import os
import re
import sys
from collections.abc import Callable
from decimal import Decimal

import attrs
import pytest

from application.use_cases.observe_chats import Observation
from domain.anomaly_record import SeenAnomaly
from domain.usage_report import ErrorRow, PromptRow, ProviderRow, SeriesPoint, UsageQuery, UsageRow
from entrypoints.cli import observing
from entrypoints.cli.observe_errors import _VIEW as ERRORS
from entrypoints.cli.observe_prompts import _VIEW as PROMPTS
from entrypoints.cli.observe_providers import _VIEW as PROVIDERS
from entrypoints.cli.observe_usage import _VIEW as USAGE
from entrypoints.cli.observing import View

NOW = datetime.datetime(2026, 11, 20, 12, 30, tzinfo=datetime.UTC)
KEY = "0190b6a2-0000-7000-8000-00000000000a"
FIGURES = UsageRow(
    group="openai:gpt-4o-mini-2024-07-18",
    requests=1234,
    errors=12,
    input_tokens=1_300_000,
    output_tokens=412_000,
    cached_input_tokens=0,
    cost_usd=Decimal("0.12612"),
    unpriced=5,
    latency_mean_ms=None,
    latency_p50_ms=1044.2,
    latency_p95_ms=15112.0,
    refused=35,
)
PROVIDER = ProviderRow(
    provider="azure-eu-west",
    model="gpt-5-preview-with-a-name-that-is-long-and-then-some",
    requests=10,
    errors=3,
    skipped=7,
    failovers=2,
    outcomes=(("skipped_breaker_open", 7), ("ok", 7), ("rate_limited", 3)),
    input_tokens=1,
    output_tokens=1,
    cost_usd=Decimal("1.5"),
    unpriced=0,
    latency_mean_ms=None,
    latency_p50_ms=100.0,
    latency_p95_ms=2000.0,
    latency_p99_ms=3000.0,
    last_error_at=None,
)
ANOMALY = SeenAnomaly(
    id=KEY,
    at=NOW,
    dimension="key",
    name=KEY,
    measure="cost_usd_per_minute",
    value=0.0056231,
    usual=0.00012,
    score=9,
)
REFUSAL = ErrorRow(
    source="refusal", code="budget_exceeded", provider=None, model=None, count=31, last_at=NOW, key=KEY,
    key_name="web",
)  # fmt: skip
OBSERVED = Observation(
    query=UsageQuery(since=NOW - datetime.timedelta(days=1), until=NOW, group_by="model"),
    every="hour",
    series=(SeriesPoint(group=None, start=NOW, requests=1, errors=1, tokens=1, cost_usd=Decimal(1)),),
    usage=(FIGURES, attrs.evolve(FIGURES, group=None)),
    prompts=(PromptRow(prompt_version="support:v3", prompt_label="production", figures=FIGURES),),
    providers=(PROVIDER,),
    errors=(REFUSAL,),
    anomalies=(ANOMALY,),
    key_names={KEY: "web"},
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[View], str]:
    def draw(view: View) -> str:
        screen = Terminal()
        for stream in ("stdout", "stderr"):
            monkeypatch.setattr(sys, stream, screen)
        view.charts(OBSERVED)
        view.draw(OBSERVED)
        return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    return draw


@pytest.mark.parametrize("view", [USAGE, PROMPTS, PROVIDERS, ERRORS])
def test_no_line_is_wider_than_the_terminal(drawn: Callable[[View], str], view: View) -> None:
    """And names are whole, be they long."""
    seen = drawn(view)

    assert max(len(line) for line in seen.splitlines()) <= 80
    named = {
        "usage": "openai:gpt-4o-mini-2024-07-18",
        "prompts": "support:v3 @production",
        "providers": "azure-eu-west:gpt-5-preview-with-a-name-that-is-long-and-then-some",
        "errors": "budget_exceeded",
    }
    assert named[view.aspect] in seen


def test_figures_are_told_in_words(drawn: Callable[[View], str]) -> None:
    """Outcomes, refusals and anomalies; keys by name; money with its sign and few digits."""
    providers, errors, usage = drawn(PROVIDERS), drawn(ERRORS), drawn(USAGE)

    assert "not asked: it had failed before 7" in providers
    assert "rate limited 3" in providers
    assert "key web" in errors
    assert "$0.005623" in errors
    assert "model" not in errors
    assert KEY not in errors
    assert "35 turned away" in usage
    assert "70 requests were turned away (2.8%)" in usage


def test_rows_of_a_pipe_fit_their_head() -> None:
    """Errors and anomalies alike; what has no name is `none`."""
    for view in (USAGE, PROMPTS, PROVIDERS, ERRORS):
        assert {len(row) for row in view.rows(OBSERVED)} == {len(view.columns)}
    assert [row[0] for row in USAGE.rows(OBSERVED)] == [FIGURES.group, "none"]
    assert [row[0] for row in ERRORS.rows(OBSERVED)] == ["refusal", "anomaly"]


@pytest.mark.parametrize(("lines", "first"), [(40, "requests  "), (10, "  requests  failed")])
def test_small_screen_has_numbers_before_charts(
    monkeypatch: pytest.MonkeyPatch, drawn: Callable[[View], str], lines: int, first: str
) -> None:
    """Where not all of it fits."""
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, lines)))
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    observing._print_fitting(OBSERVED, USAGE, None)
    seen = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())

    assert next(line for line in seen.splitlines()[1:] if line).startswith(first)
