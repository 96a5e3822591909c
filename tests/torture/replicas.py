"""Server processes that are killed at random moments and started again."""

import asyncio
import os
import random
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import aiohttp
import attrs

from tests.support.servers import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
"""Of the environment: nothing else of it may change the outcome."""
_UP_WITHIN_S: Final = 60.0
_STOPS_WITHIN_S: Final = 60.0
_LIVES_AT_MOST_S: Final = 1.5
_DIES_STARTING: Final = 0.1


@attrs.define(kw_only=True)
class Executioner:
    """How many SIGKILLs are left, for all replicas together."""

    left: int
    may_be_done: Callable[[], float]
    """How many by now, so that they are spread over all requests."""
    done: int = 0
    over: asyncio.Event = attrs.field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        if self.left == 0:
            self.over.set()

    async def due(self, process: Process) -> None:
        """Returns when one may be done, or the process has ended."""
        while self.done >= self.may_be_done() and process.returncode is None:  # noqa: ASYNC110 - both change elsewhere
            await asyncio.sleep(0.02)

    def kill(self, process: Process) -> None:
        if self.left and process.returncode is None:
            process.kill()
            self.left -= 1
            self.done += 1
            if not self.left:
                self.over.set()


@attrs.define(kw_only=True)
class Replica:
    """One `lor3 serve` on a port of its own."""

    arguments: Sequence[str]
    """After the interpreter: a module and its arguments; the port follows."""
    log: Path
    random: random.Random
    executioner: Executioner
    port: int = attrs.field(factory=free_port)
    starts: int = 0
    _process: Process | None = None
    _stopping: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def keep(self) -> None:
        """Runs until `stop`; kills what runs while there are kills left."""
        while not self._stopping:
            process = self._process = await self._spawn()
            if self.executioner.left and self.random.random() < _DIES_STARTING:
                await self._ended(process, within_s=self.random.uniform(0.0, 0.5))
            else:
                await self._up(process)
                if self.executioner.left:
                    await self.executioner.due(process)
                    await self._ended(process, within_s=self.random.uniform(0.0, _LIVES_AT_MOST_S))
            if process.returncode is None:
                self.executioner.kill(process)
            elif not self._stopping:
                raise self._fault(f"ended by itself with {process.returncode}")
            await process.wait()

    async def stop(self) -> int:
        """Asks it to finish; its exit code."""
        self._stopping = True
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(_STOPS_WITHIN_S):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()

    async def answers(self) -> None:
        """Returns once it serves."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(_UP_WITHIN_S):
            while True:
                try:
                    async with session.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass  # it is not up yet
                await asyncio.sleep(0.05)

    async def _spawn(self) -> Process:
        self.starts += 1
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *self.arguments,
                str(self.port),
                env=environment | {"PYTHONPATH": str(ROOT), "OPENAI_API_KEY": "sk-torture"},
                cwd=self.log.parent,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def _up(self, process: Process) -> None:
        """Once its port takes connections, whether the database is there or not.

        Raises:
            RuntimeError: it ended by itself, or never listened; holds the end of its log.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + _UP_WITHIN_S
        while loop.time() < give_up and process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
        if not self._stopping:
            raise self._fault(f"did not start (exit code {process.returncode})")

    def _fault(self, what: str) -> RuntimeError:
        return RuntimeError(f"a replica {what}:\n{self.log.read_text(errors='replace')[-3000:]}")

    @staticmethod
    async def _ended(process: Process, *, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await process.wait()
        except TimeoutError:
            pass  # it lives, and is about to die
