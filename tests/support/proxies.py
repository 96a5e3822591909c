"""TCP proxies on loopback that lose, or hold back, what a server answers."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self


class _Cut(Exception):
    """The connection is to end here."""


class Proxy:
    """Passes bytes both ways; a subclass says what becomes of the server's answers."""

    def __init__(self, port: int) -> None:
        self._upstream_port = port
        self._pipes: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[Self]:
        proxy = cls(port)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            server.close()
            for pipe in proxy._pipes:
                pipe.cancel()
            await asyncio.gather(*proxy._pipes, return_exceptions=True)

    async def _may_pass(self, connection: int) -> bool:
        """Asked for each piece of an answer: False drops it. Raises `_Cut` to end the connection."""
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        for source, sink, from_server in ((reader, upstream_writer, False), (upstream_reader, writer, True)):
            pipe = asyncio.ensure_future(self._pipe(source, sink, connection if from_server else None))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pipe(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answering: int | None
    ) -> None:
        try:
            while data := await source.read(65536):
                if answering is None or await self._may_pass(answering):
                    sink.write(data)
                    await sink.drain()
        except (ConnectionError, _Cut):
            pass  # one side is gone, so the other is let go below
        finally:
            sink.close()


class LossyProxy(Proxy):
    """Swallows a reply and cuts the connection instead, when it is told to."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._armed = False
        self.lost = 0

    def lose_next_reply(self) -> None:
        """The server does what it is asked next; the client sees its connection end."""
        self._armed = True

    async def _may_pass(self, connection: int) -> bool:
        if self._armed:
            self._armed = False
            self.lost += 1
            raise _Cut
        return True


class SlowProxy(Proxy):
    """Answers wait for `delay_s`.

    Infinity makes each connection that is used meanwhile a half-open one: it never says anything again.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._silent: set[int] = set()
        self.delay_s = 0.0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def _may_pass(self, connection: int) -> bool:
        if self.delay_s == math.inf:
            self._silent.add(connection)
        if connection in self._silent:
            return False
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        return True
