"""Whole lor3 servers on one database before one upstream, and chats that are sent to them with a key."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs
import psycopg
from aiohttp import web

from application.ports.chat_provider import ProviderConfig
from application.ports.price_book import Price
from domain.catalogue import Catalogue
from domain.chat_defaults import ChatDefaults
from domain.secret import Secret
from entrypoints.application import Application
from entrypoints.bootstrap import running
from entrypoints.http.app import create_app
from entrypoints.http.runner import Runner
from entrypoints.settings import DatabaseSettings, LogSettings, RedisSettings, Settings
from tests.support.gateway import parse_events
from tests.support.waiting import HANGS_S
from tests.support.wire_upstream import Received, Reply, WireUpstream, faithful

MODEL: Final = "up:m"
COST: Final = Decimal(9 * 1 + 3 * 2) / 1_000_000
"""What one answer of the upstream costs."""
BODY: Final = {"prompt": "Hello?"}


@attrs.frozen(kw_only=True)
class Got:
    """What a client got."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The answer or the problem, also of a stream's end."""
        if self.headers["Content-Type"].startswith("text/event-stream"):
            return parse_events(self.raw)[-1][1]
        found: dict[str, Any] = json.loads(self.raw)
        return found

    @property
    def is_replay(self) -> bool:
        return self.headers.get("Idempotency-Replayed") == "true"


@attrs.frozen(kw_only=True)
class Replica:
    """A running lor3, of this process where it has an `application`."""

    url: str
    client: aiohttp.ClientSession
    application: Application | None = None

    async def chat(self, key: str | None, *, headers: Mapping[str, str] | None = None, **fields: Any) -> Got:
        headers = {**(headers or {}), **({} if key is None else {"Idempotency-Key": key})}
        body = {**BODY, **fields}
        async with self.client.post(f"{self.url}/chat", json=body, headers=headers) as response:
            return Got(status=response.status, headers=dict(response.headers), raw=await response.read())


@asynccontextmanager
async def replica(
    database_url: str, upstream: WireUpstream, *, redis_url: str | None = None
) -> AsyncIterator[Replica]:
    """In this process."""
    settings = Settings(
        chat=ChatDefaults(primary=MODEL),
        providers={"up": ProviderConfig(name="up", kind="openai-compatible", base_url=f"{upstream.url}/v1")},
        catalogue=Catalogue(specs={}, aliases={}, provider_aliases={}, providers=frozenset({"up"})),
        prices={MODEL: Price(input_per_mtok=Decimal(1), output_per_mtok=Decimal(2))},
        database=DatabaseSettings(url=Secret(database_url)),
        redis=RedisSettings(url=None if redis_url is None else Secret(redis_url)),
        log=LogSettings(level="error", format="json"),
    )
    async with running(settings) as application:
        runner = Runner(create_app(application))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
                yield Replica(
                    url=f"http://127.0.0.1:{runner.addresses[0][1]}", client=client, application=application
                )
        finally:
            await runner.cleanup()


@asynccontextmanager
async def served(
    folder: Path, database_url: str, upstream: WireUpstream, *, redis_url: str | None = None
) -> "AsyncIterator[tuple[Replica, subprocess.Popen[bytes]]]":
    """In a process of its own, `lor3 serve`, which the test may stop and kill."""
    config = folder / "lor3.json"
    config.write_text(
        json.dumps(
            {
                "primary": MODEL,
                "providers": {"up": {"kind": "openai-compatible", "base_url": f"{upstream.url}/v1"}},
                "prices": {MODEL: {"input_per_mtok": 1, "output_per_mtok": 2}},
                "log": {"level": "error"},
            }
        )
    )
    clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
    urls = {"DATABASE_URL": database_url} | ({} if redis_url is None else {"REDIS_URL": redis_url})
    process = subprocess.Popen(  # noqa: ASYNC220 - begun in a millisecond; its output is read in a thread
        [sys.executable, "-m", "lor3", "serve", "--json", "--port", "0", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean | {"PYTHONPATH": str(Path(__file__).parents[2])} | urls,
        cwd=folder,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.to_thread(process.stdout.readline)
        assert line, process.communicate()[1].decode()
        async with aiohttp.ClientSession() as client:
            found = Replica(url=json.loads(line)["url"], client=client)
            await _until_it_answers(found)
            yield found, process
    finally:
        process.kill()
        process.communicate()


async def _until_it_answers(found: Replica) -> None:
    async with asyncio.timeout(HANGS_S):
        while True:
            try:
                async with found.client.get(f"{found.url}/healthz"):
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


def answering_after(event: asyncio.Event) -> Reply:
    """An upstream that waits for the test before it answers."""
    answer = faithful("Hello from upstream.")

    async def reply(request: Received, writer: asyncio.StreamWriter) -> bool:
        await event.wait()
        return await answer(request, writer)

    return reply


@attrs.frozen
class Books:
    """What is stored in a PostgreSQL."""

    url: str

    def answers(self) -> list[tuple[str, Decimal]]:
        """Id and cost of each complete answer."""
        return self._rows(
            "SELECT id::text, cost_usd FROM messages WHERE role = 'assistant' AND status = 'complete'"
        )

    def keys(self) -> list[tuple[str, str]]:
        """Key and state of each."""
        return self._rows("SELECT key, state FROM idempotency_keys ORDER BY key")

    def _rows(self, query: str) -> list[Any]:
        with psycopg.connect(self.url) as connection:
            connection.execute("SELECT set_config('lor3.tenants', '*', true)")
            return connection.execute(query.encode()).fetchall()

    async def until_keys(self, *expected: tuple[str, str], within_s: float = HANGS_S) -> None:
        async with asyncio.timeout(within_s):
            while await asyncio.to_thread(self.keys) != list(expected):  # noqa: ASYNC110 - a database tells nobody
                await asyncio.sleep(0.05)
