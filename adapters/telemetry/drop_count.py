"""How many log lines this process has lost.

Kept by the process and not by a sink: a line lost by any sink has to show in the one metric.
"""

import attrs


@attrs.define
class DropCount:
    lines: int = 0

    def add(self, lines: int = 1) -> None:
        self.lines += lines


LOG_DROPS = DropCount()
