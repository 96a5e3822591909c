"""Writes log lines off the event loop."""

import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

import attrs

from adapters.telemetry.drop_count import LOG_DROPS

_MAX_QUEUED: Final = 10_000
_MAX_BATCH: Final = 500


@attrs.define
class LogWriter:
    """A bounded queue and a thread that writes to a file descriptor.

    `put` never blocks: where the sink is slower than the log, the newest lines are dropped and counted. The thread
    writes with `os.write`, because a daemon thread that holds a buffered stream's lock kills the interpreter's
    shutdown. It starts with the first line, so that a process that forks before logging is safe.
    """

    _fd: int
    _queue: "queue.Queue[Callable[[], bytes] | None]" = attrs.field(
        factory=lambda: queue.Queue(_MAX_QUEUED), init=False
    )
    _thread: threading.Thread | None = attrs.field(default=None, init=False)
    _starting: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def put(self, line: Callable[[], bytes]) -> None:
        """Queues what makes the line; it is called in the thread."""
        if self._thread is None:
            self._start()
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            LOG_DROPS.add()

    def close(self, timeout_s: float) -> None:
        """Waits for what is queued to be written, no longer than `timeout_s`."""
        thread = self._thread
        if thread is None:
            return
        deadline = time.monotonic() + timeout_s
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return  # the sink is blocked: the thread is a daemon and ends with the process
        thread.join(max(deadline - time.monotonic(), 0.0))

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lor3-log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < _MAX_BATCH:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            self._write([line for line in batch if line is not None])
            if None in batch:
                return

    def _write(self, lines: list[Callable[[], bytes]]) -> None:
        made: list[bytes] = []
        for line in lines:
            try:
                made.append(line())
            except Exception:  # a value whose str() fails must not end the log
                LOG_DROPS.add()
        rest = memoryview(b"".join(made))
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:  # the disk is full, the pipe's reader is gone: later lines may go through again
            LOG_DROPS.add(bytes(rest).count(b"\n"))
