"""The command line at a terminal: a process of its own on a pseudo-terminal."""

import os
import pty
import select
import time
from collections.abc import Mapping
from pathlib import Path

import attrs

from tests.support.forked_lor3 import lor3_on

_LIMIT_S = 60.0


@attrs.frozen
class Seen:
    code: int
    text: str


def at_terminal(
    *arguments: str,
    types: str = "",
    question: str = "[y/N]",
    columns: int = 80,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Seen:
    """The command at a terminal of that width; `types` is typed once the question is there."""
    ours, theirs = pty.openpty()
    shown, typed = b"", not types
    ends_at = time.monotonic() + _LIMIT_S
    variables = {"COLUMNS": str(columns), "TERM": "xterm", **(environ or {})}
    try:
        with lor3_on(theirs, *arguments, cwd=cwd, environ=variables) as end:
            os.close(theirs)
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
                if not typed and question.encode() in shown:
                    os.write(ours, types.encode())
                    typed = True
            return Seen(end(), shown.decode().replace("\r\n", "\n"))
    finally:
        os.close(ours)
