"""Clients who send when they like and read when they like, before a lor3 with little room in the kernel."""

import asyncio
import socket
from typing import Final

import pytest
from aiohttp.web_protocol import RequestHandler

KERNEL_BYTES: Final = 8192
"""On loopback the kernel takes megabytes for a reader who takes nothing; a network between the two does not."""


def chat(*headers: str, body: bytes = b'{"prompt":"hi"}') -> bytes:
    """A whole request, as one segment."""
    lines = [
        "POST /chat HTTP/1.1",
        "Host: x",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def transports(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Transport]:
    """Those of the connections that are made from now on, which have little room."""
    seen: list[asyncio.Transport] = []
    made = RequestHandler.connection_made

    def connection_made(self: RequestHandler, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        seen.append(transport)
        made(self, transport)

    monkeypatch.setattr(RequestHandler, "connection_made", connection_made)
    return seen


class Client:
    """A socket that blocks nobody and reads only when it is told to."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each `send` is a segment
        try:
            self._socket.connect(("127.0.0.1", port))
        except ConnectionRefusedError:
            self._socket.close()
            raise
        self._socket.setblocking(False)

    def send(self, data: bytes) -> bool:
        """Returns whether there was room for it."""
        try:
            return self._socket.send(data) == len(data)
        except BlockingIOError:
            return False

    def end(self) -> None:
        """Sends nothing more, which the server sees as the end."""
        self._socket.shutdown(socket.SHUT_WR)

    async def read(self, size: int) -> bytes:
        """At most so much, and nothing at the end or once the connection was cut."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._socket, size)
        except ConnectionResetError:
            return b""

    async def answer(self) -> tuple[bytes, bytes]:
        """The head and the body of one answer with a length; what there is of it where the connection ends."""
        raw = b""
        while b"\r\n\r\n" not in raw and (more := await self.read(65536)):
            raw += more
        head, _, body = raw.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        pieces, came = [body], len(body)
        while came < length and (more := await self.read(65536)):
            pieces.append(more)
            came += len(more)
        return head, b"".join(pieces)

    def close(self) -> None:
        self._socket.close()
