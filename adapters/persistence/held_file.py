"""Whether the SQLite file that this process has open is still the one at its path."""

import os
import sqlite3
from pathlib import Path
from typing import Final

import attrs

FILE_GONE: Final = (
    "the database file was removed or replaced while lor3 had it open: put it back, or restart lor3"
)

Identity = tuple[int, int]
"""Device and inode."""


class FileGone(sqlite3.OperationalError):
    """What is written goes to a file that nobody finds again."""

    def __init__(self) -> None:
        super().__init__(FILE_GONE)


@attrs.define(eq=False)
class HeldFile:
    """The file's identity when it was opened to be written; nothing is demanded before.

    Its write-ahead log counts as well: where something else was put in the file's place meanwhile, SQLite gave that
    one a new log, and what the old connections write to theirs would be lost though the file is back.
    """

    _path: str
    _opened: Identity | None = None
    _log_path: str = ""
    _log: Identity | None = None
    """None until it was seen: SQLite makes it with the first transaction."""

    def take(self) -> None:
        """The file was opened just now. A later call changes nothing: one process keeps to one file."""
        if self._opened is None:
            self._opened = _identity(self._path)
            # SQLite follows links first.
            self._log_path = f"{Path(self._path).resolve()}-wal"

    def is_gone(self) -> bool:
        """Two system calls, of two microseconds each."""
        if self._opened is None:
            return False
        if _identity(self._path) != self._opened:
            return True
        log = _identity(self._log_path)
        if self._log is None:
            self._log = log
        return log != self._log

    def demand(self) -> None:
        """
        Raises:
            FileGone: the file is not there, or another one is.
        """
        if self.is_gone():
            raise FileGone


def _identity(path: str) -> Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - each chat asks, and a Path takes twice as long
    except OSError:
        return None
    return found.st_dev, found.st_ino
