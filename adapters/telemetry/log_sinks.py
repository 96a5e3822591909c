"""Where a log's bytes go: a file descriptor, or files that take turns."""

import os
import select
import stat
from pathlib import Path
from typing import Final, Protocol

import attrs

from domain.values import frozen

_PIPE_LIMIT: Final = getattr(select, "PIPE_BUF", 512)
_MODE: Final = 0o600


class LogSink(Protocol):
    """Takes whole lines. Called by one thread, which may wait in it."""

    def write(self, data: memoryview) -> int:
        """Writes the beginning of `data`, if not all; returns how many bytes of it.

        Raises:
            OSError: nothing was written.
        """

    def close(self) -> None: ...


@frozen
class DescriptorSink:
    """A descriptor that others own and may write to as well.

    A pipe that several processes share takes up to PIPE_BUF bytes whole; with more, lines of two of them could mix.
    """

    _fd: int
    _is_pipe: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        try:
            is_pipe = stat.S_ISFIFO(os.fstat(self._fd).st_mode)
        except OSError:  # closed: each write will say so
            is_pipe = False
        object.__setattr__(self, "_is_pipe", is_pipe)

    def write(self, data: memoryview) -> int:
        if self._is_pipe and len(data) > _PIPE_LIMIT:
            whole = bytes(data[:_PIPE_LIMIT]).rfind(b"\n") + 1
            if whole:
                data = data[:whole]
        return os.write(self._fd, data)

    def close(self) -> None:
        """Leaves it open: it is not ours."""


@attrs.define
class RotatingFile:
    """`path`, and behind it `path.1` to `path.<keep>`, newest first.

    A file that would grow beyond `max_bytes` is set aside before the next line, between two lines always. It is
    opened when the first line comes, and anew where somebody moved or removed it. Nothing it does loses a line that it
    said was written; where it can't go on (no folder, no space, no right) each write raises, and the next one tries
    again.
    """

    _path: Path
    _max_bytes: int
    _keep: int
    _fd: int | None = attrs.field(default=None, init=False)
    _size: int = attrs.field(default=0, init=False)
    _inode: tuple[int, int] = attrs.field(default=(0, 0), init=False)

    def write(self, data: memoryview) -> int:
        self._follow()
        if self._fd is None:
            self._open()
        room = self._max_bytes - self._size
        if len(data) > room:
            whole = bytes(data[:room]).rfind(b"\n") + 1 if room > 0 else 0
            if whole == 0 and self._size > 0:
                self._rotate()
                return self.write(data)
            if whole == 0:  # one line longer than a file may be: it gets one of its own
                whole = bytes(data).find(b"\n") + 1
            data = data[:whole]
        assert self._fd is not None  # noqa: S101 - opened above, or that raised
        written = os.write(self._fd, data)
        self._size += written
        return written

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _follow(self) -> None:
        """Lets go of a file that is not at its path any more: logrotate has moved it, or somebody has removed it."""
        if self._fd is None:
            return
        try:
            found = self._path.stat()
        except OSError:
            self.close()
            return
        if (found.st_dev, found.st_ino) != self._inode:
            self.close()

    def _open(self) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, _MODE)
        found = os.fstat(fd)
        self._fd, self._size, self._inode = fd, found.st_size, (found.st_dev, found.st_ino)

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep, 0, -1):
            older = self._numbered(number - 1) if number > 1 else self._path
            if older.exists():
                older.replace(self._numbered(number))
        if self._keep == 0:
            self._path.unlink(missing_ok=True)
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def of_worker(path: Path, worker: int | None) -> Path:
    """Each of several workers has files of its own, `lor3.2.log` for the worker 2: sharing one, they would set it
    aside under one another's hands."""
    return path if worker is None else path.with_name(f"{path.stem}.{worker}{path.suffix}")
