"""The one task that imports prompt files: what it survives, and when it runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import attrs
import pytest

from adapters.in_memory.telemetry import RecordingTelemetry
from adapters.prompts.files import FolderPromptFiles
from adapters.system import SystemClock
from application.ports.prompt_files import BrokenFile
from application.use_cases.import_prompt_files import DivergedFile, ImportPromptFiles, ImportReport
from domain.errors import Fault, StorageUnavailable
from domain.prompt.reference import PromptName
from domain.telemetry import PromptFilesRead
from entrypoints import prompt_reloader
from entrypoints.prompt_reloader import PromptReloader, prompt_file_warnings


@attrs.define
class Importing:
    """Stands for the use case: fails as it is told, then reports."""

    failures: list[Exception] = attrs.field(factory=list)
    takes_s: float = 0.0
    runs: int = 0
    at_a_time: int = 0
    most_at_a_time: int = 0

    async def execute(self) -> ImportReport:
        self.runs += 1
        self.at_a_time += 1
        self.most_at_a_time = max(self.most_at_a_time, self.at_a_time)
        try:
            await asyncio.sleep(self.takes_s)
            if self.failures:
                raise self.failures.pop(0)
            return ImportReport(unchanged=self.runs)
        finally:
            self.at_a_time -= 1


@attrs.frozen
class Setup:
    reloader: PromptReloader
    importing: Importing
    telemetry: RecordingTelemetry


@asynccontextmanager
async def _reloader(
    folder: Path, importing: Importing, *, default_fault: Callable[[], str | None] = lambda: None
) -> AsyncIterator[Setup]:
    telemetry = RecordingTelemetry()

    async def fault() -> str | None:
        return default_fault()

    reloader = PromptReloader(
        files=FolderPromptFiles(str(folder)),
        import_files=cast("ImportPromptFiles", importing),
        telemetry=telemetry,
        clock=SystemClock(),
        default_fault=fault,
    )
    try:
        yield Setup(reloader, importing, telemetry)
    finally:
        await reloader.aclose()


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to be within 10 s")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.md").write_text("x")
    return tmp_path


async def test_start_waits_for_the_first_import(folder: Path) -> None:
    """Chats then find the prompts; the report is kept and told."""
    async with _reloader(folder, Importing(takes_s=0.05)) as made:
        await made.reloader.start()

        assert made.reloader.report == ImportReport(unchanged=1)
        assert made.telemetry.of(PromptFilesRead) == [
            PromptFilesRead(made=0, unchanged=1, diverged=0, broken=0)
        ]


async def test_absent_folder_costs_nothing(tmp_path: Path) -> None:
    """No task, no import, no report."""
    before = asyncio.all_tasks()
    async with _reloader(tmp_path / "none", Importing()) as made:
        await made.reloader.start()

        assert asyncio.all_tasks() == before
        assert made.importing.runs == 0
        assert made.reloader.report is None


async def test_default_that_is_not_there_is_told_after_each_import(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As a warning at the start, when the files are in, and after a reload until it is mended."""
    importing = Importing()
    faults: list[str | None] = ["`system_prompt: suport` can't be used", "still", None]
    seen: list[int] = []

    def fault() -> str | None:
        seen.append(importing.runs)
        return faults.pop(0)

    async with _reloader(folder, importing, default_fault=fault) as made:
        await made.reloader.start()
        at_start = [(each.levelname, each.getMessage()) for each in caplog.records]
        for left in (1, 0):
            made.reloader.reload()
            await _until(lambda left=left: len(faults) == left)  # type: ignore[misc]  # mypy takes the default for a parameter

    assert at_start == [("WARNING", "`system_prompt: suport` can't be used")]
    assert [each.getMessage() for each in caplog.records][1:] == ["still"]
    assert seen == [1, 2, 3]


async def test_default_that_is_not_there_is_told_without_a_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Prompts come by the API too."""
    async with _reloader(tmp_path / "none", Importing(), default_fault=lambda: "not there") as made:
        await made.reloader.start()

    assert [each.getMessage() for each in caplog.records] == ["not there"]


async def test_slow_import_goes_on_behind_the_start(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And says so."""
    async with _reloader(folder, Importing(takes_s=0.2)) as made:
        await made.reloader.start(within_s=0.01)
        early = made.reloader.report
        await _until(lambda: made.reloader.report is not None)

    assert early is None
    assert "still being read" in caplog.text


