"""The cooldown board of a single process."""

import attrs

from application.ports.clock import Clock
from application.ports.cooldown_board import Cooldown
from domain.errors import FailureKind

_MAX_ROUTES = 10_000


@attrs.define(kw_only=True)
class LocalCooldownBoard:
    """Shared with nobody: what lor3 uses where no Redis is configured."""

    _clock: Clock
    _closed: dict[str, tuple[float, FailureKind]] = attrs.field(factory=dict, init=False)
    """Route → the monotonic moment it opens again, and why it is closed."""

    def active(self, route: str) -> Cooldown | None:
        closed = self._closed.get(route)
        if closed is None:
            return None
        until, kind = closed
        remaining_s = until - self._clock.monotonic()
        if remaining_s <= 0:
            del self._closed[route]
            return None
        return Cooldown(route=route, kind=kind, remaining_s=remaining_s)

    def close_route(self, route: str, kind: FailureKind, *, for_s: float) -> None:
        if not for_s > 0:  # also NaN
            return
        now = self._clock.monotonic()
        closed = self._closed.get(route)
        if closed is not None and closed[0] >= now + for_s:
            return
        if closed is None and len(self._closed) >= _MAX_ROUTES:
            self._closed = {name: entry for name, entry in self._closed.items() if entry[0] > now}
            if len(self._closed) >= _MAX_ROUTES:
                return  # model names can come from callers; forgetting a cooldown costs one call
        self._closed[route] = (now + for_s, kind)

    async def start(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""
