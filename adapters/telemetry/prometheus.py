"""Metrics for Prometheus."""

import platform
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, TypeVar

import attrs
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters.telemetry import metric_names as names
from adapters.telemetry.drop_count import LOG_DROPS
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

# Else each counter and histogram has a gauge `…_created` beside each of its series, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call] # as the library is

_OTHER: Final = "other"
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_BREAKER_STATES: Final = {"closed": 0, "half_open": 1, "open": 2}
_MAX_VALUES: Final = 100
"""Values of one label that are shown by name where no closed set is given."""
M = TypeVar("M", Counter, Gauge, Histogram)


@attrs.define
class _Closed:
    """The values that one label may take: those given, or the first hundred that come."""

    given: frozenset[str] | None = None
    seen: set[str] = attrs.field(factory=set)

    def __call__(self, value: str) -> str:
        if self.given is not None:
            return value if value in self.given else _OTHER
        if value not in self.seen:
            if len(self.seen) >= _MAX_VALUES:
                return _OTHER
            self.seen.add(value)
        return value


class _DroppedLines(Collector):
    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(names.LOG_DROPPED.name, names.LOG_DROPPED.help, value=LOG_DROPS.lines)


@attrs.define(eq=False)
class _Read(Collector):
    """Values that are kept elsewhere and read when somebody asks."""

    gauges: dict[str, Callable[[], float | None]] = attrs.field(factory=dict)
    prompt_reads: Callable[[], Mapping[str, int]] | None = None
    unwritten: Callable[[], int] | None = None

    def collect(self) -> Iterator[Metric]:
        for name, read in self.gauges.items():
            metric, value = names.WATCHED[name], read()
            if value is not None:
                yield GaugeMetricFamily(metric.name, metric.help, value=value)
        if self.prompt_reads is not None:
            metric = names.PROMPT_READS
            family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            for layer, count in self.prompt_reads().items():
                family.add_metric([layer], count)
            yield family
        if self.unwritten is not None:
            metric = names.ANOMALIES_UNWRITTEN
            yield CounterMetricFamily(metric.name, metric.help, value=self.unwritten())


