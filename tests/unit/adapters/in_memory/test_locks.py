"""Locks by name."""

import asyncio

import pytest

from adapters.in_memory.locks import Locks
from domain.errors import StorageUnavailable


async def test_whoever_waits_longest_is_next() -> None:
    """In the order in which they asked."""
    locks = Locks()
    order: list[int] = []

    async def take(number: int) -> None:
        await locks.hold("a")
        order.append(number)
        await asyncio.sleep(0)
        locks.release("a")

    await asyncio.gather(*(take(number) for number in range(5)))

    assert list(range(5)) == order
    assert locks.is_free("a")


async def test_cancelled_and_late_waiters_leave_nothing_behind() -> None:
    """The lock is free once its holder lets go; another name was free all the time."""
    locks = Locks(timeout_s=0.02)
    await locks.hold("a")
    assert locks.is_free("b")
    waiter = asyncio.ensure_future(locks.hold("a"))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    with pytest.raises(StorageUnavailable, match="try again"):
        await locks.hold("a")
    assert not locks.is_free("a")
    locks.release("a")

    assert locks.is_free("a")
