"""Where domain events go."""

from typing import Protocol

from domain.telemetry import Event


class Telemetry(Protocol):
    """A sink. Never blocks, never raises: a request must not notice it."""

    def emit(self, event: Event) -> None: ...
