"""What `--output` leaves behind."""

import stat
from pathlib import Path

import click
import pytest

from entrypoints.cli.output_file import check_writable, written_to


def test_new_file_is_for_its_owner(tmp_path: Path) -> None:
    """It holds what people wrote."""
    file = tmp_path / "out.jsonl"
    with written_to(file) as stream:
        stream.write("é\n")

    assert file.read_bytes() == "é\n".encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """Half a result is none."""
    file = tmp_path / "out.jsonl"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError), written_to(file) as stream:
        stream.write("half a pair: \ud800")

    assert (file.read_text(), list(tmp_path.iterdir())) == ("old", [file])


def test_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    """Who could read it still can."""
    file = tmp_path / "out.jsonl"
    file.write_text("old")
    file.chmod(0o640)
    with written_to(file) as stream:
        stream.write("new")

    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o640)


def test_link_is_followed(tmp_path: Path) -> None:
    """What it points at is written."""
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with written_to(tmp_path / "link") as stream:
        stream.write("new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("path", [None, Path("-")])
def test_stdout_is_the_default(path: Path | None, capsys: pytest.CaptureFixture[str]) -> None:
    """And a dash names it."""
    with written_to(path) as stream:
        stream.write("line\n")

    assert capsys.readouterr().out == "line\n"


def test_device_is_written_to_as_it_is() -> None:
    """It is not replaced by a file."""
    with written_to(Path("/dev/null")) as stream:
        stream.write("gone")

    assert Path("/dev/null").is_char_device()


def test_full_device_is_told(tmp_path: Path) -> None:
    """With what the system says of it."""
    if not Path("/dev/full").exists():
        return
    with pytest.raises(click.ClickException, match="No space left"), written_to(Path("/dev/full")) as stream:
        stream.write("x")


@pytest.mark.parametrize(("name", "told"), [(".", "is a folder"), ("none/out.jsonl", "there is no folder")])
def test_impossible_file_is_refused_before_anything_is_read(tmp_path: Path, name: str, told: str) -> None:
    """Nobody waits for an export that has nowhere to go."""
    with pytest.raises(click.UsageError, match=told):
        check_writable(tmp_path / name)
