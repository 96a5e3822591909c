"""The command line in a folder that has nothing but a migrated database, for whichever test asks for it."""

from pathlib import Path

import pytest

from tests.support.command_line import Run, in_empty_folder
from tests.support.sqlite_files import put_migrated


@pytest.fixture
def lor3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    put_migrated(tmp_path / "lor3.db")
    return in_empty_folder(tmp_path, monkeypatch, capsys)
