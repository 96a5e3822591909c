"""Where a log's bytes go."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from adapters.telemetry.drop_count import LOG_DROPS
from adapters.telemetry.log_sinks import DescriptorSink, RotatingFile, of_worker
from adapters.telemetry.log_writer import LogWriter


def _write(file: RotatingFile, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _all(folder: Path) -> list[bytes]:
    """Every line, oldest first."""
    paths = sorted(folder.glob("lor3.log*"), key=lambda path: (len(path.name), path.name), reverse=True)
    return [line for path in paths for line in path.read_bytes().splitlines(keepends=True)]


def test_files_take_turns_between_two_lines(tmp_path: Path) -> None:
    """None is larger than it may be, none holds half a line, and all lines are there."""
    file = RotatingFile(tmp_path / "lor3.log", 100, 3)
    lines = [f"{number:09d}\n".encode() for number in range(35)]
    _write(file, b"".join(lines[:7]))
    for line in lines[7:]:
        _write(file, line)
    file.close()
    kept = sorted(path.name for path in tmp_path.iterdir())

    assert kept == ["lor3.log", "lor3.log.1", "lor3.log.2", "lor3.log.3"]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert _all(tmp_path) == lines


def test_oldest_files_go(tmp_path: Path) -> None:
    """As many stay as are to be kept; with none to be kept, the file begins anew."""
    for keep, names in ((2, {"lor3.log", "lor3.log.1", "lor3.log.2"}), (0, {"lor3.log"})):
        folder = tmp_path / str(keep)
        folder.mkdir()
        file = RotatingFile(folder / "lor3.log", 20, keep)
        _write(file, b"123456789\n" * 20)
        file.close()

        assert {path.name for path in folder.iterdir()} == names


def test_file_goes_on_where_it_was(tmp_path: Path) -> None:
    """After a restart, and counts what is there; nobody else can read it."""
    for _ in range(2):
        file = RotatingFile(tmp_path / "lor3.log", 100, 1)
        _write(file, b"123456789\n" * 6)
        file.close()

    assert (tmp_path / "lor3.log.1").stat().st_size == 100
    assert (tmp_path / "lor3.log").stat().st_size == 20
    assert (tmp_path / "lor3.log").stat().st_mode & 0o077 == 0


def test_line_longer_than_a_file_gets_one_of_its_own(tmp_path: Path) -> None:
    """It is not cut."""
    file = RotatingFile(tmp_path / "lor3.log", 20, 5)
    _write(file, b"a\n" + b"x" * 50 + b"\nb\n")
    file.close()

    assert _all(tmp_path) == [b"a\n", b"x" * 50 + b"\n", b"b\n"]


def test_file_that_was_moved_or_removed_is_made_anew(tmp_path: Path) -> None:
    """As logrotate does it."""
    path = tmp_path / "lor3.log"
    file = RotatingFile(path, 1000, 1)
    _write(file, b"one\n")
    path.rename(tmp_path / "elsewhere")
    _write(file, b"two\n")
    path.unlink()
    _write(file, b"three\n")
    file.close()

    assert (tmp_path / "elsewhere").read_bytes() == b"one\n"
    assert path.read_bytes() == b"three\n"


def test_folder_that_comes_later_is_found(tmp_path: Path) -> None:
    """Until then each write says that it can't."""
    file = RotatingFile(tmp_path / "logs" / "lor3.log", 1000, 1)
    with pytest.raises(FileNotFoundError):
        file.write(memoryview(b"one\n"))
    (tmp_path / "logs").mkdir()
    _write(file, b"two\n")
    file.close()

    assert (tmp_path / "logs" / "lor3.log").read_bytes() == b"two\n"


def test_workers_have_files_of_their_own() -> None:
    """A process that is alone has the one that was named."""
    assert of_worker(Path("/var/log/lor3.log"), None) == Path("/var/log/lor3.log")
    assert of_worker(Path("/var/log/lor3.log"), 2) == Path("/var/log/lor3.2.log")


def test_lines_of_processes_that_share_a_pipe_do_not_mix() -> None:
    """No write is longer than what a pipe takes whole, and each ends with a line."""
    reader, writer = os.pipe()
    sink, data = DescriptorSink(writer), b"0123456789abcde\n" * 600
    view = memoryview(data)
    taken = []
    while view:
        taken.append(sink.write(view))
        view = view[taken[-1] :]
    os.close(writer)

    assert max(taken) <= 4096
    assert all(sum(taken[: index + 1]) % 16 == 0 for index in range(len(taken)))
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == data


@attrs.define
class FillingDisk:
    """Takes `room` bytes, then none, until it is emptied."""

    room: int
    taken: bytearray = attrs.field(factory=bytearray)

    def write(self, data: memoryview) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = bytes(data[: self.room])
        self.room -= len(part)
        self.taken += part
        return len(part)

    def close(self) -> None:
        pass


def test_full_disk_costs_what_is_counted_and_heals() -> None:
    """Fault 81: half a line that went through is lost too, and does not spoil the next one."""
    disk, before = FillingDisk(room=25), LOG_DROPS.lines
    log = LogWriter(disk)
    for line in (b"one.......\n", b"two.......\n", b"three.....\n", b"four......\n"):
        log.put(lambda line=line: line)  # type: ignore[misc] # each its own
    _until(lambda: LOG_DROPS.lines > before)
    disk.room = 1000
    log.put(lambda: b"five......\n")
    log.close(5)

    assert LOG_DROPS.lines - before == 2
    assert disk.taken == b"one.......\ntwo.......\nthr\nfive......\n"


def test_nothing_is_written_before_it_may_be() -> None:
    """Scripts read the first line of stdout: it is not the log's."""
    disk, may_write = FillingDisk(room=1000), threading.Event()
    log = LogWriter(disk, may_write.is_set)
    log.put(lambda: b"one\n")
    threading.Event().wait(0.1)
    early = bytes(disk.taken)
    may_write.set()
    _until(lambda: disk.taken == b"one\n")
    log.close(5)

    assert early == b""


def test_end_does_not_wait_for_leave_to_write() -> None:
    """A server that is stopped before it has listened says what it has to say."""
    disk = FillingDisk(room=1000)
    log = LogWriter(disk, lambda: False)
    log.put(lambda: b"one\n")
    log.close(5)

    assert disk.taken == b"one\n"


def test_whole_chats_may_wait_in_smaller_numbers() -> None:
    """They hold a lot of memory."""
    release, before = threading.Event(), LOG_DROPS.lines

    def blocked() -> bytes:
        release.wait(10)
        return b"blocked\n"

    disk = FillingDisk(room=10**6)
    log = LogWriter(disk)
    log.put(blocked)
    _until(lambda: not log._lines)
    for _ in range(600):
        log.put(lambda: b"long\n", is_long=True)
    log.put(lambda: b"short\n")
    release.set()
    log.close(5)

    assert LOG_DROPS.lines - before == 100
    assert disk.taken.endswith(b"short\n")


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come to that within 5 s")
