"""Writes log lines off the event loop."""

import collections
import threading
import time
from collections.abc import Callable
from typing import Final

import attrs

from adapters.telemetry.drop_count import LOG_DROPS
from adapters.telemetry.log_sinks import LogSink

_MAX_QUEUED: Final = 10_000
_MAX_LONG_QUEUED: Final = 500
_MAX_BATCH: Final = 500
_GATHER_S: Final = 0.02
"""How long the thread lets lines gather once it has been woken."""
_HOLD_S: Final = 30.0


@attrs.define
class LogWriter:
    """A bounded queue and a thread that writes to a sink.

    `put` never blocks: where the sink is slower than the log, the newest lines are dropped and counted. Waking the
    thread for each line would hand the interpreter's lock to and fro, some 200 µs a request; so it is woken once,
    waits a moment and takes all that has come. The sink writes with `os.write`, because a daemon thread that holds a
    buffered stream's lock kills the interpreter's shutdown. It starts with the first line, so that a process that
    forks before logging is safe.
    """

    _sink: LogSink
    _may_write: Callable[[], bool] | None = None
    """Asked again and again before the first line is written, until it says so or `_HOLD_S` are over."""
    on_fault: Callable[[OSError], None] | None = None
    """Told where the sink takes nothing any more: once, until it has taken something again. Called in the thread."""
    _is_at_fault: bool = attrs.field(default=False, init=False)
    _torn: bool = attrs.field(default=False, init=False)
    """Whether the sink took the beginning of a line and not its end."""
    _lines: "collections.deque[Callable[[], bytes]]" = attrs.field(factory=collections.deque, init=False)
    _wake: threading.Event = attrs.field(factory=threading.Event, init=False)
    _awake: bool = attrs.field(default=False, init=False)
    _closing: threading.Event = attrs.field(factory=threading.Event, init=False)
    _thread: threading.Thread | None = attrs.field(default=None, init=False)
    _starting: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def put(self, line: Callable[[], bytes], *, is_long: bool = False) -> None:
        """Queues what makes the line; it is called in the thread.

        Args:
            is_long: it holds on to a whole chat, of which fewer may wait.
        """
        if self._thread is None:
            self._start()
        if len(self._lines) >= (_MAX_LONG_QUEUED if is_long else _MAX_QUEUED):
            LOG_DROPS.add()
            return
        self._lines.append(line)
        if not self._awake:
            self._awake = True
            self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Waits for what is queued to be written, no longer than `timeout_s`; the rest counts as dropped."""
        thread = self._thread
        if thread is None:
            return
        self._closing.set()
        self._wake.set()
        thread.join(timeout_s)
        if thread.is_alive():  # the sink is blocked: the thread is a daemon and ends with the process
            LOG_DROPS.add(len(self._lines))
        else:
            self._sink.close()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="lor3-log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        end = time.monotonic() + _HOLD_S
        while self._may_write is not None and not self._may_write() and time.monotonic() < end:
            if self._closing.wait(_GATHER_S):
                break
        while True:
            self._wake.wait()
            self._closing.wait(_GATHER_S)
            # In this order nothing is missed: a line that comes before `_awake` falls is taken below, one that
            # comes after it wakes the thread again, and so does a close that comes after it was looked for.
            self._wake.clear()
            is_last = self._closing.is_set()
            self._awake = False
            while self._lines:
                self._write([self._lines.popleft() for _ in range(min(len(self._lines), _MAX_BATCH))])
            if is_last:
                return

    def _write(self, lines: list[Callable[[], bytes]]) -> None:
        made: list[bytes] = []
        for line in lines:
            try:
                made.append(line())
            except Exception:  # a value whose str() fails must not end the log
                LOG_DROPS.add()
        if not made:
            return
        if self._torn:
            made.insert(0, b"\n")
        data = b"".join(made)
        written = 0
        try:
            while written < len(data):
                written += self._sink.write(memoryview(data)[written:])
        except (
            OSError
        ) as error:  # the disk is full, the pipe's reader is gone: later lines may go through again
            LOG_DROPS.add(data.count(b"\n", max(written, int(self._torn))))
            if self.on_fault is not None and not self._is_at_fault:
                self.on_fault(error)
            self._is_at_fault = True
        else:
            self._is_at_fault = False
        if written:
            self._torn = not data.endswith(b"\n", 0, written)
