"""A lor3 for the real clients, before an upstream that answers what it is asked for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.support.client_upstream import ClientUpstream, client_upstream
from tests.support.http import Server, serving
from tests.support.node import run_script
from tests.support.waiting import HANGS_S

PROVIDERS = ("first", "second", "spare")
"""Chats go to `first` and fall back to `second`; `spare` can fail without harm to them."""


@attrs.frozen(kw_only=True)
class Place:
    """What a client finds."""

    server: Server
    upstream: ClientUpstream

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def run(self, script: str, *arguments: str) -> Any:
        """Runs a script of tests/clients/node; its first arguments are our URL and the upstream's."""
        return await run_script(script, self.url, self.upstream.url, *arguments)

    async def message(self, message_id: str) -> dict[str, Any]:
        """A stored answer, waited for where it is being made still."""
        async with asyncio.timeout(HANGS_S):
            while True:
                async with self.server.client.get(f"/messages/{message_id}") as response:
                    if response.status == 200:
                        found: dict[str, Any] = await response.json()
                        return found
                await asyncio.sleep(0.02)


@asynccontextmanager
async def client_place(folder: Path) -> AsyncIterator[Place]:
    async with client_upstream() as upstream, client_server(folder, upstream) as server:
        yield Place(server=server, upstream=upstream)


@attrs.frozen(kw_only=True)
class Replicas:
    """Two places before one upstream, on one database and one Redis."""

    here: Place
    there: Place


@asynccontextmanager
async def client_replicas(folder: Path, *, database_url: str, redis_url: str) -> AsyncIterator[Replicas]:
    shared = {"database_url": database_url, "redis_url": redis_url}
    async with (
        client_upstream() as upstream,
        client_server(folder, upstream, **shared) as here,
        client_server(folder, upstream, **shared) as there,
    ):
        yield Replicas(
            here=Place(server=here, upstream=upstream), there=Place(server=there, upstream=upstream)
        )


@asynccontextmanager
async def client_server(
    folder: Path, upstream: ClientUpstream, *, database_url: str | None = None, redis_url: str | None = None
) -> AsyncIterator[Server]:
    """Args: those of both URLs are shared by replicas."""
    lines = ["primary: first:m", "fallbacks: [second:m]", "providers:"]
    lines += [
        f"  {name}: {{kind: openai-compatible, base_url: {upstream.base_url(name)}}}" for name in PROVIDERS
    ]
    if redis_url is not None:
        lines += [f"redis: {{url: {redis_url}, timeout_s: 5}}"]
    (folder / "lor3.yaml").write_text("\n".join(lines), "utf-8")
    async with serving(folder, database_url=database_url) as server:
        yield server
