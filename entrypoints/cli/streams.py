"""Standard streams that are closed or can't take what is written: one clear line and exit code 1, no traceback."""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Watched(io.FileIO):
    """Remembers why it failed: an `OSError` by itself does not say of what it is."""

    failure: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.failure = error
            raise


def watch_streams() -> None:
    """Lets the functions below see what becomes of stdout and stderr, and puts a stream where the caller closed one.

    For a closed one (`lor3 … >&-`) Python has None, and a database would be opened under its number. Here stdin is at
    its end then, and stderr shows nothing. stdout refuses what is written, so that a command with a result fails and
    one without, such as `serve`, does not.
    """
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(_nothing(os.O_RDONLY), closefd=False)))
    # What is open to be read refuses to be written, as a closed one does.
    sys.stdout = _watched(sys.stdout, instead=os.O_RDONLY)
    sys.stderr = _watched(sys.stderr, instead=os.O_WRONLY)


def stdout_failure() -> str | None:
    """Why stdout could not take what was printed, and what to do; None where it took all.

    What it did not take is dropped, for Python would try once more at the end.
    """
    error = _failure(sys.stdout)
    if error is None:
        return None
    if error.errno == errno.EBADF:
        return "stdout is closed, so what was to be printed is lost; send it to a file, a pipe or /dev/null"
    return (
        f"stdout can't be written to, so what was to be printed is lost: {error.strerror}; send it elsewhere"
    )


def has_stderr_failed() -> bool:
    """As `stdout_failure`, where nobody can be told any more."""
    return _failure(sys.stderr) is not None


def _watched(stream: TextIO | None, *, instead: int) -> TextIO:
    if stream is None:
        raw = _Watched(_nothing(instead), "w", closefd=False)
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    is_buffered = isinstance(stream.buffer, io.BufferedWriter)  # not so with PYTHONUNBUFFERED
    if not isinstance(stream.buffer.raw if is_buffered else stream.buffer, io.FileIO):
        return stream
    raw = _Watched(stream.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw) if is_buffered else raw,
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _nothing(flags: int) -> int:
    """A number for a stream, which an editor that is started has too."""
    number = os.open(os.devnull, flags)
    os.set_inheritable(number, True)
    return number


def _failure(stream: TextIO) -> OSError | None:
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if not isinstance(raw, _Watched) or raw.failure is None:
        return None
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, raw.fileno())
    os.close(sink)
    failure, raw.failure = raw.failure, None
    return failure
