"""How many requests a process takes at a time while it can't keep up.

What a process has too little of then is time, and its event loop comes late to everything. A pause that comes and
goes is no overload, lateness that stays is; as with packets in a queue (CoDel, RFC 8289). From then on one request is
let in for each that ended, a few less while the loop is late and a few more while it is in time: those that wait for
somebody else, however many, neither make it late nor take anybody's place.
"""

import math
from typing import Final

import attrs

LATE_S: Final = 0.05
"""An event loop that is later than this on the average of an interval is late. A crowd of a thousand streams that are
all served in time makes it late by some tens of milliseconds, which is no reason to refuse the next."""
CROWDED_S: Final = 0.025
"""The same while requests end within `QUICK_S`: what these wait for is this process. Two thousand chats at a time make
no turn of the loop long, each takes part in many."""
QUICK_S: Final = 2.0
AIM_S: Final = 0.02
"""How late the loop is kept while requests are refused: so many under way that commits are shared, and quick to refuse."""
INTERVAL_S: Final = 0.1
PATIENCE_S: Final = 1.0
"""An overload is what makes intervals late for that long, each that is not taken off."""
SMOOTHED_S: Final = 0.3
"""Over which lateness is averaged while requests are refused: turns are long and short by turns."""
FEWER: Final = 0.2
"""Of those under way, the most that aren't replaced in an interval."""
UNREPLACED: Final = 0.75
"""Of those that ended, the same."""
MORE: Final = 0.1
"""Of those under way, the most that are let in beyond those that ended."""
LEAST: Final = 64
"""Requests that are let in however late the loop is: enough to keep it busy, though one caller gets 7/8 of it."""
CALM: Final = 10
"""Intervals in time and without a refusal, one after the other, that end the overload."""


@attrs.define
class OverloadGate:
    """Told how late the loop was, again and again; says how many requests may be under way."""

    limit: float = math.inf
    """Infinite as long as the loop keeps up."""
    late_s: float = 0.0
    """Of late, on the average."""
    _began_s: float = 0.0
    _sum_s: float = 0.0
    """Of the interval."""
    _looks: int = 0
    _late_for_s: float = 0.0
    _calm: int = 0
    _ended: int = 0
    _ended_per_s: float = 0.0
    _refused: int = 0

    @property
    def is_pressed(self) -> bool:
        """Whether the loop has no time to spare."""
        return self.limit < math.inf or self.late_s > AIM_S

    def observe(self, late_s: float, *, now_s: float, in_flight: int, ended: int, refused: int) -> None:
        """
        Args:
            late_s: by how much a timer was late.
            now_s: the monotonic clock's.
            in_flight: requests under way now.
            ended: requests that ended, ever.
            refused: requests that were refused for want of time or room, ever.
        """
        self._sum_s += late_s
        self._looks += 1
        took_s = now_s - self._began_s
        if took_s < INTERVAL_S:
            return
        latest_s = self._sum_s / self._looks
        self.late_s += (latest_s - self.late_s) * min(1.0, took_s / SMOOTHED_S)
        self._began_s, self._sum_s, self._looks = now_s, 0.0, 0
        ended, self._ended = ended - self._ended, ended
        refused, self._refused = refused - self._refused, refused
        self._ended_per_s += (ended / took_s - self._ended_per_s) * min(1.0, took_s / PATIENCE_S)
        is_quick = in_flight < self._ended_per_s * QUICK_S
        is_late = latest_s > (CROWDED_S if is_quick else LATE_S)
        if self.limit == math.inf:
            self._wait(is_late=is_late, took_s=took_s, in_flight=in_flight)
            return
        self._calm = 0 if refused or is_late else self._calm + 1
        if self._calm >= CALM:
            self.limit = math.inf
            return
        excess = self.late_s / AIM_S - 1
        if excess > 0:
            fewer = min(FEWER * in_flight, UNREPLACED * ended) * min(1.0, excess)
            self.limit = max(LEAST, min(self.limit, in_flight + fewer) - fewer)
        elif in_flight > self.limit / 2:
            self.limit += (1 + MORE * in_flight) * -excess

    def _wait(self, *, is_late: bool, took_s: float, in_flight: int) -> None:
        """Begins to refuse once it was late for long; a single turn, however long, is half of that at most."""
        passed_s = min(took_s, PATIENCE_S / 2)
        self._late_for_s = max(0.0, self._late_for_s + (passed_s if is_late else -passed_s))
        if self._late_for_s >= PATIENCE_S:
            self.limit = max(LEAST, in_flight)
            self._late_for_s, self._calm = 0.0, 0

    def allows(self, in_flight: int) -> bool:
        """Whether one more may come to those under way."""
        return in_flight < self.limit
