"""An upstream that says what a test tells it to, when it does, and a client that reads a stream as it grows."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import aiohttp
import attrs

from tests.support.http import events_of
from tests.support.waiting import HANGS_S
from tests.support.wire_upstream import Received, head, openai_chunk, openai_frames

SSEEvent: TypeAlias = tuple[int, str, Any]
"""Id, name and data."""


@attrs.define
class Drip:
    """Streams, on OpenAI's wire, each text that is put into `texts`; None ends the answer."""

    texts: "asyncio.Queue[str | None]" = attrs.field(factory=asyncio.Queue)

    def say(self, *texts: str | None) -> None:
        for text in texts:
            self.texts.put_nowait(text)

    async def __call__(self, _request: Received, writer: asyncio.StreamWriter) -> bool:
        writer.write(head(200, ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")))
        _write(writer, openai_chunk({"role": "assistant", "content": ""}))
        while (text := await self.texts.get()) is not None:
            _write(writer, openai_chunk({"content": text}))
            await writer.drain()
        for frame in openai_frames("")[1:]:  # the reason, the usage and the mark of the end
            _write(writer, frame)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def _write(writer: asyncio.StreamWriter, block: bytes) -> None:
    writer.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")


@attrs.define
class StreamClient:
    """Reads one stream."""

    response: aiohttp.ClientResponse
    raw: bytes = b""

    @property
    def events(self) -> list[SSEEvent]:
        """Those that came whole."""
        whole, end, _ = self.raw.rpartition(b"\n\n")
        return events_of(whole + end)

    @property
    def text(self) -> str:
        return text_of(self.events)

    async def until(self, reached: Callable[[list[SSEEvent]], bool], *, within_s: float = HANGS_S) -> None:
        async with asyncio.timeout(within_s):
            while not reached(self.events):
                data = await self.response.content.readany()
                assert data, f"the stream ended after {self.events}"
                self.raw += data

    async def until_text(self, text: str) -> None:
        await self.until(lambda events: text_of(events) == text)

    async def rest(self, *, within_s: float = HANGS_S) -> list[SSEEvent]:
        async with asyncio.timeout(within_s):
            self.raw += await self.response.content.read()
        return self.events

    def cut(self) -> None:
        """The connection is gone, without a word."""
        transport = self.response.connection and self.response.connection.transport
        assert transport is not None
        transport.abort()
        self.response.close()


@asynccontextmanager
async def streaming(
    client: aiohttp.ClientSession, method: str, url: str, **options: Any
) -> AsyncIterator[StreamClient]:
    async with client.request(method, url, **options) as response:
        assert response.status == 200, (response.status, await response.text())
        yield StreamClient(response)


def text_of(events: list[SSEEvent]) -> str:
    return "".join(data["text"] for _, name, data in events if name == "delta")
