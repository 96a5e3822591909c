"""Metrics."""

import timeit
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs
import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.in_memory.telemetry import RecordingTelemetry
from adapters.telemetry import metric_names
from adapters.telemetry.drop_count import LOG_DROPS
from adapters.telemetry.fan_out import FanOutTelemetry
from adapters.telemetry.prometheus import PrometheusTelemetry
from domain.model import ModelRef
from domain.telemetry import (
    AttemptEnded,
    BreakerMoved,
    ChatAnswered,
    ChatLost,
    ChatRefused,
    ChatReplayed,
    Event,
    FallbackTaken,
    ModelMisconfigured,
    RequestServed,
)
from domain.usage import NO_USAGE, Usage

GPT, OPUS = ModelRef("openai", "gpt-4"), ModelRef("anthropic", "claude-opus-5-5")
ANSWERED = ChatAnswered(
    request_id="r", tenant="t", message_id="m", thread_id="h", model=OPUS, prompt_version=None,
    usage=Usage(input_tokens=100, output_tokens=20, cached_input_tokens=50, reasoning_tokens=5),
    cost_usd=Decimal("0.25"), duration_s=1.5, overhead_s=0.002, attempts=2, stream=True,
)  # fmt: skip
EVENTS: tuple[Event, ...] = (
    ANSWERED,
    AttemptEnded(request_id="r", model=GPT, outcome="rate_limited", duration_s=0.2, status=429, retry=True),
    FallbackTaken(request_id="r", from_model=GPT, to_model=OPUS, reason="rate_limited"),
    ChatRefused(request_id="r", tenant="t", code="upstream_timeout", duration_s=9, attempts=3),
    ChatLost(
        request_id="r", tenant="t", thread_id="h", code="not_found", usage=NO_USAGE, cost_usd=None, attempts=1
    ),
    ChatReplayed(request_id="r", tenant="t", message_id="m", thread_id="h", model=OPUS),
    BreakerMoved(model=GPT, state="open"),
    ModelMisconfigured(request_id="r", model=GPT, reason="auth"),
    RequestServed(request_id="r", route="/chat", method="POST", status=200, duration_s=1.6),
)


def _samples(telemetry: PrometheusTelemetry) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(telemetry.exposition().decode()):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def _value(telemetry: PrometheusTelemetry, name: str, **labels: str) -> float | None:
    return next((value for each, has, value in _samples(telemetry) if (each, has) == (name, labels)), None)


def test_events_are_counted_under_their_public_names() -> None:
    """Every kind of event, once."""
    telemetry = PrometheusTelemetry((GPT, OPUS))
    for event in EVENTS:
        telemetry.emit(event)
    opus, gpt = str(OPUS), str(GPT)

    for name, labels, expected in (
        ("lor3_chats_answered_total", {"model": opus, "stream": "true"}, 1),
        ("lor3_tokens_total", {"model": opus, "kind": "input"}, 100),
        ("lor3_tokens_total", {"model": opus, "kind": "cached_input"}, 50),
        ("lor3_tokens_total", {"model": opus, "kind": "output"}, 20),
        ("lor3_tokens_total", {"model": opus, "kind": "reasoning"}, 5),
        ("lor3_cost_usd_total", {"model": opus}, 0.25),
        ("lor3_chat_duration_seconds_count", {"model": opus}, 1),
        ("lor3_overhead_seconds_count", {}, 1),
        ("lor3_attempts_total", {"provider": "openai", "model": gpt, "outcome": "rate_limited"}, 1),
        ("lor3_attempt_duration_seconds_sum", {"provider": "openai", "model": gpt}, 0.2),
        ("lor3_retries_total", {"provider": "openai", "model": gpt}, 1),
        ("lor3_fallbacks_total", {"from": gpt, "to": opus, "reason": "rate_limited"}, 1),
        ("lor3_chats_refused_total", {"code": "upstream_timeout"}, 1),
        ("lor3_chats_lost_total", {"code": "not_found"}, 1),
        ("lor3_idempotent_replays_total", {}, 1),
        ("lor3_breaker_state", {"provider": "openai", "model": gpt}, 2),
        ("lor3_misconfigured_total", {"provider": "openai", "model": gpt}, 1),
        ("lor3_http_requests_total", {"route": "/chat", "method": "POST", "status_class": "2xx"}, 1),
        ("lor3_http_request_duration_seconds_count", {"route": "/chat"}, 1),
    ):
        assert expected == _value(telemetry, name, **labels), name


