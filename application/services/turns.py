"""Work that is heavy enough to be done one at a time in a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.errors import Overloaded


@asynccontextmanager
async def in_turn(lock: asyncio.Lock, *, max_wait_s: float, refusal: str) -> AsyncIterator[None]:
    """Inside, the lock is held.

    Raises:
        Overloaded: it stayed held by others for `max_wait_s`; `refusal` says by what, and the remedy.
    """
    try:
        async with asyncio.timeout(max_wait_s):
            await lock.acquire()
    except TimeoutError:
        raise Overloaded(refusal) from None
    try:
        yield
    finally:
        lock.release()
