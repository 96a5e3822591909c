"""The command line at a terminal: a real process on a pseudo-terminal."""

import os
import pty
import select
import subprocess
import sys
import time

import attrs

from tests.support.command_line import VARIABLES

_LIMIT_S = 60.0


@attrs.frozen
class Seen:
    code: int
    text: str


def at_terminal(*arguments: str, types: str = "", columns: int = 80) -> Seen:
    """The command at a terminal of that width; `types` is typed once something was asked."""
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    process = subprocess.Popen(
        [sys.executable, "-m", "lor3", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environ, "COLUMNS": str(columns), "TERM": "xterm"},
    )
    os.close(theirs)
    shown, typed = b"", not types
    ends_at = time.monotonic() + _LIMIT_S
    try:
        while time.monotonic() < ends_at:
            if not select.select([ours], [], [], 0.2)[0]:
                continue
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux says so when nobody holds the other end any more
                break
            if not piece:
                break
            shown += piece
            if not typed and b"[y/N]" in shown:
                os.write(ours, types.encode())
                typed = True
        return Seen(process.wait(_LIMIT_S), shown.decode().replace("\r\n", "\n"))
    finally:
        process.kill()
        os.close(ours)
