"""Keeps several server processes running on one port."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Coroutine
from typing import Any, Final

import attrs

from entrypoints.cli.output import say
from entrypoints.cli.reloading import HangUp

_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 30.0
_HEALTHY_AFTER_S: Final = 30.0
"""A worker that lived this long starts again at once when it dies."""
_CUT_S: Final = 5.0
"""For workers to store what they cut."""


def supervise(
    *,
    arguments: list[str],
    workers: int,
    grace_s: float,
    announce: Coroutine[Any, Any, None],
    hang_up: HangUp,
) -> int:
    """Runs `workers` processes of `lor3` with `arguments` and their number, from 0, until SIGTERM or SIGINT.

    One that dies is started again, sooner or later by how long it lived. On the first signal all are told
    to finish, on the second to cut what is under way. Those left `grace_s` after the first, a few seconds
    after the second, or at the third are killed. SIGHUP has each of them reload. `announce` runs beside them.

    Returns:
        0 where all finished by themselves, else 1; also where none could be started, which no other try would mend.
    """
    supervisor = Supervisor(arguments=arguments, workers=workers, grace_s=grace_s)
    return asyncio.run(supervisor.run(announce, hang_up))


@attrs.define(kw_only=True)
class Supervisor:
    """The workers of one port."""

    arguments: list[str]
    workers: int
    grace_s: float
    _stopping: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _cutting: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _killing: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _alive: dict[int, Process] = attrs.field(factory=dict, init=False)
    _was_up: bool = attrs.field(default=False, init=False)
    """Whether one of them has ever answered."""
    _never_up: set[int] = attrs.field(factory=set, init=False)
    """Those that gave up before any did."""

    async def run(self, announce: Coroutine[Any, Any, None], hang_up: HangUp) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        with hang_up.handled(self._reload):
            async with asyncio.TaskGroup() as group:
                slots = [group.create_task(self._keep(slot)) for slot in range(self.workers)]
                beside = [group.create_task(self._end()), group.create_task(self._see_up(announce))]
                codes = await asyncio.gather(*slots)
                for task in beside:
                    task.cancel()
        return 0 if all(code == 0 for code in codes) else 1

    async def _see_up(self, announce: Coroutine[Any, Any, None]) -> None:
        await announce
        self._was_up = True

    def _signalled(self) -> None:
        if self._cutting.is_set():
            self._killing.set()
        if self._stopping.is_set():
            self._cutting.set()
        self._stopping.set()
        self._send(signal.SIGTERM)

    def _reload(self) -> None:
        """Over stdin, which waits for a worker that is about to start: a SIGHUP would end it."""
        for process in self._alive.values():
            if process.returncode is None and process.stdin is not None:
                process.stdin.write(b"\n")

    def _send(self, number: signal.Signals) -> None:
        for process in self._alive.values():
            if process.returncode is None:
                process.send_signal(number)

    async def _end(self) -> None:
        """Kills what is still there when the time is up."""
        await self._stopping.wait()
        try:
            async with asyncio.timeout(self.grace_s):
                await self._cutting.wait()
                async with asyncio.timeout(_CUT_S):
                    await self._killing.wait()
        except TimeoutError:
            say("some workers did not finish in time and are killed")
        self._send(signal.SIGKILL)

    async def _keep(self, slot: int) -> int:
        """Runs the worker of one slot again and again; returns its last exit code once stopping."""
        wait_s = _FIRST_WAIT_S
        while True:
            # A session of its own: Ctrl-C in the terminal is for the supervisor to pass on, once.
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "lor3",
                *self.arguments,
                str(slot),
                stdin=PIPE,
                start_new_session=True,
            )
            self._alive[slot] = process
            if self._stopping.is_set():
                process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            code = await process.wait()
            if self._stopping.is_set():
                # One that was told to stop before it served anything dies of the signal itself.
                return 0 if code == -signal.SIGTERM else code
            if not self._was_up and code > 0:
                self._never_up.add(slot)
                if len(self._never_up) == self.workers:
                    say("no worker could be started; see above for the reason")
                    self._stopping.set()
                    self._send(signal.SIGTERM)
                    return code
            lived_s = time.monotonic() - started
            wait_s = _FIRST_WAIT_S if lived_s >= _HEALTHY_AFTER_S else wait_s
            say(f"worker {process.pid} ended with {code}; starting another in {wait_s:g} s")
            try:
                async with asyncio.timeout(wait_s):
                    await self._stopping.wait()
                return code if slot in self._never_up and not self._was_up else 0
            except TimeoutError:
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)
