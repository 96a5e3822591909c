"""Time."""

import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime.datetime:
        """The wall clock, aware, UTC. For records only: it may jump."""

    def monotonic(self) -> float:
        """Seconds that never go back, on the event loop's scale. For every limit and duration."""

    async def sleep(self, seconds: float) -> None: ...
