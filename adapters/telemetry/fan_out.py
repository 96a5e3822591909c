"""Several sinks as one."""

from collections.abc import Sequence

from adapters.telemetry.drop_count import LOG_DROPS
from application.ports.telemetry import Telemetry
from domain.telemetry import Event
from domain.values import frozen


@frozen
class FanOutTelemetry:
    """Gives every event to every sink, in order. A sink that breaks its promise and raises silences no other."""

    _sinks: Sequence[Telemetry]

    def emit(self, event: Event) -> None:
        for sink in self._sinks:
            try:
                sink.emit(event)
            except Exception:  # a sink may be a plugin: a request must not notice what it does
                LOG_DROPS.add()
