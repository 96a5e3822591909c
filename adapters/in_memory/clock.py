"""Time that stands still until a test moves it."""

import asyncio
import datetime

import attrs

_EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@attrs.define
class ManualClock:
    """Both clocks move together by `advance` and by `sleep`, which returns at once."""

    _now: datetime.datetime = _EPOCH
    _monotonic: float = 1000.0
    slept: list[float] = attrs.field(factory=list, init=False)
    """Every sleep that was asked for, in seconds, in order."""

    def now(self) -> datetime.datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += datetime.timedelta(seconds=seconds)
        self._monotonic += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(max(seconds, 0.0))
        await asyncio.sleep(0)  # a sleep is a place where others run and where a cancellation arrives
