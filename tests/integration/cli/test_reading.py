"""Commands that only look: they make no database, and import little."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import Run, in_empty_folder, say

_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
_COMMANDS = [
    ("thread", "list"),
    ("thread", "show", _ID),
    ("thread", "show", _ID[:13]),
    ("thread", "export", _ID),
    ("thread", "memory", _ID),
    ("feedback", "show", _ID),
    ("feedback", "history", _ID),
    ("feedback", "export"),
    ("observe", "usage"),
]


@pytest.fixture
def lor3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_empty_folder(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("command", _COMMANDS)
def test_no_database_is_told_and_none_is_made(lor3: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Most likely this is the wrong folder."""
    done = lor3(*command)

    assert (done.code, done.out) == (1, "")
    assert "there is no database yet at `lor3.db`" in " ".join(done.err.split())
    assert [] == list(tmp_path.iterdir())


def test_pruning_makes_no_database(lor3: Run, tmp_path: Path) -> None:
    """There is nothing to remove."""
    for arguments in ((), ("--dry-run",)):
        done = lor3("db", "prune", *arguments)

        assert (done.code, "there is no database yet" in done.err) == (1, True)
        assert [] == list(tmp_path.iterdir())


def test_misuse_is_told_first(lor3: Run, tmp_path: Path) -> None:
    """What is wrong with the command is wrong in every folder."""
    done = lor3("observe", "usage", "--since", "soon")

    assert (done.code, "--since" in done.err) == (2, True)
    assert [] == list(tmp_path.iterdir())


def test_looking_imports_nothing_that_answers(lor3: Run) -> None:
    """Neither providers nor prompts nor tokens nor the server: they took half of the time."""
    say(lor3, "one")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lor3", "thread", "list"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert "adapters.persistence.unit_of_work" in imported
    unwanted = {
        "adapters.prompts.files", "adapters.telemetry.prometheus", "aiohttp", "alembic", "application.use_cases.send_chat",
        "dependency_injector", "entrypoints.application", "entrypoints.container", "prometheus_client", "psycopg",
        "tiktoken",
    }  # fmt: skip
    assert set() == imported & unwanted
