"""Metrics for Prometheus."""

import platform
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import attrs

from adapters.telemetry import metric_names as names
from adapters.telemetry.drop_count import LOG_DROPS
from adapters.telemetry.exposition import exposition
from adapters.telemetry.series import (
    NONE,
    Counts,
    Distribution,
    Distributions,
    Family,
    Labels,
    Number,
    S,
    counts,
    distributions,
    gauges,
    read_once,
)
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

_OTHER: Final = "other"
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_BREAKER_STATES: Final = {"closed": 0, "half_open": 1, "open": 2}
_MAX_VALUES: Final = 100
"""Values of one label that are shown by name where no closed set is given."""
_MAX_REMEMBERED: Final = 1_000
"""Models and kinds of answers whose series are found at once; of further ones they are looked for each time."""


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


@attrs.define(eq=False)
class _ModelLabels:
    """The labels of all that is counted of one model, made once."""

    ref: ModelRef
    """The very object that they were made of: with it no other one can have its id."""
    provider: str
    model: str
    whole: Labels = attrs.field(init=False)
    streamed: Labels = attrs.field(init=False)
    alone: Labels = attrs.field(init=False)
    with_provider: Labels = attrs.field(init=False)
    input: Labels = attrs.field(init=False)
    output: Labels = attrs.field(init=False)
    outcomes: dict[str, Labels] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        model = self.model
        self.whole, self.streamed = (model, "false"), (model, "true")
        self.alone, self.with_provider = (model,), (self.provider, model)
        self.input, self.output = (model, "input"), (model, "output")


@attrs.define(eq=False)
class _Read:
    """Values that are kept elsewhere and read when somebody asks."""

    gauges: dict[str, Callable[[], float | None]] = attrs.field(factory=dict)
    prompt_reads: Callable[[], Mapping[str, int]] | None = None
    unwritten: Callable[[], int] | None = None

    def collect(self) -> Iterator[Counts]:
        for name, read in self.gauges.items():
            value = read()
            if value is not None:
                yield read_once(names.WATCHED[name], "gauge", {NONE: value})
        if self.prompt_reads is not None:
            by_layer: dict[Labels, float] = {
                (layer,): float(count) for layer, count in self.prompt_reads().items()
            }
            yield read_once(names.PROMPT_READS, "counter", by_layer)
        if self.unwritten is not None:
            yield read_once(names.ANOMALIES_UNWRITTEN, "counter", {NONE: self.unwritten()})
        yield read_once(names.LOG_DROPPED, "counter", {NONE: LOG_DROPS.lines})


