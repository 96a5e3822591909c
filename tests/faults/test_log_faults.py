"""Row 81 of the fault table: nobody takes what is logged."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from tests.support.servers import free_port
from tests.support.sqlite_files import put_migrated

_LIMIT_S = 30.0
_ASKED = {"messages": [{"role": "user", "content": "hello"}]}


def _full_pipe() -> tuple[int, int]:
    """One that takes nothing more, and blocks who writes."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 65536)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_LIMIT_S):
        while not await condition():  # noqa: ASYNC110 - what is asked for is another process
            await asyncio.sleep(0.05)


async def test_row_81_log_disk_full_and_stdout_blocked(tmp_path: Path) -> None:
    """Chats are answered, what was dropped is counted, a disk with room again is written to, and the end
    comes in time."""
    log = tmp_path / "lor3.log"
    log.symlink_to("/dev/full")
    (tmp_path / "lor3.yaml").write_text("log: {file: {path: lor3.log}, content: true}\n")
    put_migrated(tmp_path / "lor3.db")
    reader, writer = _full_pipe()
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
    process = subprocess.Popen(  # noqa: ASYNC220 - starting one takes a moment
        [sys.executable, "-m", "lor3", "serve", "--port", str(port)],
        cwd=tmp_path,
        env=clean,
        stdout=writer,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:

            async def is_ready() -> bool:
                try:
                    async with client.get("/readyz") as response:
                        return response.status == 200
                except aiohttp.ClientConnectionError:
                    return False

            async def dropped() -> int:
                async with client.get("/metrics") as response:
                    found = re.search(r"^lor3_log_dropped_total (\d+)", await response.text(), re.MULTILINE)
                    return 0 if found is None else int(found[1])

            async def chat() -> int:
                async with asyncio.timeout(_LIMIT_S), client.post("/chat", json=_ASKED) as response:
                    await response.read()
                    return response.status

            async def are_dropped() -> bool:
                return await dropped() >= 40  # a line of the chat and one of its contents

            await _until(is_ready)
            answers = [await chat() for _ in range(20)]
            await _until(are_dropped)
            log.unlink()
            last = await chat()

            async def is_written() -> bool:
                return log.exists() and log.read_text().count("chat answered") == 1

            await _until(is_written)

            assert set(answers) == {200}
            assert last == 200
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        process.terminate()

        assert {"chat said", "chat answered"} <= {line["event"] for line in lines}
        assert await asyncio.to_thread(process.wait, _LIMIT_S) == 0
    finally:
        process.kill()
        process.communicate()
        os.close(reader)
        os.close(writer)
