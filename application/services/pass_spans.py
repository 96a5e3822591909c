"""How long each compiler pass takes, for those who trace requests."""

from collections.abc import Iterator
from contextlib import contextmanager

from application.ports.clock import Clock
from application.ports.telemetry import Telemetry
from application.services.request_scope import current
from domain.chat import ChatRequest
from domain.model import ModelRef
from domain.passes.compiler_pass import Pass, Rewrite, Target
from domain.telemetry import PassRan
from domain.values import frozen


@frozen
class _TimedPass:
    _inner: Pass
    _clock: Clock
    _ran: list[tuple[str, float, float]]

    @property
    def name(self) -> str:
        return self._inner.name

    def run(self, request: ChatRequest, target: Target) -> Rewrite:
        started = self._clock.monotonic()
        try:
            return self._inner.run(request, target)
        finally:
            self._ran.append((self._inner.name, started, self._clock.monotonic() - started))


@frozen(kw_only=True)
class PassSpans:
    """Wraps passes so that each emits `PassRan`. Made only where a sink wants spans."""

    _clock: Clock
    _telemetry: Telemetry

    @contextmanager
    def timed(self, passes: tuple[Pass, ...], model: ModelRef) -> Iterator[tuple[Pass, ...]]:
        """The same passes; what they took is told at the end, where it belongs to a request."""
        ran: list[tuple[str, float, float]] = []
        try:
            yield tuple([_TimedPass(each, self._clock, ran) for each in passes])
        finally:
            scope = current()
            for name, started_s, duration_s in ran if scope is not None else ():
                assert scope is not None  # noqa: S101 - for the type checker
                self._telemetry.emit(
                    PassRan(
                        request_id=scope.request_id,
                        name=name,
                        model=model,
                        started_s=started_s,
                        duration_s=duration_s,
                    )
                )
