"""The sockets that clients connect to."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

BACKLOG: Final = 1024
"""Connections that the kernel holds for us while the loop is busy; with less, clients under load see refusals."""
ACCEPTORS: Final = 32
"""How many connections may be accepted in one turn of the loop.

libuv, and so uvloop, accepts one for each listening descriptor in a turn (since 1.46: "don't accept() connections in a
loop"). Under load a turn takes tens of milliseconds, so that of a thousand new connections the last would wait for many
seconds while those accepted before them are served. Several descriptors of one socket take from one queue.
"""


@asynccontextmanager
async def listening(runner: web.AppRunner, host: str, port: int, *, reuse_port: bool) -> AsyncIterator[None]:
    """While open, connections to the address are `runner`'s; then no further one is accepted.

    Raises:
        OSError: the address can't be listened on.
    """
    loop, handler = asyncio.get_running_loop(), runner.server
    assert handler is not None  # noqa: S101 - it is set up
    first = await loop.create_server(
        handler, host.strip("[]"), port, reuse_port=reuse_port or None, backlog=BACKLOG
    )
    servers = [first]
    try:
        twins = [_twin(listener) for listener in first.sockets for _ in range(ACCEPTORS - 1)]
        for twin in twins:
            servers += [await loop.create_server(handler, sock=twin, backlog=BACKLOG)]
        yield
    finally:
        for server in servers:
            server.close()


def _twin(listener: socket.socket) -> socket.socket:
    # uvloop's own stand-in for a socket has no `dup`.
    return socket.socket(fileno=os.dup(listener.fileno()))