def test_an_unknown_price_is_counted_as_unknown() -> None:
    """Never as free."""
    telemetry = PrometheusTelemetry()
    telemetry.emit(attrs.evolve(ANSWERED, cost_usd=None))

    assert _value(telemetry, "lor3_cost_unknown_total", model=str(OPUS)) == 1
    assert _value(telemetry, "lor3_cost_usd_total", model=str(OPUS)) is None


@pytest.mark.parametrize("models", [None, (GPT, OPUS)])
def test_series_stay_constant_whatever_callers_send(models: Any) -> None:
    """10,000 models, routes, methods, codes and outcomes."""
    telemetry = PrometheusTelemetry(models)

    def flood(start: int) -> int:
        for number in range(start, start + 5_000):
            wild = ModelRef(f"p{number}", f"m{number}")
            telemetry.emit(attrs.evolve(ANSWERED, model=wild))
            telemetry.emit(AttemptEnded(request_id="r", model=wild, outcome=f"o{number}", duration_s=1))
            telemetry.emit(BreakerMoved(model=wild, state="open"))
            telemetry.emit(
                ChatRefused(request_id="r", tenant="t", code=f"c{number}", duration_s=1, attempts=1)
            )
            telemetry.emit(
                RequestServed(
                    request_id="r", route=f"/{number}", method=f"M{number}", status=number, duration_s=1
                )
            )
        return sum(1 for _ in _samples(telemetry))

    assert flood(0) == flood(5_000)
    assert _value(telemetry, "lor3_chats_answered_total", model="other", stream="true")


def test_no_label_names_a_person() -> None:
    """Nor a key, a thread or a path."""
    metrics = [each for each in vars(metric_names).values() if isinstance(each, metric_names.Metric)]
    labels = {label for metric in metrics for label in metric.labels}

    assert {
        "route", "method", "status_class", "model", "stream", "code", "provider", "outcome", "from", "to", "reason",
        "kind",
    } == labels  # fmt: skip
    assert all(metric.name.startswith("lor3_") and metric.help.endswith(".") for metric in metrics)


def test_dropped_log_lines_show() -> None:
    """`lor3_log_dropped_total` is what an operator looks for."""
    telemetry = PrometheusTelemetry()
    LOG_DROPS.add(3)

    assert float(LOG_DROPS.lines) == _value(telemetry, "lor3_log_dropped_total")


def test_emit_never_raises() -> None:
    """Not even for nonsense."""
    telemetry = PrometheusTelemetry()
    telemetry.emit(BreakerMoved(model=GPT, state="ajar"))
    telemetry.emit("not an event")  # type: ignore[arg-type] # that is the point


def test_two_registries_live_side_by_side() -> None:
    """As two applications in one test do."""
    one, two = PrometheusTelemetry(), PrometheusTelemetry()
    one.emit(ANSWERED)

    assert _value(two, "lor3_chats_answered_total", model=str(OPUS), stream="true") is None


def test_emit_costs_microseconds() -> None:
    """A few are the aim; the bound allows for a busy machine."""
    telemetry = PrometheusTelemetry()
    telemetry.emit(ANSWERED)

    assert min(timeit.repeat(lambda: telemetry.emit(ANSWERED), number=500, repeat=5)) / 500 < 200e-6


def test_a_broken_sink_silences_no_other() -> None:
    """A sink may be a plugin."""

    class Broken:
        def emit(self, event: Event) -> None:
            raise RuntimeError("broken")

    kept = RecordingTelemetry()
    FanOutTelemetry([Broken(), kept]).emit(ANSWERED)

    assert kept.of(ChatAnswered) == [ANSWERED]
