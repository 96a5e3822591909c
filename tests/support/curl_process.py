"""curl as a process that can be killed in the middle: the machine's own, or what stands for it where there is none."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from tests.support.client_upstream import PIECES
from tests.support.http import events_of
from tests.support.waiting import HANGS_S

LAST_OF_HALF: Final = json.dumps(PIECES[len(PIECES) // 2 - 1], ensure_ascii=False).encode()
"""What `hold NAME` shows last before it waits."""
_STAND_IN: Final = (sys.executable, str(Path(__file__).with_name("curl.py")))


@attrs.define
class Curl:
    """One that is running."""

    _process: asyncio.subprocess.Process
    seen: bytes = b""
    """What it printed so far."""

    async def read_until(self, part: bytes) -> None:
        async with asyncio.timeout(HANGS_S):
            while part not in self.seen:
                block = await self._output.read(65536)
                assert block, f"curl ended without {part!r}: {self.seen!r}"
                self.seen += block

    async def read_on(self) -> bytes:
        """All that it prints until its end."""
        async with asyncio.timeout(HANGS_S):
            self.seen += await self._output.read()
            await self._process.wait()
        return self.seen

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def _output(self) -> asyncio.StreamReader:
        output = self._process.stdout
        assert output is not None
        return output


@asynccontextmanager
async def curl(*arguments: str) -> AsyncIterator[Curl]:
    """With `-s`, `-N`, `-X`, `-H` and `-d` alone: the stand-in knows no others."""
    own = shutil.which("curl")
    command = _STAND_IN if own is None else (own, "-q")
    process = await asyncio.create_subprocess_exec(*command, *arguments, stdout=asyncio.subprocess.PIPE)
    running = Curl(process)
    try:
        yield running
    finally:
        await running.kill()


def chat(url: str, prompt: str) -> tuple[str, ...]:
    """The arguments for a streamed one."""
    body = json.dumps({"prompt": prompt, "stream": True})
    return ("-s", "-N", "-H", "Content-Type: application/json", "-d", body, f"{url}/chat")


def whole_events(raw: bytes) -> list[tuple[int, str, Any]]:
    """Those that have come to their end."""
    return events_of(raw[: raw.rfind(b"\n\n") + 2])


def text_of(events: list[tuple[int, str, Any]]) -> str:
    return "".join(data["text"] for _, name, data in events if name == "delta")
