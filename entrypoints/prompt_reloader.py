"""Keeps the store in step with the folder of prompt files: at the start, and whenever it is asked to."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.prompt_files import BrokenFile, PromptFiles
from application.ports.telemetry import Telemetry
from application.use_cases.import_prompt_files import ImportPromptFiles, ImportReport
from domain.errors import Fault, StorageUnavailable
from domain.telemetry import PromptFilesRead

FIRST_WITHIN_S: Final = 5.0
"""The longest a start waits for the first reading."""
_POLL_S: Final = 0.5
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 30.0

_log: Final = logging.getLogger("lor3.prompts")


@attrs.define(kw_only=True)
class PromptReloader:
    """Owns the one task that imports, so that two imports never run at a time.

    Nothing here makes a start or a server fail: a file that is broken is told by the import itself, and while
    the database is away the import is tried again and again.
    """

    _files: PromptFiles
    _import_files: ImportPromptFiles
    _telemetry: Telemetry
    _clock: Clock
    _default_fault: Callable[[], Awaitable[str | None]]
    """What is wrong with the configured prompt, which may have come with the files or gone without them."""
    _report: ImportReport | None = attrs.field(default=None, init=False)
    _seen: str = attrs.field(default="", init=False)
    """The fingerprint of what was read last."""
    _asked: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _tried: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _worker: asyncio.Task[None] | None = attrs.field(default=None, init=False)
    _watcher: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    @property
    def report(self) -> ImportReport | None:
        """Of the last import that came to its end; None where there was none, such as without a folder."""
        return self._report

    async def start(self, *, within_s: float = FIRST_WITHIN_S) -> None:
        """Imports the folder, if there is one; what takes longer than `within_s` goes on behind."""
        self._seen = await self._fingerprint()
        if not self._seen:
            await self._tell_default()
            return
        self.reload()
        try:
            async with asyncio.timeout(within_s):
                await self._tried.wait()
        except TimeoutError:
            _log.warning("the prompt files are still being read; chats see what was stored before until then")

    def reload(self) -> None:
        """Asks for another import and returns at once."""
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work(), name="prompt import")
        self._asked.set()

    def use(
        self,
        *,
        files: PromptFiles,
        import_files: ImportPromptFiles,
        default_fault: Callable[[], Awaitable[str | None]],
    ) -> None:
        """From the next import on it is of these."""
        self._files, self._import_files, self._default_fault = files, import_files, default_fault

    def watch(self) -> None:
        """From now on asks for an import whenever a file changes; within about a second."""
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch(), name="prompt watch")

    async def aclose(self) -> None:
        """Ends what is under way; an import that is cut short stores nothing by halves."""
        tasks = [task for task in (self._watcher, self._worker) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            wait_s = _FIRST_WAIT_S
            while not await self._attempt():
                await self._asked_within(wait_s)
                wait_s = min(_LONGEST_WAIT_S, wait_s * 2)

    async def _attempt(self) -> bool:
        """False where it is worth another try."""
        try:
            if not await self._import():
                return False
            await self._tell_default()
            return True
        finally:
            self._tried.set()

    async def _import(self) -> bool:
        try:
            self._report = await self._import_files.execute()
        except StorageUnavailable as error:
            _log.error(
                "the prompt files can't be imported, as the database is away; trying again: %s", error.detail
            )
            return False
        except Exception as error:  # whatever it is, chats go on with the prompts there are
            _log.exception("the prompt files can't be imported: %s", type(error).__name__)
            return True
        self._telemetry.emit(
            PromptFilesRead(
                made=len(self._report.made),
                unchanged=self._report.unchanged,
                diverged=len(self._report.diverged),
                broken=len(self._report.broken),
            )
        )
        return True

    async def _tell_default(self) -> None:
        fault = await self._default_fault()
        if fault is not None:
            _log.warning("%s", fault)

    async def _asked_within(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._asked.wait()
        except TimeoutError:
            return
        self._asked.clear()

    async def _watch(self) -> None:
        """A change counts once two looks agree on it: an editor may be in the middle of writing."""
        last = self._seen
        while True:
            await self._clock.sleep(_POLL_S)
            now = await self._fingerprint()
            if now == last and now != self._seen:
                self._seen = now
                self.reload()
            last = now

    async def _fingerprint(self) -> str:
        try:
            return await self._files.fingerprint()
        except OSError as error:  # the import meets it too, and says so
            return f"unreadable: {error.errno}"


def prompt_file_warnings(report: ImportReport | None) -> tuple[str, ...]:
    """What an operator should know of the files, a line each, without anything of a prompt's text."""
    if report is None:
        return ()
    broken = [_warning(file, fault) for file in report.broken for fault in file.faults]
    diverged = [
        f"prompts: {file.path} and the prompt `{file.name}` in the database both changed;"
        f" see `lor3 prompt sync {file.name}`"
        for file in report.diverged
    ]
    return (*broken, *diverged)


def _warning(file: BrokenFile, fault: Fault) -> str:
    line = fault.message.partition("\n")[0]  # below it stands the line of the file
    return f"prompts: {line}" if file.path in line else f"prompts: {file.path}: {line}"