class PrometheusTelemetry:
    """Counts events in a registry of its own, by the names of `metric_names.py`.

    Models outside `models` (the catalogue and what the configuration names) show as `other`; without `models` the
    first hundred that are called have a name. `emit` never raises.
    """

    def __init__(self, models: Collection[ModelRef] | None = None) -> None:
        self.registry = CollectorRegistry()
        self._model, self._provider = _Closed(), _Closed()
        if models is not None:
            self.know(models)
        self._word = _Closed()
        self._route = _Closed()
        self._children: dict[tuple[Any, ...], Any] = {}
        self._http_requests = self._make(Counter, names.HTTP_REQUESTS)
        self._http_duration = self._make(Histogram, names.HTTP_DURATION)
        self._answered = self._make(Counter, names.CHATS_ANSWERED)
        self._replays = self._make(Counter, names.REPLAYS)
        self._refused = self._make(Counter, names.CHATS_REFUSED)
        self._lost = self._make(Counter, names.CHATS_LOST)
        self._chat_duration = self._make(Histogram, names.CHAT_DURATION)
        self._overhead = self._make(Histogram, names.OVERHEAD)
        self._attempts = self._make(Counter, names.ATTEMPTS)
        self._attempt_duration = self._make(Histogram, names.ATTEMPT_DURATION)
        self._retries = self._make(Counter, names.RETRIES)
        self._fallbacks = self._make(Counter, names.FALLBACKS)
        self._breaker_state = self._make(Gauge, names.BREAKER_STATE)
        self._misconfigured = self._make(Counter, names.MISCONFIGURED)
        self._tokens = self._make(Counter, names.TOKENS)
        self._cost = self._make(Counter, names.COST)
        self._cost_unknown = self._make(Counter, names.COST_UNKNOWN)
        self._first_token = self._make(Histogram, names.FIRST_TOKEN)
        self._token_gap = self._make(Histogram, names.TOKEN_GAP)
        self._keys_refused = self._make(Counter, names.KEYS_REFUSED)
        self._turned_away = self._make(Counter, names.TURNED_AWAY)
        self._rates_refused = self._make(Counter, names.RATES_REFUSED)
        self._budgets_refused = self._make(Counter, names.BUDGETS_REFUSED)
        self._budgets_passed = self._make(Counter, names.BUDGETS_PASSED)
        self._anomalies = self._make(Counter, names.ANOMALIES)
        self._reloads = self._make(Counter, names.CONFIG_RELOADS)
        self._loop_lag = self._make(Histogram, names.LOOP_LAG)
        self._make(Gauge, names.BUILD_INFO).labels(_own_version(), platform.python_version()).set(1)
        self._read = _Read()
        self.registry.register(self._read)
        self.registry.register(_DroppedLines())
        ProcessCollector(registry=self.registry)
        self._handlers: dict[type, Callable[[Any], None]] = {
            AttemptEnded: self._attempt_ended,
            FallbackTaken: self._fallback_taken,
            ChatAnswered: self._chat_answered,
            ChatReplayed: self._chat_replayed,
            ChatRefused: self._chat_refused,
            ChatLost: self._chat_lost,
            BreakerMoved: self._breaker_moved,
            ModelMisconfigured: self._model_misconfigured,
            RequestServed: self._request_served,
            RequestsShed: self._requests_shed,
            KeyRefused: self._key_refused,
            RequestRefused: self._request_refused,
            RateRefused: self._rate_refused,
            BudgetRefused: self._budget_refused,
            BudgetPassed: self._budget_passed,
            AnomalySeen: self._anomaly_seen,
            ConfigReloaded: self._config_reloaded,
        }

    def know(self, models: Collection[ModelRef]) -> None:
        """From now on these are shown by name."""
        self._model.given = frozenset(str(model) for model in models)
        self._provider.given = frozenset(model.provider for model in models)

    def emit(self, event: Event) -> None:
        handler = self._handlers.get(type(event))
        if handler is None:
            return  # an event that metrics make nothing of
        try:
            handler(event)
        except (
            Exception
        ):  # the port's promise: a request must not notice its metrics, whatever is wrong with them
            LOG_DROPS.add()

    def watch(self, name: str, read: Callable[[], float | None]) -> None:
        """Shows what `read` gives as the gauge of that name in `metric_names.WATCHED`; None shows nothing."""
        if name not in names.WATCHED:
            raise ValueError(f"unknown gauge `{name}`; known: {', '.join(names.WATCHED)}")
        self._read.gauges[name] = read

    def watch_prompts(self, read: Callable[[], Mapping[str, int]]) -> None:
        """Reads of prompts since the start, by layer."""
        self._read.prompt_reads = read

    def watch_anomalies(self, unwritten: Callable[[], int]) -> None:
        """How many were not stored since the start."""
        self._read.unwritten = unwritten

    def lagged(self, lag_s: float) -> None:
        """How late the event loop was."""
        self._loop_lag.observe(lag_s)

    def exposition(self) -> bytes:
        """The text format, for `GET /metrics` (`text/plain; version=1.0.0`)."""
        return generate_latest(self.registry)

    def _make(self, kind: type[M], metric: names.Metric) -> M:
        if metric.buckets:
            return kind(
                metric.name, metric.help, metric.labels, registry=self.registry, buckets=metric.buckets
            )  # type: ignore[call-arg] # histograms have them
        return kind(metric.name, metric.help, metric.labels, registry=self.registry)

    def _child(self, metric: M, *values: str) -> M:
        # prometheus_client takes a lock and builds a tuple of strings in every `labels()`.
        key = (metric, *values)
        child: M | None = self._children.get(key)
        if child is None:
            child = metric.labels(*values)
            self._children[key] = child
        return child

    def _attempt_ended(self, event: AttemptEnded) -> None:
        provider, model = self._provider(event.model.provider), self._model(str(event.model))
        self._child(self._attempts, provider, model, self._word(event.outcome)).inc()
        self._child(self._attempt_duration, provider, model).observe(event.duration_s)
        if event.retry:
            self._child(self._retries, provider, model).inc()

    def _fallback_taken(self, event: FallbackTaken) -> None:
        from_, to = self._model(str(event.from_model)), self._model(str(event.to_model))
        self._child(self._fallbacks, from_, to, self._word(event.reason)).inc()

    def _chat_answered(self, event: ChatAnswered) -> None:
        model, usage = self._model(str(event.model)), event.usage
        self._child(self._answered, model, "true" if event.stream else "false").inc()
        self._child(self._chat_duration, model).observe(event.duration_s)
        self._overhead.observe(event.overhead_s)
        if event.first_token_s is not None:
            self._child(self._first_token, model).observe(event.first_token_s)
            if usage.output_tokens > 1:
                gap_s = max(0.0, event.duration_s - event.first_token_s) / (usage.output_tokens - 1)
                self._child(self._token_gap, model).observe(gap_s)
        self._child(self._tokens, model, "input").inc(usage.input_tokens)
        self._child(self._tokens, model, "output").inc(usage.output_tokens)
        if usage.cached_input_tokens:
            self._child(self._tokens, model, "cached_input").inc(usage.cached_input_tokens)
        if usage.cache_write_tokens:
            self._child(self._tokens, model, "cache_write").inc(usage.cache_write_tokens)
        if usage.reasoning_tokens:
            self._child(self._tokens, model, "reasoning").inc(usage.reasoning_tokens)
        if event.cost_usd is None:
            self._child(self._cost_unknown, model).inc()
        else:
            self._child(self._cost, model).inc(float(event.cost_usd))

    def _chat_replayed(self, event: ChatReplayed) -> None:
        self._replays.inc()

    def _chat_refused(self, event: ChatRefused) -> None:
        self._child(self._refused, self._word(event.code)).inc()

    def _chat_lost(self, event: ChatLost) -> None:
        self._child(self._lost, self._word(event.code)).inc()

    def _breaker_moved(self, event: BreakerMoved) -> None:
        provider, model = self._provider(event.model.provider), self._model(str(event.model))
        if model != _OTHER:  # many models' breakers in one gauge would say nothing
            self._child(self._breaker_state, provider, model).set(_BREAKER_STATES[event.state])

    def _model_misconfigured(self, event: ModelMisconfigured) -> None:
        provider, model = self._provider(event.model.provider), self._model(str(event.model))
        self._child(self._misconfigured, provider, model).inc()

    def _key_refused(self, event: KeyRefused) -> None:
        self._child(self._keys_refused, self._word(event.code)).inc()

    def _request_refused(self, event: RequestRefused) -> None:
        self._child(self._turned_away, self._word(event.code)).inc()

    def _rate_refused(self, event: RateRefused) -> None:
        self._child(self._rates_refused, self._word(event.subject), self._word(event.limit)).inc()

    def _budget_refused(self, event: BudgetRefused) -> None:
        self._child(self._budgets_refused, self._word(event.subject), self._word(event.period)).inc()

    def _budget_passed(self, event: BudgetPassed) -> None:
        self._child(self._budgets_passed, self._word(event.subject), self._word(event.period)).inc()

    def _anomaly_seen(self, event: AnomalySeen) -> None:
        self._child(self._anomalies, self._word(event.dimension), self._word(event.measure)).inc()

    def _config_reloaded(self, event: ConfigReloaded) -> None:
        self._child(self._reloads, "ok" if event.ok else "faulty").inc()

    def _request_served(self, event: RequestServed) -> None:
        route = self._route(event.route)
        method = event.method if event.method in _METHODS else _OTHER
        self._child(self._http_requests, route, method, _status_class(event.status)).inc()
        self._child(self._http_duration, route).observe(event.duration_s)

    def _requests_shed(self, event: RequestsShed) -> None:
        # They took no time, and the histogram of durations is of those that did.
        self._child(self._http_requests, self._route(event.route), "POST", "5xx").inc(event.requests)
        self._child(self._turned_away, "overloaded").inc(event.requests)


def _status_class(status: int) -> str:
    return f"{status // 100}xx" if 100 <= status < 600 else _OTHER


def _own_version() -> str:
    try:
        return version("lor3")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
