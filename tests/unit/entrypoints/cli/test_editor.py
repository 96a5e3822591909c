"""Which editor is opened, on what file, and what is told of a refused text."""

import stat
from pathlib import Path

import click
import pytest

from entrypoints.cli.editor import Sheet, editor_command, with_faults, without_faults


def _program(folder: Path, name: str, script: str = "") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return path


def test_visual_comes_before_editor() -> None:
    """As everywhere; arguments are part of it."""
    assert editor_command({"VISUAL": "sh -e", "EDITOR": "cat"}) == "sh -e"
    assert editor_command({"VISUAL": " ", "EDITOR": "cat"}) == "cat"


def test_usual_editors_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a variable: vi, else nano."""
    monkeypatch.setenv("PATH", str(tmp_path))
    _program(tmp_path, "nano")

    assert editor_command({}) == "nano"


def test_no_editor_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that there is a way without one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(click.UsageError, match=r"set EDITOR.*--from-file"):
        editor_command({})


@pytest.mark.parametrize(
    ("command", "says"), [("no-such-editor -w", "no such program"), ("'vi", "can't be read")]
)
def test_wrong_variable_is_named(command: str, says: str) -> None:
    """Before a text is written for it."""
    with pytest.raises(click.UsageError, match=rf"\$EDITOR.*{says}"):
        editor_command({"EDITOR": command})


def test_file_is_private_and_goes(tmp_path: Path) -> None:
    """Others on the machine can't read it; its suffix tells the editor what it is."""
    sheet = Sheet.of("a: b\n", name="tone")
    mode = stat.S_IMODE(sheet.path.stat().st_mode)
    command = _program(tmp_path, "editor", 'sed -i s/b/c/ "$1"')

    assert (mode, sheet.path.suffix) == (0o600, ".yaml")
    assert sheet.edited(str(command)) == "a: c\n"
    assert sheet.is_changed_from("a: b\n")
    sheet.discard()
    assert not sheet.path.exists()


@pytest.mark.parametrize("script", ["exit 1", 'rm "$1"', "printf '\\377' > \"$1\""])
def test_editor_that_fails_is_told(tmp_path: Path, script: str) -> None:
    """It ended badly, or left no text."""
    sheet = Sheet.of("a: b\n", name="tone")
    with pytest.raises(click.ClickException):
        sheet.edited(str(_program(tmp_path, "editor", script)))
    sheet.discard()


@pytest.mark.parametrize("script", ['rm "$1"; mkdir "$1"', 'rm "$1"; mkfifo "$1"'])
def test_what_is_no_file_is_left_as_it_is(tmp_path: Path, script: str) -> None:
    """It is not read, not waited for and not removed: something may be in it."""
    sheet = Sheet.of("a: b\n", name="tone")
    with pytest.raises(click.ClickException, match="is no file after editing"):
        sheet.edited(str(_program(tmp_path, "editor", script)))

    assert not sheet.is_changed_from("a: b\n")
    sheet.discard()
    assert sheet.path.exists()


def test_faults_stand_on_top_and_go_by_themselves() -> None:
    """Those of an earlier try are replaced."""
    once = with_faults("a: b\n", ["template: line 1\n  {{nam}}\n    ^"])
    twice = with_faults(once, ["another"])

    assert once.splitlines()[1:4] == ["#! template: line 1", "#!   {{nam}}", "#!     ^"]
    assert twice.splitlines()[1:] == ["#! another", "a: b"]
    assert without_faults(twice) == "a: b\n"
