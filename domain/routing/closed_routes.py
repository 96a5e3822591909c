"""Which routes are closed, and for how long: plain bookkeeping that is told the time."""

from typing import Final

import attrs

from domain.errors import FailureKind

MAX_ROUTES: Final = 10_000
_ROUNDING_S: Final = 0.05


@attrs.define
class ClosedRoutes:
    """Routes by name, each with the moment it opens again. `now` is monotonic seconds throughout."""

    _closed: dict[str, tuple[float, FailureKind]] = attrs.field(factory=dict)

    def remaining(self, route: str, now: float) -> tuple[float, FailureKind] | None:
        """Seconds until the route opens, and why it is closed; None where it is open."""
        closed = self._closed.get(route)
        if closed is None:
            return None
        until, kind = closed
        if until <= now:
            del self._closed[route]
            return None
        return until - now, kind

    def close(self, route: str, kind: FailureKind, *, for_s: float, now: float) -> bool:
        """Whether the route is now closed for longer than before; a shorter time changes nothing."""
        if not for_s > 0:  # also NaN
            return False
        closed = self._closed.get(route)
        if closed is not None and closed[0] >= now + for_s - _ROUNDING_S:
            return False
        if closed is None and len(self._closed) >= MAX_ROUTES:
            self._closed = {name: entry for name, entry in self._closed.items() if entry[0] > now}
            if len(self._closed) >= MAX_ROUTES:
                return False  # model names can come from callers; forgetting a cooldown costs one call
        self._closed[route] = (now + for_s, kind)
        return True
