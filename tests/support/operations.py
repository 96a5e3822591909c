"""A lor3 that is served from a configuration file, in this process, before upstreams that answer well."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs
from aiohttp import web

from entrypoints.application import Application
from entrypoints.bootstrap import running
from entrypoints.configuration.load import load_settings
from entrypoints.container import Container
from entrypoints.http.app import create_app
from entrypoints.http.runner import Runner
from entrypoints.http.state import STATE, ServerState
from entrypoints.settings import Settings
from tests.support.sqlite_files import put_migrated
from tests.support.waiting import HANGS_S

KEYS: Final = {"KEY_0": "sk-zero", "KEY_1": "sk-one"}
"""The environment."""


@attrs.define(kw_only=True)
class Served:
    """A running lor3."""

    folder: Path
    port: int
    state: ServerState
    client: aiohttp.ClientSession

    @property
    def application(self) -> Application:
        """The one of the moment."""
        return self.state.application

    def read(self) -> Settings:
        return load_settings(config_path=self.folder / "lor3.yaml", environ=KEYS, cwd=self.folder)

    def write(self, config: Mapping[str, Any] | str) -> None:
        """The file, as YAML that is JSON, or any text."""
        _write(self.folder, config)

    async def reload(self, config: Mapping[str, Any] | str) -> None:
        """Writes the file and waits until it was taken, or refused."""
        self.write(config)
        reloader = self.application.config_reloader
        seen = reloader.readings
        reloader.reload()
        async with asyncio.timeout(HANGS_S):
            while reloader.readings == seen:  # noqa: ASYNC110 - a server has no need of an event
                await asyncio.sleep(0.002)

    async def raw(self, *pieces: bytes, within_s: float = HANGS_S) -> bytes:
        """Sends bytes as they are and reads until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            async with asyncio.timeout(within_s):
                return await reader.read()
        finally:
            writer.close()

    async def chat(self, **body: Any) -> tuple[int, dict[str, Any]]:
        async with self.client.post("/chat", json={"prompt": "hi", **body}) as response:
            return response.status, await response.json()


def config(base_url: str, *, key: str = "KEY_0", **settings: Any) -> dict[str, Any]:
    """What a file says: a provider `local`, whose `ok` answers."""
    return {
        "primary": "local:ok",
        "fallbacks": [],
        "providers": {"local": {"kind": "openai-compatible", "base_url": base_url, "api_key": f"${{{key}}}"}},
        "prices": {"local:ok": {"input_per_mtok": 1, "output_per_mtok": 2}},
        "prompts": {"directory": None},
        **settings,
    }


@asynccontextmanager
async def served(
    folder: Path, written: Mapping[str, Any], *, container: Container | None = None
) -> AsyncIterator[Served]:
    """Serves from `lor3.yaml` in `folder`, which is there to be written again."""
    put_migrated(folder / "lor3.db")
    _write(folder, written)
    settings = load_settings(config_path=folder / "lor3.yaml", environ=KEYS, cwd=folder)
    async with running(settings, container=container) as application:
        app = create_app(application)
        runner = Runner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            async with aiohttp.ClientSession(
                f"http://127.0.0.1:{port}", connector=aiohttp.TCPConnector(limit=0)
            ) as client:
                served = Served(folder=folder, port=port, state=app[STATE], client=client)
                application.config_reloader.reads(served.read)
                application.config_reloader.serves(served.state)
                yield served
        finally:
            await runner.cleanup()


def _write(folder: Path, config: Mapping[str, Any] | str) -> None:
    database = {"url": f"sqlite:///{folder / 'lor3.db'}"}
    text = config if isinstance(config, str) else json.dumps({"database": database, **config})
    (folder / "lor3.yaml").write_text(text)
