"""A real Prometheus with its promtool, where one can be had."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import aiohttp
import attrs

from tests.support.servers import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = ROOT / ".venv" / "prometheus"
"""What was fetched once."""
PLACE: Final = "LOR3_TEST_PROMETHEUS"
"""The folder that holds one's own `prometheus` and `promtool`."""
_FETCH_S: Final = 60
_START_S: Final = 60.0


@attrs.frozen(kw_only=True)
class Programs:
    prometheus: Path
    promtool: Path


@cache
def programs() -> Programs | None:
    """Those of `LOR3_TEST_PROMETHEUS`, else on the PATH, else out of Debian's package, which is unpacked and not
    installed. None where there is none of these; nobody publishes Prometheus as a wheel.
    """
    given = os.environ.get(PLACE)
    if given:
        return Programs(prometheus=Path(given) / "prometheus", promtool=Path(given) / "promtool")
    server, tool = shutil.which("prometheus"), shutil.which("promtool")
    if server and tool:
        return Programs(prometheus=Path(server), promtool=Path(tool))
    folder = CACHE / "usr" / "bin"
    if not (folder / "promtool").exists() and not _fetched():
        return None
    return Programs(prometheus=folder / "prometheus", promtool=folder / "promtool")


def _fetched() -> bool:
    fetch, unpack = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if fetch is None or unpack is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        got = subprocess.run(
            (fetch, "download", "-q", "prometheus"), cwd=folder, capture_output=True, timeout=_FETCH_S
        )
        package = next(Path(folder).glob("prometheus_*.deb"), None)
        if got.returncode or package is None:
            return False
        unpacked = Path(folder) / "unpacked"
        subprocess.run((unpack, "-x", package, unpacked), check=True, timeout=_FETCH_S)
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(CACHE, ignore_errors=True)
        shutil.copytree(unpacked, CACHE, symlinks=True)
    return True


@attrs.frozen(kw_only=True)
class Prometheus:
    """One that runs."""

    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **query: str) -> Any:
        async with self.session.get(f"{self.url}/api/v1/{path}", params=query) as response:
            body = await response.json()
        assert "success" == body["status"], body
        return body["data"]

    async def value(self, expression: str) -> float | None:
        """The one sample of an instant query; None where there is none."""
        result = (await self.get("query", query=expression))["result"]
        return float(result[0]["value"][1]) if result else None


@asynccontextmanager
async def scraping(found: Programs, folder: Path, *, config: str) -> AsyncIterator[Prometheus]:
    """Runs it on `config` until it is left. `folder` is made."""
    path = folder / "prometheus.yml"
    await asyncio.to_thread(_write, path, config)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        found.prometheus,
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession() as session:
            server = Prometheus(url=f"http://127.0.0.1:{port}", session=session)
            async with asyncio.timeout(_START_S):
                while True:
                    try:
                        async with session.get(f"{server.url}/-/ready") as response:
                            if response.status == 200:
                                break
                    except aiohttp.ClientConnectionError:
                        assert process.returncode is None, "Prometheus ended at its start"
                    await asyncio.sleep(0.05)
            yield server
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