async def test_database_that_is_away_is_tried_again(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start goes on at once, and the import follows when the database is back."""
    monkeypatch.setattr(prompt_reloader, "_FIRST_WAIT_S", 0.01)
    away = [StorageUnavailable("the database does not answer") for _ in range(3)]
    async with _reloader(folder, Importing(failures=list(away))) as made:
        await made.reloader.start()
        early = made.reloader.report
        await _until(lambda: made.reloader.report is not None)

    assert early is None
    assert made.importing.runs == 4
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3
    assert "the database is away; trying again: the database does not answer" in caplog.text


async def test_reload_cuts_the_wait_short(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who knows that the database is back need not wait."""
    monkeypatch.setattr(prompt_reloader, "_FIRST_WAIT_S", 60.0)
    async with _reloader(folder, Importing(failures=[StorageUnavailable("away")])) as made:
        await made.reloader.start()
        made.reloader.reload()
        await _until(lambda: made.reloader.report is not None)

    assert made.importing.runs == 2


async def test_failure_that_nobody_thought_of_ends_nothing(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, the last report stays, and the next reload works."""
    async with _reloader(folder, Importing(failures=[RuntimeError("CANARY")])) as made:
        await made.reloader.start()
        early = made.reloader.report
        made.reloader.reload()
        await _until(lambda: made.reloader.report is not None)

    assert early is None
    assert "the prompt files can't be imported: RuntimeError" in caplog.text


async def test_reloads_never_overlap_and_none_is_lost(folder: Path) -> None:
    """One that is asked for during an import runs after it; many at once are one."""
    async with _reloader(folder, Importing(takes_s=0.05)) as made:
        await made.reloader.start()
        for _ in range(5):
            made.reloader.reload()
        await asyncio.sleep(0.01)
        for _ in range(5):
            made.reloader.reload()
        await _until(lambda: made.reloader.report == ImportReport(unchanged=3))
        await asyncio.sleep(0.1)

    assert made.importing.runs == 3
    assert made.importing.most_at_a_time == 1


async def test_watching_waits_until_a_file_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that still changes is not read; an unchanged folder never."""
    monkeypatch.setattr(prompt_reloader, "_POLL_S", 0.05)
    async with _reloader(folder, Importing()) as made:
        await made.reloader.start()
        made.reloader.watch()
        await asyncio.sleep(0.2)
        idle = made.importing.runs
        for number in range(20):
            (folder / "a.md").write_text("x" * number)
            await asyncio.sleep(0.01)
        await _until(lambda: made.importing.runs > idle)
        await asyncio.sleep(0.2)

    assert idle == 1
    assert made.importing.runs in (2, 3)  # the writer may pause longer than it means to


async def test_folder_that_is_made_later_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is removed again."""
    monkeypatch.setattr(prompt_reloader, "_POLL_S", 0.01)
    folder = tmp_path / "prompts"
    async with _reloader(folder, Importing()) as made:
        await made.reloader.start()
        made.reloader.watch()
        folder.mkdir()
        await _until(lambda: made.importing.runs == 1)
        folder.rmdir()
        await _until(lambda: made.importing.runs == 2)


def test_warnings_name_the_place_and_quote_no_prompt() -> None:
    """A line for each fault, and for each file that diverged."""
    report = ImportReport(
        broken=(
            BrokenFile(
                name=PromptName("a"),
                path="prompts/a.yaml",
                faults=(
                    Fault(path="template", message="config/prompts/a.yaml, line 3, column 1: no\nCANARY\n^"),
                    Fault(path="", message="the fragment is broken\nCANARY"),
                ),
            ),
        ),
        diverged=(DivergedFile(name=PromptName("b"), path="prompts/b.md"),),
    )

    assert prompt_file_warnings(report) == (
        "prompts: config/prompts/a.yaml, line 3, column 1: no",
        "prompts: prompts/a.yaml: the fragment is broken",
        "prompts: prompts/b.md and the prompt `b` in the database both changed; see `lor3 prompt sync b`",
    )
    assert prompt_file_warnings(None) == ()
