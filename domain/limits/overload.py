"""How many requests a process takes at a time while it can't keep up.

What a process has too little of then is time, and its event loop comes late to everything. A pause that comes and
goes is no overload, lateness that stays is; as with packets in a queue (CoDel, RFC 8289). The number of requests that
are let in follows by additive increase and multiplicative decrease (Chiu and Jain, 1989).
"""

import math
from typing import Final

import attrs

LATE_S: Final = 0.1
"""An event loop that is later than this on the average of an interval is late. A crowd of a thousand streams that are
all served in time makes it late by some tens of milliseconds, which is no reason to refuse the next."""
INTERVAL_S: Final = 0.25
PATIENCE: Final = 4
"""Late intervals, one after the other, that make an overload."""
FEWER: Final = 0.8
MORE: Final = 1.05
LEAST: Final = 32
"""Requests that are let in however late the loop is: enough to keep it busy."""
CALM: Final = 8
"""Intervals in time, one after the other, that end the overload."""


@attrs.define
class OverloadGate:
    """Told how late the loop was, again and again; says how many requests may be under way."""

    limit: float = math.inf
    """Infinite as long as the loop keeps up."""
    _began_s: float = 0.0
    _late_s: float = 0.0
    """Of the interval, summed up."""
    _looks: int = 0
    _late: int = 0
    """Intervals that were late, one after the other."""
    _calm: int = 0

    def observe(self, late_s: float, *, now_s: float, in_flight: int) -> None:
        """
        Args:
            late_s: by how much a timer was late.
            now_s: the monotonic clock's.
            in_flight: requests under way now.
        """
        self._late_s += late_s
        self._looks += 1
        if now_s - self._began_s < INTERVAL_S:
            return
        is_late = self._late_s > LATE_S * self._looks
        self._began_s, self._late_s, self._looks = now_s, 0.0, 0
        self._late = self._late + 1 if is_late else 0
        self._calm = 0 if is_late else self._calm + 1
        if self._late >= PATIENCE:
            self.limit = max(LEAST, FEWER * min(self.limit, in_flight))
        elif not is_late and self.limit < math.inf:
            self.limit = self.limit * MORE + 1
            if self._calm >= CALM and in_flight < self.limit / 2:
                self.limit = math.inf

    def allows(self, in_flight: int) -> bool:
        """Whether one more may come to those under way."""
        return in_flight < self.limit
