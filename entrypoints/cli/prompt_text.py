"""The prompt of `lor3 run`: what is written, what is piped in, or both."""

import os
import stat
import sys
import threading
from typing import BinaryIO, Final

import click

from entrypoints.cli.output import say

_PATIENCE_S: Final = 3.0
"""How long a pipe may be silent before a line says what is waited for."""


def prompt_from(option: str | None, words: tuple[str, ...]) -> str:
    """What `--prompt` or the words say, a blank line, and the text on stdin; one of them where the other is absent.

    An empty stdin changes nothing, and a terminal is read only where `-` asks for it.

    Raises:
        click.UsageError: there is no prompt, or it is empty, given twice, or not UTF-8.
    """
    if option is not None and words:
        raise click.UsageError("give the prompt once: as --prompt or as words, not both")
    said = option if option is not None else " ".join(words) if words else None
    if said == "-":
        text = _read(sys.stdin.buffer, patience_s=None)
    elif said is not None:
        piped = _read(sys.stdin.buffer, patience_s=_PATIENCE_S) if said.strip() and _is_piped() else ""
        text = f"{said}\n\n{piped}" if piped.strip() else said
    elif _is_piped():
        text = _read(sys.stdin.buffer, patience_s=None)
    else:
        raise click.UsageError('there is no prompt; write --prompt "…" or pipe one in')
    if not text.strip():
        raise click.UsageError('the prompt is empty; write --prompt "…" or pipe one in')
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise click.UsageError("the prompt is not UTF-8 text")
    return text


def _is_piped() -> bool:
    """Whether stdin holds something to read: a pipe, a socket or a file; never a terminal or /dev/null."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False  # it is closed
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISREG(mode)


def _read(stdin: BinaryIO, *, patience_s: float | None) -> str:
    """All of `stdin`; after `patience_s` a note says what is waited for, for a pipe may stay open by mistake."""
    note = threading.Timer(
        patience_s or 0, say, ("waiting for the text that is piped in; for none, add `< /dev/null`",)
    )
    note.daemon = True
    if patience_s is not None:
        note.start()
    try:
        return stdin.read().decode()
    except UnicodeDecodeError as error:
        raise click.UsageError("the prompt on stdin is not UTF-8 text") from error
    finally:
        note.cancel()
