"""One editor of prompts does long work at a time, so that chats have threads, connections and the processor."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import attrs

from domain.errors import Overloaded

MAX_WAITING: Final = 64
MAX_WAIT_S: Final = 15.0


@attrs.define
class EditorTurns:
    """Whoever waits holds nothing: take a turn before a connection or a lock.

    One at a time, as threads that compute share one processor: two of them would take as long for both, and a
    chat would wait for either.
    """

    _free: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)
    _waiting: int = attrs.field(default=0, init=False)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """In the order in which they came.

        Raises:
            Overloaded: too many wait already, or it took too long.
        """
        if self._waiting >= MAX_WAITING:
            raise Overloaded(
                f"{MAX_WAITING} changes of prompts wait to be compiled already; try again shortly"
            )
        self._waiting += 1
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            raise Overloaded("other changes of prompts took too long to compile; try again shortly") from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
