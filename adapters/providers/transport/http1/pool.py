"""The connections to one origin: the last one used is the first one used again."""

import asyncio
from typing import Final

import attrs

from adapters.providers.transport.http1.connection import Connection

IDLE_S: Final = 30.0
"""Servers close idle connections too, most after 60 s or more; closing first spares a lost race."""


@attrs.define(eq=False)
class Pool:
    """A `Home` of connections, of the running loop. Has no limit: how much may be in flight is decided before a call comes here."""

    # Asking for it costs a system call in Python 3.11, and each exchange would ask twice.
    _loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop, init=False, repr=False)
    _idle: dict[Connection, float] = attrs.field(factory=dict, repr=False)
    """Since when each has been idle, the oldest first."""
    _open: set[Connection] = attrs.field(factory=set, repr=False)
    _sweep: asyncio.TimerHandle | None = None
    _emptied: "asyncio.Future[None] | None" = None
    _is_closed: bool = False

    def take(self) -> Connection | None:
        """An idle connection that is open as far as is known."""
        while self._idle:
            connection, since_s = self._idle.popitem()
            if connection.is_usable:
                if self._loop.time() - since_s < IDLE_S:
                    return connection
                connection.abort()
        return None

    def opened(self, connection: Connection) -> None:
        self._open.add(connection)
        if self._is_closed:
            connection.abort()

    def freed(self, connection: Connection) -> None:
        if self._is_closed:
            connection.abort()
            return
        self._idle[connection] = self._loop.time()
        if self._sweep is None:
            self._sweep = self._loop.call_later(IDLE_S, self._close_idle)

    def lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._idle.pop(connection, None)
        if not self._open and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _close_idle(self) -> None:
        loop = self._loop
        now = loop.time()
        self._sweep = None
        for connection, since_s in list(self._idle.items()):
            if since_s + IDLE_S > now:
                # At least a second apart: one timer serves many connections.
                self._sweep = loop.call_later(max(since_s + IDLE_S - now, 1.0), self._close_idle)
                return
            del self._idle[connection]
            connection.abort()

    async def aclose(self) -> None:
        """Closes all, idle or not, and waits until they are."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        if not self._open:
            return
        self._emptied = self._loop.create_future()
        for connection in list(self._open):
            connection.abort()
        await asyncio.wait([self._emptied], timeout=1.0)
