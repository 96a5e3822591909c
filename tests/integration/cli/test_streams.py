"""Commands whose standard streams are closed or full, as a script or a service manager may leave them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

Shell: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]

_CLOSED = (
    "error: stdout is closed, so what was to be printed is lost; send it to a file, a pipe or /dev/null\n"
)
_FULL = "error: stdout can't be written to, so what was to be printed is lost: No space left on device; send it elsewhere\n"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Runs `lor3 …` by the shell, whose redirections are what is tried."""
    root = Path(__file__).parents[3]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "LANG": "C.UTF-8"}
    (tmp_path / "x.yaml").write_text("template: Hi there\n")

    def shell(arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["/bin/sh", "-c", f"{sys.executable} -m lor3 {arguments}"],
            cwd=tmp_path,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return shell


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(("redirection", "says"), [(">&-", _CLOSED), (">/dev/full", _FULL)])
@pytest.mark.parametrize(
    "command", ["prompt edit x --from-file x.yaml", "config show", "--help", "run hi --stream"]
)
def test_stdout_that_takes_nothing_is_one_line_and_a_failure(
    shell: Shell, command: str, redirection: str, says: str, unbuffered: str
) -> None:
    """No traceback, and no success that nobody has seen."""
    done = shell(f"{command} {redirection}", PYTHONUNBUFFERED=unbuffered)

    assert (1, says) == (done.returncode, done.stderr)


def test_lost_output_is_json_where_json_was_asked_for(shell: Shell) -> None:
    """A script reads stderr."""
    done = shell("config show --json >/dev/full")

    assert (1, "failed") == (done.returncode, json.loads(done.stderr)["code"])


@pytest.mark.parametrize("redirection", [">/dev/full 2>/dev/full", ">&- 2>&-", "2>/dev/full >&-"])
def test_nobody_to_tell_is_silent(shell: Shell, redirection: str) -> None:
    """The exit code is all that is left."""
    done = shell(f"config show {redirection}")

    assert (1, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("redirection", ["2>&-", "<&-", "<&- 2>&-"])
def test_other_streams_are_not_needed(shell: Shell, redirection: str) -> None:
    """A result is printed whole without them."""
    done = shell(f"prompt edit x --from-file x.yaml {redirection}")

    assert (0, "x:v1\n", "") == (done.returncode, done.stdout, done.stderr)


def test_misuse_is_told_as_ever(shell: Shell) -> None:
    """What prints nothing has no use for stdout."""
    done = shell("prompt nope >&-")

    assert (2, True) == (done.returncode, "No such command 'nope'" in done.stderr)


def test_reader_that_leaves_early_is_not_told(shell: Shell) -> None:
    """As with `head`."""
    done = shell("--help | true")

    assert (0, "") == (done.returncode, done.stderr)
