"""The watchdog around waits."""

import asyncio

import pytest

from application.services.watchdog import Watchdog


async def test_late_wait_is_cancelled_and_told_apart() -> None:
    """The one who armed it learns that it was the limit, and the task goes on."""
    dog = Watchdog.of_current_task()
    dog.arm(0.01)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(30)

    assert dog.expired()
    dog.close()
    await asyncio.sleep(0)


async def test_wait_in_time_is_left_alone() -> None:
    """Re-arming pushes the limit back; a disarmed dog never bites."""
    dog = Watchdog.of_current_task()
    for _ in range(5):
        dog.arm(0.05)
        await asyncio.sleep(0.02)
    dog.disarm()
    await asyncio.sleep(0.1)

    assert not dog.expired()
    dog.close()


async def test_shorter_limit_takes_effect_at_once() -> None:
    """A timer that runs for a longer limit does not delay a shorter one."""
    dog = Watchdog.of_current_task()
    dog.arm(60)
    dog.arm(0.01)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(30)

    assert dog.expired()
    dog.close()


async def test_cancellation_from_outside_is_not_claimed() -> None:
    """A caller's own cancel must go through."""
    claimed: list[bool] = []

    async def wait() -> None:
        dog = Watchdog.of_current_task()
        dog.arm(60)
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            claimed.append(dog.expired())
            raise
        finally:
            dog.close()

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert claimed == [False]
