"""A TCP proxy on loopback that can lose what a server answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self


class LossyProxy:
    """Passes bytes both ways, until it is told to swallow a reply and cut the connection instead."""

    def __init__(self, port: int) -> None:
        self._upstream_port = port
        self._armed = False
        self._pipes: set[asyncio.Task[None]] = set()
        self.port = 0
        self.lost = 0

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

    def lose_next_reply(self) -> None:
        """The server does what it is asked next; the client sees its connection end."""
        self._armed = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        for source, sink, from_server in (
            (reader, upstream_writer, False),
            (upstream_reader, writer, True),
        ):
            pipe = asyncio.ensure_future(self._pipe(source, sink, from_server))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pipe(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, from_server: bool
    ) -> None:
        try:
            while data := await source.read(65536):
                if from_server and self._armed:
                    self._armed = False
                    self.lost += 1
                    break
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass  # one side is gone, so the other is let go below
        finally:
            sink.close()
