"""The command line in a folder of its own, for whichever test asks for it."""

from pathlib import Path

import pytest

from tests.support.command_line import Run, in_empty_folder


@pytest.fixture
def lor3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return in_empty_folder(tmp_path, monkeypatch, capsys)
