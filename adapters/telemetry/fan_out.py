"""Several sinks as one."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from adapters.telemetry.drop_count import LOG_DROPS
from application.ports.telemetry import SelectiveTelemetry, Telemetry
from domain.telemetry import Event


@attrs.define
class FanOutTelemetry:
    """Gives every event to every sink that takes its kind, in order. A sink that breaks its promise and raises
    silences no other."""

    _sinks: Sequence[Telemetry]
    _takers: dict[type, tuple[Callable[[Any], None], ...]] = attrs.field(factory=dict, init=False)
    """Found once for each kind of event: most sinks take few of them."""

    def emit(self, event: Event) -> None:
        kind = type(event)
        takers = self._takers.get(kind)
        if takers is None:
            takers = self._takers[kind] = tuple(self._of(kind))
        for take in takers:
            try:
                take(event)
            except Exception:  # a sink may be a plugin: a request must not notice what it does
                LOG_DROPS.add()

    def _of(self, kind: type) -> list[Callable[[Any], None]]:
        found: list[Callable[[Any], None]] = []
        for sink in self._sinks:
            if isinstance(sink, FanOutTelemetry):  # its sinks are as good as ours
                found += sink._of(kind)  # noqa: SLF001 - the same class
            elif not isinstance(sink, SelectiveTelemetry):
                found.append(sink.emit)
            elif (take := sink.taker(kind)) is not None:
                found.append(take)
        return found
