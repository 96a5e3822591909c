"""One request as the upstream saw it, and every way, right or wrong, to answer it."""

import asyncio
import json
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from tests.support.fault_upstream import wire
from tests.support.fault_upstream.wire import Wire

if TYPE_CHECKING:
    from tests.support.fault_upstream.server import FaultUpstream


@attrs.frozen(kw_only=True)
class Attempt:
    """One request that reached the upstream."""

    at_s: float
    """The event loop's clock."""
    wire: Wire
    model: str
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Mapping[str, Any]
    connection: int
    """The connection's number, from 0."""
    reused: bool
    """True where an earlier request had come on this connection."""
    number: int
    """How many requests for the same model had come before."""

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))


@attrs.define(kw_only=True)
class Exchange:
    """What a fault is given to work with."""

    attempt: Attempt
    upstream: "FaultUpstream"
    _writer: asyncio.StreamWriter
    _reader: asyncio.StreamReader
    keep_alive: bool = True
    """Whether another request may follow on this connection."""

    @property
    def wire(self) -> Wire:
        return self.attempt.wire

    @property
    def fault(self) -> str:
        """The fault's name: the model's without `-once` or `-twice`."""
        return self.attempt.model.removesuffix("-once").removesuffix("-twice")

    @property
    def is_openai(self) -> bool:
        return self.attempt.wire == "openai"

    async def send(self, data: bytes) -> None:
        """Raw bytes, exactly as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def respond(
        self,
        status: int | str,
        body: bytes | Mapping[str, Any] | Sequence[Any] | str | float | None,
        headers: Iterable[tuple[str, str]] = (),
        *,
        content_type: str = "application/json",
    ) -> None:
        """A correct HTTP response; anything but bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.send(
            head(status, (("content-type", content_type), ("content-length", str(len(data))), *headers))
            + data
        )

    async def answer(self, body: Mapping[str, Any] | None = None) -> None:
        """A healthy answer: streamed where the request asked for it, else `body` or the usual one."""
        if self.attempt.stream and body is None:
            await self.stream(wire.stream(self.wire, self.attempt.model))
        else:
            await self.respond(200, body or wire.answer(self.wire, self.attempt.model))

    async def stream(self, frames: Iterable[bytes]) -> None:
        """A correct chunked event stream."""
        await self.begin_stream(frames)
        await self.send(b"0\r\n\r\n")

    async def begin_stream(self, frames: Iterable[bytes]) -> None:
        """The head of a chunked event stream and some frames; what follows is the caller's to send."""
        await self.send(head(200, (("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))))
        for frame in frames:
            await self.send(chunk(frame))

    async def hold(self, seconds: float, *, every_s: float = 0.02, frame: bytes = b"") -> None:
        """Waits until the client closes the connection, which is noted, at most for `seconds`.

        Args:
            every_s: how often to look, and to send `frame`, if there is one.
        """
        self.keep_alive = False
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until and not self.upstream.released.is_set():
            if self._reader.at_eof() or self._reader.exception() is not None:
                self.upstream.left_at_s[self.attempt.model] = loop.time()
                raise ConnectionResetError("the client went away")
            if frame:
                await self.send(chunk(frame))
            await self.upstream.pause(every_s)

    async def refuse(
        self,
        status: int | tuple[int, int],
        openai: tuple[str | None, str | None],
        anthropic: str,
        headers: Iterable[tuple[str, str]] = (),
        *,
        message: str = "",
    ) -> None:
        """An error in the wire's own shape.

        Args:
            status: one for both wires, or OpenAI's and Anthropic's.
            openai: `type` and `code`.
            anthropic: `error.type`.
        """
        ours, theirs = status if isinstance(status, tuple) else (status, status)
        if self.is_openai:
            await self.respond(ours, wire.openai_error(*openai, message), headers)
        else:
            await self.respond(theirs, wire.anthropic_error(anthropic, message), headers)

    def close(self) -> None:
        """Ends the connection with a FIN once what was written is sent."""
        self.keep_alive = False
        self._writer.close()

    def reset(self) -> None:
        """Ends the connection with a RST: a linger time of 0 throws away what is unsent (socket(7))."""
        self.keep_alive = False
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


def head(status: int | str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """A response head. A string status is put in as it is, reason and all."""
    line = f"HTTP/1.1 {status} Fault" if isinstance(status, int) else f"HTTP/1.1 {status}"
    lines = [line, *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of `Transfer-Encoding: chunked` (RFC 9112, section 7.1)."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
