"""The cooldown board of a single process."""

import attrs

from application.ports.clock import Clock
from application.ports.cooldown_board import Cooldown
from domain.errors import FailureKind
from domain.routing.closed_routes import ClosedRoutes


@attrs.define(kw_only=True)
class LocalCooldownBoard:
    """Shared with nobody: what lor3 uses where no Redis is configured."""

    _clock: Clock
    _closed: ClosedRoutes = attrs.field(factory=ClosedRoutes, init=False)

    def active(self, route: str) -> Cooldown | None:
        closed = self._closed.remaining(route, self._clock.monotonic())
        return None if closed is None else Cooldown(route=route, remaining_s=closed[0], kind=closed[1])

    def close_route(self, route: str, kind: FailureKind, *, for_s: float) -> None:
        self._closed.close(route, kind, for_s=for_s, now=self._clock.monotonic())

    async def start(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""
