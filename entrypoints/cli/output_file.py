"""`--output FILE`: all of a result in a file, or nothing new there."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click


@contextmanager
def written_to(path: Path | None) -> Iterator[TextIO]:
    """Where to write a result: stdout for None and `-`, else the file, which appears when all of it is written.

    A new file is for its owner alone, for it holds what people wrote; one that is replaced keeps its mode. What is
    no regular file, such as a pipe, is written to as it is.

    Raises:
        click.ClickException: it can't be written.
    """
    if path is None or str(path) == "-":
        yield sys.stdout
        return
    try:
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8") as stream:
                yield stream
            return
        with _beside(path) as stream:
            yield stream
    except OSError as error:
        if error.errno is None:  # a timeout of what the result is read from
            raise
        raise click.ClickException(f"{path} can't be written: {error.strerror}; name another file") from error


def check_writable(path: Path | None) -> None:
    """Before anything is read for it.

    Raises:
        click.UsageError: `path` can't be a file.
    """
    if path is None or str(path) == "-":
        return
    if path.is_dir():
        raise click.UsageError(f"{path} is a folder; name a file in it")
    if not path.resolve().parent.is_dir():
        raise click.UsageError(f"there is no folder {path.parent}; make it first, or name another file")


@contextmanager
def _beside(path: Path) -> Iterator[TextIO]:
    target = path.resolve()  # what a link points at is replaced, not the link
    number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            yield stream
        if target.exists():
            unfinished.chmod(target.stat().st_mode & 0o777)
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
