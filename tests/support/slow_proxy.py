"""A TCP proxy on loopback that holds back what a server answers, for a while or for ever."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self


class SlowProxy:
    """Passes bytes both ways; answers wait for `delay_s`.

    Infinity makes each connection that is used meanwhile a half-open one: it never says anything again.
    """

    def __init__(self, port: int) -> None:
        self._upstream_port = port
        self._pipes: set[asyncio.Task[None]] = set()
        self.delay_s = 0.0
        self.port = 0
        self.connections = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

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

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        for source, sink, answers in ((reader, upstream_writer, False), (upstream_reader, writer, True)):
            pipe = asyncio.ensure_future(self._pipe(source, sink, answers))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, answers: bool) -> None:
        lost = False
        try:
            while data := await source.read(65536):
                lost = lost or (answers and self.delay_s == math.inf)
                if lost:
                    continue
                if answers and self.delay_s:
                    await asyncio.sleep(self.delay_s)
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass  # one side is gone, so the other is let go below
        finally:
            sink.close()
