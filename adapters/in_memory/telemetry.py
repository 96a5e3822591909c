"""Events, kept for a test to look at."""

from typing import TypeVar

import attrs

from domain.telemetry import Event

E = TypeVar("E")


@attrs.define
class RecordingTelemetry:
    events: list[Event] = attrs.field(factory=list)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """The events of one type, in order."""
        return [event for event in self.events if isinstance(event, kind)]
