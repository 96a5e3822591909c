"""How many log lines this process has lost.

Kept by the process and not by a sink: a line lost by any sink has to show in the one metric.
"""

import threading

import attrs


@attrs.define
class DropCount:
    lines: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def add(self, lines: int = 1) -> None:
        with self._lock:  # each sink counts in a thread of its own
            self.lines += lines


LOG_DROPS = DropCount()
