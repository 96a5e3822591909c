"""Answers that grow as a test lets them, and servers on fakes that make them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import aiohttp
import attrs
from aiohttp import web

from application.ports.chat_provider import ChatProvider, ProviderCall
from application.ports.store import Store
from domain.chat import AnswerFinished, ProviderEvent, TextDelta
from domain.errors import ProviderFailure
from entrypoints.application import Application
from entrypoints.http.app import create_app
from entrypoints.http.runner import Runner
from entrypoints.settings import Settings
from lor3.testing import InMemoryStore, ScriptedProvider, fake_application
from tests.support.http import events_of
from tests.support.shared_events import EventHub, SharedLog
from tests.support.waiting import HANGS_S

Told: TypeAlias = list[tuple[int, str, Any]]
"""Id, name and data of each event."""


@attrs.define(slots=False)
class Paced(ScriptedProvider):
    """Says one event after the other, each time it is let."""

    lines: Sequence[ProviderEvent | ProviderFailure] = attrs.field(kw_only=True)
    allowed: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(0), kw_only=True)
    ended: list[str] = attrs.field(factory=list, init=False)
    """How each call ended: `whole`, or `cut`."""

    def let(self, count: int = 1000) -> None:
        for _ in range(count):
            self.allowed.release()

    @asynccontextmanager
    async def open(self, call: ProviderCall) -> AsyncIterator[AsyncIterator[Sequence[ProviderEvent]]]:
        self.calls.append(call)
        events = self._paced()
        try:
            yield events
        finally:
            await events.aclose()

    async def _paced(self) -> AsyncGenerator[Sequence[ProviderEvent], None]:
        how = "cut"
        try:
            for line in self.lines:
                await self.allowed.acquire()
                if isinstance(line, ProviderFailure):
                    raise line
                yield (line,)
            how = "whole"
        finally:
            self.ended.append(how)


def saying(*texts: str) -> Paced:
    """A provider whose answer is made of these pieces."""
    return Paced(lines=(*map(TextDelta, texts), AnswerFinished(reason="stop")))


@attrs.define(kw_only=True)
class Served:
    """A lor3 on fakes behind a real socket."""

    application: Application
    client: aiohttp.ClientSession

    async def resumed(
        self, message_id: str, seen: int | str | None = None, **headers: str
    ) -> tuple[int, Told | dict[str, Any] | None]:
        """Status, and the events; a problem where there are none."""
        if seen is not None:
            headers["Last-Event-ID"] = str(seen)
        async with self.client.get(f"/chat/{message_id}/stream", headers=headers) as response:
            if response.status == 204:
                return 204, None
            if response.content_type != "text/event-stream":
                return response.status, await response.json()
            return response.status, events_of(await response.read())

    async def stop(self, message_id: str) -> tuple[int, dict[str, Any]]:
        async with self.client.post(f"/chat/{message_id}/stop") as response:
            return response.status, await response.json()


@asynccontextmanager
async def served(
    providers: Mapping[str, ChatProvider],
    *,
    store: Store | None = None,
    hub: EventHub | None = None,
    settings: Settings | None = None,
    fallbacks: tuple[str, ...] = (),
    change: Callable[[Application], Application] = lambda application: application,
) -> AsyncIterator[Served]:
    """One replica; those with one store and one hub are of one service."""
    async with fake_application(
        providers,
        store=store or InMemoryStore(),
        event_log=None if hub is None else SharedLog(hub),
        settings=settings,
        fallbacks=fallbacks,
    ) as application:
        runner = Runner(create_app(change(application)))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            async with aiohttp.ClientSession(url) as client:
                yield Served(application=application, client=client)
        finally:
            await runner.cleanup()


@attrs.define
class Reading:
    """A stream that is read bit by bit."""

    response: aiohttp.ClientResponse
    raw: bytes = b""

    @property
    def events(self) -> Told:
        return events_of(self.raw[: self.raw.rfind(b"\n\n") + 2])

    @property
    def message_id(self) -> str:
        return self.response.headers["x-lor3-message-id"]

    async def until_text(self, text: str) -> int:
        """Reads until the deltas come to `text`; returns the last id."""
        async with asyncio.timeout(HANGS_S):
            while text_of(self.events) != text:
                piece = await self.response.content.readany()
                assert piece, self.raw
                self.raw += piece
        return int(self.events[-1][0])

    async def rest(self) -> Told:
        """All of it, to its end."""
        self.raw += await self.response.read()
        return self.events


@asynccontextmanager
async def reading(
    server: Served, *, path: str = "/chat", headers: Mapping[str, str] | None = None, **fields: Any
) -> AsyncIterator[Reading]:
    """A streamed chat; leaving cuts the connection where it has not ended."""
    body = {"prompt": "Say it.", "stream": True, **fields}
    async with server.client.post(path, json=body, headers=headers) as response:
        assert response.status == 200, await response.read()
        yield Reading(response)
        if not response.content.at_eof():
            response.close()


def text_of(events: Told) -> str:
    """What the deltas come to: those before a reset are void."""
    text = ""
    for _, name, data in events:
        if name == "delta":
            text += data["text"]
        elif name == "reset":
            text = ""
    return text


def names_of(events: Told) -> list[str]:
    """Of neighbours with one name, one."""
    names: list[str] = []
    for _, name, _ in events:
        if names[-1:] != [name]:
            names.append(name)
    return names


async def until(condition: Any) -> None:
    """Waits until it is true."""
    async with asyncio.timeout(HANGS_S):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)
