"""A lor3 on a real socket before an upstream that keeps the wire bodies, for tests of memory."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
from aiohttp import web

from domain.chat_defaults import ChatDefaults
from domain.secret import Secret
from entrypoints.bootstrap import running
from entrypoints.http.app import create_app
from entrypoints.http.runner import Runner
from entrypoints.http.state import STATE
from tests.support.fault_upstream.server import FaultUpstream, fault_upstream
from tests.support.gateway import settings_for
from tests.support.http import Recorder, Server
from tests.support.thread_api import ThreadAPI


@attrs.define(kw_only=True)
class MemoryBench:
    """`chat` continues one thread."""

    api: ThreadAPI
    upstream: FaultUpstream
    thread_id: str | None = None

    async def chat(self, prompt: str, **fields: Any) -> dict[str, Any]:
        if self.thread_id is not None:
            fields = {"thread_id": self.thread_id, **fields}
        answer = await self.api.chat(prompt, **fields)
        self.thread_id = answer["thread_id"]
        return answer

    def sent(self, model: str) -> list[list[Any]]:
        """The turns of each request at a model, as they stood on the wire."""
        return [list(attempt.body["messages"]) for attempt in self.upstream.seen(model)]


@asynccontextmanager
async def memory_bench(
    folder: Path,
    *,
    database_url: str | None = None,
    windows: Mapping[str, int] | None = None,
    **defaults: Any,
) -> AsyncIterator[MemoryBench]:
    """Models are those of the fault upstream: `spare:ok` and `anthropic:ok` answer on their wires.

    Args:
        database_url: in place of an SQLite file in `folder`.
        windows: context windows by `provider:model`.
        defaults: of chats; the primary is `spare:ok`.
    """
    async with fault_upstream() as upstream:
        settings = settings_for(upstream, folder / "memory.db", windows=windows)
        settings = attrs.evolve(settings, chat=ChatDefaults(**{"primary": "spare:ok", **defaults}))
        if database_url is not None:
            database = attrs.evolve(settings.database, url=Secret(database_url))
            settings = attrs.evolve(settings, database=database)
        async with running(settings) as application:
            app = create_app(application)
            runner = Runner(app)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                async with aiohttp.ClientSession() as client:
                    server = Server(
                        application=application,
                        state=app[STATE],
                        port=runner.addresses[0][1],
                        client=client,
                        telemetry=Recorder(),
                    )
                    yield MemoryBench(api=ThreadAPI(server), upstream=upstream)
            finally:
                await runner.cleanup()
