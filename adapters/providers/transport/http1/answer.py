"""An answer whose head has come and whose body is coming."""

import asyncio
from typing import Final, Protocol

from adapters.providers.transport.http1.failures import Undecodable, cut_short, does_not_decompress
from adapters.providers.transport.http1.head import ResponseHead
from adapters.providers.transport.http1.inflate import Inflater, needs_inflating
from adapters.providers.transport.port import MAX_BODY_BYTES, too_large
from domain.errors import ProviderFailure

MAX_BUFFERED_BYTES: Final = 256 * 1024
"""Above this the connection is not read from until somebody takes what is there."""


class Line(Protocol):
    """What an answer asks of the connection that it comes over."""

    def hold(self) -> None:
        """Reads no further for now."""

    def go_on(self) -> None: ...

    def abort(self) -> None: ...


class HTTPAnswer:
    """An `Answer` of the port. The connection feeds it, one task reads it.

    The connection is free again as soon as the body's end has come, read or not: what came is kept here.
    """

    __slots__ = (
        "_buffered",
        "_failure",
        "_head",
        "_held",
        "_inflater",
        "_line",
        "_pieces",
        "_reads_all",
        "_waiter",
    )

    def __init__(self, head: ResponseHead, line: Line) -> None:
        self._head = head
        self._line: Line | None = line  # None once the body has ended, whole or not
        self._pieces: list[bytes] = []
        self._buffered = 0
        self._held = False
        self._reads_all = False
        self._failure: ProviderFailure | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._inflater: Inflater | None = None

    # For the reader

    @property
    def status(self) -> int:
        return self._head.status

    def header(self, name: str) -> str | None:
        return self._head.fields.get(name.lower())

    async def read(self) -> bytes:
        self._reads_all = True
        if self._line is None and len(self._pieces) == 1 and self._failure is None:
            data = self._pieces[0]
            if len(data) <= MAX_BODY_BYTES:  # it came along with its head: the usual case
                self._pieces.clear()
                return self._whole(data)
        pieces: list[bytes] = []
        size = 0
        while data := await self._received():
            size += len(data)
            if size > MAX_BODY_BYTES:
                self.close()
                raise too_large()
            pieces.append(data)
            if self._line is None and not self._pieces and self._failure is None:
                break  # in one piece: the usual case
        return self._whole(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    async def block(self) -> bytes:
        coding = self._head.fields.get("content-encoding")
        if not needs_inflating(coding):
            return await self._received()
        try:
            if self._inflater is None:
                self._inflater = Inflater(coding or "")
            while True:
                data = b"" if self._inflater.has_more else await self._received()
                if not data and not self._inflater.has_more:
                    self._inflater.finish()
                    return b""
                block = self._inflater.feed(data, MAX_BUFFERED_BYTES)
                if block:
                    return block
        except Undecodable as exc:
            self.close()
            raise does_not_decompress() from exc

    def close(self) -> None:
        line = self._line
        if line is None:
            return
        self.fail(cut_short())
        self._pieces.clear()
        line.abort()

    async def _received(self) -> bytes:
        """Everything that has come since the last call, waiting for it; empty at the end."""
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self._line is None:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._buffered = 0
        if self._held:
            self._held = False
            if self._line is not None:
                self._line.go_on()
        return data

    def _whole(self, data: bytes) -> bytes:
        if needs_inflating(self._head.fields.get("content-encoding")):
            return self._inflated(data)
        return data

    def _inflated(self, data: bytes) -> bytes:
        try:
            inflater = Inflater(self._head.fields["content-encoding"])
            content = inflater.feed(data, MAX_BODY_BYTES + 1)
            if len(content) > MAX_BODY_BYTES:
                raise too_large()
            inflater.finish()
        except Undecodable as exc:
            raise does_not_decompress() from exc
        return content

    # For the connection

    @property
    def keeps_alive(self) -> bool:
        return self._head.keeps_alive

    def feed(self, data: bytes) -> None:
        """More of the body; never empty."""
        self._pieces.append(data)
        self._buffered += len(data)
        if self._buffered > MAX_BUFFERED_BYTES:
            if not self._held and self._line is not None:
                self._held = True
                self._line.hold()
            self._wake()
        elif not self._reads_all:  # who reads all of it need not wake for each piece
            self._wake()

    def finish(self, data: bytes = b"") -> None:
        """The body is whole with this."""
        if data:
            self._pieces.append(data)
        self._line = None
        self._wake()

    def fail(self, failure: ProviderFailure) -> None:
        """Nothing more will come. What came before is still read first."""
        self._failure = failure
        self._line = None
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
