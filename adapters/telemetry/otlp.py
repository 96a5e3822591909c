"""Traces and metrics for an OpenTelemetry collector, over OTLP/HTTP."""

import asyncio
import collections
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Self

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.util.types import AttributeValue

from adapters.telemetry.drop_count import LOG_DROPS
from adapters.telemetry.span_builder import TOLD, SpanBuilder, provider_name
from application.services.request_scope import current
from domain.telemetry import AttemptEnded, Event

_MAX_QUEUED: Final = 10_000
_GATHER_S: Final = 0.05
_CLOSE_WITHIN_S: Final = 3.0
_EXPORT_METRICS_EVERY_S: Final = 30.0
_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
"""Both as the conventions for generative AI advise."""


class OTLPTelemetry:
    """A sink that hands events to a thread, which makes spans and metrics of them for the SDK to export.

    `emit` takes about a microsecond. A collector that is away costs nothing but what it would have got: the SDK's
    queue is bounded, and so is this one; what does not fit counts as a dropped log line.
    """

    def __init__(
        self,
        spans: BatchSpanProcessor,
        meters: MeterProvider,
        resource: Resource,
        *,
        sample_ratio: float,
        content: bool,
    ) -> None:
        self.wants_content = content
        self._spans = spans
        self._meters = meters
        self._builder = SpanBuilder(resource, sample_ratio, content)
        meter = meters.get_meter("lor3")
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", "Time of one call to a provider."
        )
        self._first_chunk = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s", "Time to the first content of a stream."
        )
        self._chunk_gap = meter.create_histogram(
            "gen_ai.client.operation.time_per_output_chunk",
            "s",
            "Time for each further token of a stream, as providers send about a token a chunk.",
        )
        self._tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}", "Tokens of one call.")
        self._queue: collections.deque[tuple[Event, int, float, str | None]] = collections.deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lor3-otlp", daemon=True)
        self._thread.start()

    @classmethod
    def exporting(
        cls,
        *,
        endpoint: str,
        headers: Mapping[str, str],
        sample_ratio: float,
        timeout_s: float,
        content: bool,
    ) -> Self:
        """
        Args:
            endpoint: of a collector, without `/v1/traces`.
        """
        base = endpoint.rstrip("/")
        resource = Resource.create({"service.name": "lor3", "service.version": _own_version()})
        traces = OTLPSpanExporter(endpoint=f"{base}/v1/traces", headers=dict(headers), timeout=timeout_s)
        metrics = OTLPMetricExporter(endpoint=f"{base}/v1/metrics", headers=dict(headers), timeout=timeout_s)
        reader = PeriodicExportingMetricReader(
            metrics,
            export_interval_millis=_EXPORT_METRICS_EVERY_S * 1000,
            export_timeout_millis=timeout_s * 1000,
        )
        meters = MeterProvider(
            metric_readers=[reader],
            resource=resource,
            views=[
                View(
                    instrument_name="gen_ai.client.operation.*",
                    aggregation=ExplicitBucketHistogramAggregation(_SECONDS),
                ),
                View(
                    instrument_name="gen_ai.client.token.usage",
                    aggregation=ExplicitBucketHistogramAggregation(_TOKENS),
                ),
            ],
            shutdown_on_exit=False,
        )
        return cls(BatchSpanProcessor(traces), meters, resource, sample_ratio=sample_ratio, content=content)

    def taker(self, kind: type) -> Callable[[Any], None] | None:
        return self.emit if kind in TOLD else None

    def emit(self, event: Event) -> None:
        if type(event) not in TOLD:
            return
        if len(self._queue) >= _MAX_QUEUED:
            LOG_DROPS.add()
            return
        scope = current()
        traceparent = None if scope is None else scope.traceparent
        self._queue.append((event, time.time_ns(), time.monotonic(), traceparent))
        if not self._wake.is_set():
            self._wake.set()

    async def aclose(self) -> None:
        """Exports what is there, within three seconds; what a slow collector does not take by then is lost."""
        self._closing.set()
        self._wake.set()
        ending = threading.Thread(target=self._end, name="lor3-otlp-end", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, _CLOSE_WITHIN_S)

    def _end(self) -> None:
        self._thread.join()
        # Both at once: each may wait for the collector.
        shutting = threading.Thread(target=self._spans.shutdown, daemon=True)
        shutting.start()
        self._meters.shutdown(timeout_millis=_CLOSE_WITHIN_S * 1000)
        shutting.join()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._closing.wait(_GATHER_S)
            self._wake.clear()
            is_last = self._closing.is_set()
            while self._queue:
                try:
                    self._take(*self._queue.popleft())
                except Exception:  # one event must not end the telling of all others
                    LOG_DROPS.add()
            if is_last:
                return

    def _take(self, event: Event, at_ns: int, monotonic_s: float, traceparent: str | None) -> None:
        made = self._builder.take(event, at_ns=at_ns, monotonic_s=monotonic_s, traceparent=traceparent)
        for span in made:
            self._spans.on_end(span)
        if isinstance(event, AttemptEnded):
            self._measure(event)

    def _measure(self, event: AttemptEnded) -> None:
        about: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider_name(event.model.provider),
            "gen_ai.request.model": event.model.model,
        }
        for kind, count in (("input", event.input_tokens), ("output", event.output_tokens)):
            if count is not None:
                self._tokens.record(count, {**about, "gen_ai.token.type": kind})
        if event.first_chunk_s is not None:
            self._first_chunk.record(event.first_chunk_s, about)
            if event.output_tokens is not None and event.output_tokens > 1:
                rest_s = max(0.0, event.duration_s - event.first_chunk_s)
                self._chunk_gap.record(rest_s / (event.output_tokens - 1), about)
        failed: dict[str, AttributeValue] = {} if event.outcome == "ok" else {"error.type": event.outcome}
        self._duration.record(event.duration_s, about | failed)


def _own_version() -> str:
    try:
        return version("lor3")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
