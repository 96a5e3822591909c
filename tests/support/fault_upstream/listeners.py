"""Addresses where nothing good happens: refused, full, garbage; and a canary that must stay silent."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import attrs

_FILLERS: Final = 8
"""More than a backlog of 0 holds (Linux keeps backlog + 1 finished handshakes, then drops SYNs)."""


@attrs.define
class Canary:
    """A server that counts who comes and what they bring."""

    port: int = 0
    connections: int = 0
    received: bytearray = attrs.field(factory=bytearray)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/stolen"


@asynccontextmanager
async def canary_server() -> AsyncIterator[Canary]:
    """Runs a canary; it answers 200 to whatever comes, so that a client that follows a redirect looks well."""
    canary = Canary()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        canary.connections += 1
        canary.received += await reader.read(65536)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    canary.port = server.sockets[0].getsockname()[1]
    try:
        yield canary
    finally:
        server.close()
        await server.wait_closed()


@contextmanager
def refused_port() -> Iterator[int]:
    """A port that is ours, so that nobody else takes it, and that refuses connections: bound, never listening."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextmanager
def full_backlog() -> Iterator[int]:
    """A listening port whose queue is full: a connection attempt gets neither yes nor no."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        fillers = [socket.socket() for _ in range(_FILLERS)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(sock.getsockname())
            yield sock.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


@asynccontextmanager
async def garbage_port() -> AsyncIterator[int]:
    """A port that answers every connection with bytes of no protocol."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"\x00\xff\x13\x37 this is not TLS \r\n" * 20)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
