"""The wish that an answer ends, heard where the chat waits and nowhere else."""

import asyncio

import pytest

from application.services.stop_signal import StoppedByCaller, StopSignal


async def test_it_interrupts_what_is_waited_for_while_armed() -> None:
    """The cancellation is taken back: the task goes on."""
    stop = StopSignal()

    async def chat() -> str:
        stop.arm()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if not stop.took_place():
                raise
            await asyncio.sleep(0)  # nothing is left of it
            return "stopped"
        return "slept"

    task = asyncio.ensure_future(chat())
    await asyncio.sleep(0)
    stop.set()
    stop.set()

    assert await task == "stopped"
    assert task.cancelling() == 0


async def test_it_is_not_heard_while_disarmed() -> None:
    """Such as in a commit; the next `arm` raises."""
    stop = StopSignal()

    async def chat() -> str:
        stop.arm()
        stop.disarm()
        await asyncio.sleep(0.01)
        with pytest.raises(StoppedByCaller):
            stop.arm()
        return "committed"

    task = asyncio.ensure_future(chat())
    await asyncio.sleep(0)
    stop.set()

    assert await task == "committed"


async def test_somebody_elses_cancellation_goes_on() -> None:
    """Alone, or beside the wish to stop."""
    for also_stopped in (False, True):
        stop = StopSignal()
        took: list[bool] = []

        async def chat(stop: StopSignal = stop, took: list[bool] = took) -> None:
            stop.arm()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                took.append(stop.took_place())
                raise

        task = asyncio.ensure_future(chat())
        await asyncio.sleep(0)
        if also_stopped:
            stop.set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert took == [False]