class PrometheusTelemetry:
    """Counts events, by the names of `metric_names.py`.

    Models outside `models` (the catalogue and what the configuration names) show as `other`; without `models` the
    first hundred that are called have a name. `emit` never raises.
    """

    def __init__(self, models: Collection[ModelRef] | None = None) -> None:
        self._families: list[Counts | Distributions] = []
        self._by_id: dict[int, _ModelLabels] = {}
        self._model, self._provider = _Closed(), _Closed()
        if models is not None:
            self.know(models)
        self._word = _Closed()
        self._route = _Closed()
        self._served: dict[tuple[str, str, int], tuple[Number, Distribution]] = {}
        self._http_requests = self._keep(counts(names.HTTP_REQUESTS))
        self._http_duration = self._keep(distributions(names.HTTP_DURATION))
        self._answered = self._keep(counts(names.CHATS_ANSWERED))
        self._replays = self._keep(counts(names.REPLAYS))[NONE]
        self._refused = self._keep(counts(names.CHATS_REFUSED))
        self._lost = self._keep(counts(names.CHATS_LOST))
        self._chat_duration = self._keep(distributions(names.CHAT_DURATION))
        self._overhead = self._keep(distributions(names.OVERHEAD))[NONE]
        self._attempts = self._keep(counts(names.ATTEMPTS))
        self._attempt_duration = self._keep(distributions(names.ATTEMPT_DURATION))
        self._retries = self._keep(counts(names.RETRIES))
        self._fallbacks = self._keep(counts(names.FALLBACKS))
        self._breaker_state = self._keep(gauges(names.BREAKER_STATE))
        self._misconfigured = self._keep(counts(names.MISCONFIGURED))
        self._tokens = self._keep(counts(names.TOKENS))
        self._cost = self._keep(counts(names.COST))
        self._cost_unknown = self._keep(counts(names.COST_UNKNOWN))
        self._first_token = self._keep(distributions(names.FIRST_TOKEN))
        self._token_gap = self._keep(distributions(names.TOKEN_GAP))
        self._keys_refused = self._keep(counts(names.KEYS_REFUSED))
        self._turned_away = self._keep(counts(names.TURNED_AWAY))
        self._rates_refused = self._keep(counts(names.RATES_REFUSED))
        self._budgets_refused = self._keep(counts(names.BUDGETS_REFUSED))
        self._budgets_passed = self._keep(counts(names.BUDGETS_PASSED))
        self._anomalies = self._keep(counts(names.ANOMALIES))
        self._reloads = self._keep(counts(names.CONFIG_RELOADS))
        self._loop_lag = self._keep(distributions(names.LOOP_LAG))[NONE]
        self._keep(gauges(names.BUILD_INFO))[_own_version(), platform.python_version()].value = 1.0
        self._read = _Read()
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
        self._by_id.clear()

    def taker(self, kind: type) -> Callable[[Any], None] | None:
        """What counts events of that kind, which may raise as `emit` may not."""
        return self._handlers.get(kind)

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
        return exposition((*self._families, *self._read.collect()))

    def _keep(self, family: Family[S]) -> Family[S]:
        self._families.append(family)
        return family

    def _labels(self, ref: ModelRef) -> _ModelLabels:
        # Asking a dictionary by the model itself runs its `__hash__`, which is Python's.
        found = self._by_id.get(id(ref))
        if found is None or found.ref is not ref:
            found = _ModelLabels(ref, self._provider(ref.provider), self._model(str(ref)))
            if len(self._by_id) < _MAX_REMEMBERED:
                self._by_id[id(ref)] = found
        return found

    def _attempt_ended(self, event: AttemptEnded) -> None:
        of, outcome = self._labels(event.model), event.outcome
        labels = of.outcomes.get(outcome)
        if labels is None:
            word = self._word(outcome)
            labels = (of.provider, of.model, word)
            if word != _OTHER:
                of.outcomes[outcome] = labels
        self._attempts[labels].value += 1
        self._attempt_duration[of.with_provider].observe(event.duration_s)
        if event.retry:
            self._retries[of.with_provider].value += 1

    def _fallback_taken(self, event: FallbackTaken) -> None:
        from_, to = self._labels(event.from_model), self._labels(event.to_model)
        self._fallbacks[from_.model, to.model, self._word(event.reason)].value += 1

    def _chat_answered(self, event: ChatAnswered) -> None:
        of, usage = self._labels(event.model), event.usage
        alone, tokens = of.alone, self._tokens
        self._answered[of.streamed if event.stream else of.whole].value += 1
        self._chat_duration[alone].observe(event.duration_s)
        self._overhead.observe(event.overhead_s)
        if event.first_token_s is not None:
            self._first_token[alone].observe(event.first_token_s)
            if usage.output_tokens > 1:
                gap_s = max(0.0, event.duration_s - event.first_token_s) / (usage.output_tokens - 1)
                self._token_gap[alone].observe(gap_s)
        tokens[of.input].value += usage.input_tokens
        tokens[of.output].value += usage.output_tokens
        if usage.cached_input_tokens:
            tokens[of.model, "cached_input"].value += usage.cached_input_tokens
        if usage.cache_write_tokens:
            tokens[of.model, "cache_write"].value += usage.cache_write_tokens
        if usage.reasoning_tokens:
            tokens[of.model, "reasoning"].value += usage.reasoning_tokens
        if event.cost_usd is None:
            self._cost_unknown[alone].value += 1
        else:
            self._cost[alone].value += float(event.cost_usd)

    def _chat_replayed(self, event: ChatReplayed) -> None:
        self._replays.value += 1

    def _chat_refused(self, event: ChatRefused) -> None:
        self._refused[(self._word(event.code),)].value += 1

    def _chat_lost(self, event: ChatLost) -> None:
        self._lost[(self._word(event.code),)].value += 1

    def _breaker_moved(self, event: BreakerMoved) -> None:
        of = self._labels(event.model)
        if of.model != _OTHER:  # many models' breakers in one gauge would say nothing
            self._breaker_state[of.with_provider].value = _BREAKER_STATES[event.state]

    def _model_misconfigured(self, event: ModelMisconfigured) -> None:
        self._misconfigured[self._labels(event.model).with_provider].value += 1

    def _key_refused(self, event: KeyRefused) -> None:
        self._keys_refused[(self._word(event.code),)].value += 1

    def _request_refused(self, event: RequestRefused) -> None:
        self._turned_away[(self._word(event.code),)].value += 1

    def _rate_refused(self, event: RateRefused) -> None:
        self._rates_refused[self._word(event.subject), self._word(event.limit)].value += 1

    def _budget_refused(self, event: BudgetRefused) -> None:
        self._budgets_refused[self._word(event.subject), self._word(event.period)].value += 1

    def _budget_passed(self, event: BudgetPassed) -> None:
        self._budgets_passed[self._word(event.subject), self._word(event.period)].value += 1

    def _anomaly_seen(self, event: AnomalySeen) -> None:
        self._anomalies[self._word(event.dimension), self._word(event.measure)].value += 1

    def _config_reloaded(self, event: ConfigReloaded) -> None:
        self._reloads[("ok" if event.ok else "faulty",)].value += 1

    def _request_served(self, event: RequestServed) -> None:
        key = (event.route, event.method, event.status)
        found = self._served.get(key)
        if found is None:
            route = self._route(event.route)
            method = event.method if event.method in _METHODS else _OTHER
            found = (
                self._http_requests[route, method, _status_class(event.status)],
                self._http_duration[(route,)],
            )
            if len(self._served) < _MAX_REMEMBERED:
                self._served[key] = found
        found[0].value += 1
        found[1].observe(event.duration_s)

    def _requests_shed(self, event: RequestsShed) -> None:
        # They took no time, and the histogram of durations is of those that did.
        self._http_requests[self._route(event.route), "POST", "5xx"].value += event.requests
        self._turned_away[("overloaded",)].value += event.requests


def _status_class(status: int) -> str:
    return f"{status // 100}xx" if 100 <= status < 600 else _OTHER


def _own_version() -> str:
    try:
        return version("lor3")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
