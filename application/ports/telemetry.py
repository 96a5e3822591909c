"""Where domain events go."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from domain.telemetry import Event


class Telemetry(Protocol):
    """A sink. Never blocks, never raises: a request must not notice it."""

    def emit(self, event: Event) -> None: ...


@runtime_checkable
class SelectiveTelemetry(Telemetry, Protocol):
    """A sink that makes nothing of most kinds of events, and need not be called with them."""

    def taker(self, kind: type) -> Callable[[Any], None] | None:
        """What takes events of that kind in place of `emit`, always; None where they are nothing to it."""
