"""The file that names the server's process."""

import os
from pathlib import Path

import click
import pytest

from entrypoints.cli.pid_file import pid_file


def test_file_is_there_while_it_runs(tmp_path: Path) -> None:
    """Whole, alone in its folder, and gone afterwards."""
    path = tmp_path / "lor3.pid"
    with pid_file(path):
        assert [each.name for each in tmp_path.iterdir()] == ["lor3.pid"]
        assert path.read_text() == f"{os.getpid()}\n"

    assert list(tmp_path.iterdir()) == []


def test_second_server_is_refused(tmp_path: Path) -> None:
    """It would make the first one unreachable; nothing changes."""
    path = tmp_path / "lor3.pid"
    with pid_file(path):
        with pytest.raises(click.ClickException, match=f"process {os.getpid()}"), pid_file(path):
            pass
        assert path.read_text() == f"{os.getpid()}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("said", ["", "1\n", "999999\n"])
def test_stale_file_is_replaced(tmp_path: Path, said: str) -> None:
    """Whatever process has that id now: who wrote it is gone."""
    path = tmp_path / "lor3.pid"
    path.write_text(said)
    with pid_file(path):
        assert path.read_text() == f"{os.getpid()}\n"
    assert list(tmp_path.iterdir()) == []


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """A path that was mistyped must cost nothing."""
    path = tmp_path / "lor3.yaml"
    path.write_text("primary: x")
    with pytest.raises(click.ClickException, match="no pid file"), pid_file(path):
        pass
    assert [each.read_text() for each in tmp_path.iterdir()] == ["primary: x"]


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(click.ClickException, match="set --pid-file"), pid_file(tmp_path / "no" / "lor3.pid"):
        pass


def test_file_of_a_successor_stays(tmp_path: Path) -> None:
    """Somebody removed ours, and another server took the name."""
    path = tmp_path / "lor3.pid"
    with pid_file(path):
        path.unlink()
        path.write_text("7\n")

    assert path.read_text() == "7\n"


def test_none_keeps_no_file(tmp_path: Path) -> None:
    """The default."""
    with pid_file(None):
        assert list(tmp_path.iterdir()) == []
