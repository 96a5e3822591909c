"""Waiting for what has to happen, however slow the machine is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

HANGS_S: Final = 30.0
"""What takes longer is taken for something that never comes. No measure of speed: a busy machine takes a while."""


async def eventually(happened: Callable[[], bool], *, within_s: float = HANGS_S) -> None:
    """Returns as soon as it is so.

    Raises:
        AssertionError: it is not, after `within_s`.
    """
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_s
    while not happened():
        assert loop.time() < end_s, f"it did not happen within {within_s} s"
        await asyncio.sleep(0.01)


async def eventually_so(happens: Callable[[], Awaitable[bool]], *, within_s: float = HANGS_S) -> None:
    """The same of what has to be asked for."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_s
    while not await happens():
        assert loop.time() < end_s, f"it did not happen within {within_s} s"
        await asyncio.sleep(0.01)
