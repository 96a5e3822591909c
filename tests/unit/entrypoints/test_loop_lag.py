"""How late the event loop is."""

import asyncio
import time

from entrypoints.loop_lag import EVERY_S, LoopLag


async def test_what_holds_the_loop_up_shows() -> None:
    """By how long; once stopped it says nothing more."""
    told: list[float] = []
    lag = LoopLag(told.append)
    lag.start()
    await asyncio.sleep(EVERY_S / 2)
    time.sleep(EVERY_S)  # noqa: ASYNC251 - what a handler should not do
    while not told:  # noqa: ASYNC110 - a timer's turn is waited for
        await asyncio.sleep(0.01)
    lag.stop()
    count = len(told)
    await asyncio.sleep(EVERY_S * 1.2)

    assert told[0] >= EVERY_S / 3
    assert len(told) == count
