"""Metrics."""

import timeit
from collections.abc import Callable, Iterator
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
    AnomalySeen,
    AttemptEnded,
    BreakerMoved,
    BudgetPassed,
    BudgetRefused,
    ChatAnswered,
    ChatLost,
    ChatRefused,
    ChatReplayed,
    ConfigReloaded,
    Event,
    FallbackTaken,
    KeyRefused,
    ModelMisconfigured,
    RateRefused,
    RequestRefused,
    RequestServed,
    RequestsShed,
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
        "kind", "layer", "subject", "limit", "period", "dimension", "measure", "version", "python",
    } == labels  # fmt: skip
    assert all(metric.name.startswith("lor3_") and metric.help.endswith(".") for metric in metrics)


def test_refusals_anomalies_and_reloads_are_counted() -> None:
    """By whose limit it was, never by who it was."""
    telemetry = PrometheusTelemetry((GPT, OPUS))
    of: dict[str, Any] = {"tenant": "t", "key_id": "CANARY", "subject": "key", "period": "day"}
    money: dict[str, Any] = {"limit_usd": Decimal(1), "spent_usd": Decimal(1)}
    for event in (
        KeyRefused(request_id="r", route="/chat", code="unauthenticated"),
        RequestRefused(request_id="r", route="/chat", code="shutting_down", tenant="t", key_id="CANARY"),
        RequestsShed(route="/chat", requests=1),
        RateRefused(
            request_id="r", tenant="t", key_id="CANARY", subject="user", limit="tokens", retry_after_s=1.0
        ),
        BudgetRefused(request_id="r", **of, **money),
        BudgetPassed(**of, **money),
        AnomalySeen(
            tenant="t", dimension="key", name="CANARY", measure="tokens", value=9.0, usual=1.0, score=9.0
        ),
        ConfigReloaded(ok=True, faults=0),
        ConfigReloaded(ok=False, faults=2),
    ):
        telemetry.emit(event)

    for name, labels in (
        ("lor3_auth_refusals_total", {"code": "unauthenticated"}),
        ("lor3_requests_turned_away_total", {"code": "shutting_down"}),
        ("lor3_requests_turned_away_total", {"code": "overloaded"}),
        ("lor3_rate_limit_refusals_total", {"subject": "user", "limit": "tokens"}),
        ("lor3_budget_refusals_total", {"subject": "key", "period": "day"}),
        ("lor3_budget_soft_passes_total", {"subject": "key", "period": "day"}),
        ("lor3_anomalies_total", {"dimension": "key", "measure": "tokens"}),
        ("lor3_config_reloads_total", {"outcome": "ok"}),
        ("lor3_config_reloads_total", {"outcome": "faulty"}),
    ):
        assert _value(telemetry, name, **labels) == 1.0, name
    assert b"CANARY" not in telemetry.exposition()


def test_streams_show_their_first_token_and_the_time_between_tokens() -> None:
    """Of an answer of 20 tokens, the first after half a second, the last a second later."""
    telemetry = PrometheusTelemetry((GPT, OPUS))
    telemetry.emit(attrs.evolve(ANSWERED, first_token_s=0.5))
    telemetry.emit(ANSWERED)  # without one: it was not streamed

    assert _value(telemetry, "lor3_time_to_first_token_seconds_sum", model=str(OPUS)) == 0.5
    gap_s = _value(telemetry, "lor3_time_per_output_token_seconds_sum", model=str(OPUS))
    assert gap_s == pytest.approx(1.0 / 19)
    assert _value(telemetry, "lor3_time_per_output_token_seconds_count", model=str(OPUS)) == 1.0


def test_gauges_are_read_when_somebody_asks() -> None:
    """One that has nothing to say is absent; an unknown name is a mistake."""
    telemetry, depth = PrometheusTelemetry(), [3.0]
    telemetry.watch("commit_queue_depth", lambda: depth[0])
    telemetry.watch("budget_least_left", lambda: None)
    telemetry.watch_prompts(lambda: {"memory": 5, "shared": 0})
    telemetry.watch_anomalies(lambda: 2)
    telemetry.lagged(0.02)
    depth[0] = 7.0

    assert _value(telemetry, "lor3_commit_queue_depth") == 7.0
    assert _value(telemetry, "lor3_budget_least_left_ratio") is None
    assert _value(telemetry, "lor3_prompt_reads_total", layer="memory") == 5.0
    assert _value(telemetry, "lor3_anomalies_unwritten_total") == 2.0
    assert _value(telemetry, "lor3_event_loop_lag_seconds_count") == 1.0
    with pytest.raises(ValueError, match="unknown gauge `depth`; known: in_flight"):
        telemetry.watch("depth", lambda: 0.0)


def test_process_and_build_show() -> None:
    """Memory, CPU and open files of this process, and what runs."""
    names = {name for name, _, _ in _samples(PrometheusTelemetry())}

    assert {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"} <= names
    assert "lor3_build_info" in names


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


def test_counters_have_no_series_of_when_they_were_made() -> None:
    """It would double what is scraped and kept."""
    prometheus = PrometheusTelemetry()
    prometheus.emit(ConfigReloaded(ok=True, faults=0))
    shown = prometheus.exposition().decode()

    assert 'lor3_config_reloads_total{outcome="ok"} 1.0' in shown
    assert "_created" not in shown


def test_a_selective_sink_is_called_with_what_it_takes_alone() -> None:
    """In its turn, and within another fan-out as well."""
    called: list[str] = []

    class Selective:
        def taker(self, kind: type) -> Callable[[Any], None] | None:
            return (lambda event: called.append("taker")) if kind is ChatAnswered else None

        def emit(self, event: Event) -> None:
            called.append("emit")

    class Plain:
        def emit(self, event: Event) -> None:
            called.append("plain")

    sinks = FanOutTelemetry([FanOutTelemetry([Selective()]), Plain()])
    sinks.emit(ANSWERED)
    sinks.emit(BreakerMoved(model=GPT, state="open"))

    assert called == ["taker", "plain", "plain"]


def test_models_that_become_known_have_a_name_from_then_on() -> None:
    """After a reload; what was counted before stays where it was."""
    telemetry = PrometheusTelemetry((GPT,))
    telemetry.emit(ANSWERED)
    telemetry.know((GPT, OPUS))
    telemetry.emit(ANSWERED)

    assert _value(telemetry, "lor3_chats_answered_total", model="other", stream="true") == 1.0
    assert _value(telemetry, "lor3_chats_answered_total", model=str(OPUS), stream="true") == 1.0
