"""What the system knows of this process, by the names that all of Prometheus' own clients use."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.telemetry.metric_names import Metric
from adapters.telemetry.series import NONE, Counts, read_once

_PROC: Final = Path("/proc")
_VIRTUAL: Final = Metric("process_virtual_memory_bytes", "Virtual memory size in bytes.")
_RESIDENT: Final = Metric("process_resident_memory_bytes", "Resident memory size in bytes.")
_STARTED: Final = Metric(
    "process_start_time_seconds", "Start time of the process since unix epoch in seconds."
)
_CPU: Final = Metric("process_cpu_seconds", "Total user and system CPU time spent in seconds.")
_OPEN: Final = Metric("process_open_fds", "Number of open file descriptors.")
_MOST: Final = Metric("process_max_fds", "Maximum number of open file descriptors.")


def process_figures(proc: Path = _PROC) -> Iterator[Counts]:
    """From Linux' `/proc` (proc(5)); nothing where there is none, as on macOS."""
    try:
        # The second field is the program's name in brackets, which may hold anything.
        parts = (proc / "self" / "stat").read_bytes().rpartition(b")")[2].split()
        booted_s = _after((proc / "stat").read_bytes(), b"btime")
        limit = _after((proc / "self" / "limits").read_bytes(), b"Max open files")
        files = sum(1 for _ in (proc / "self" / "fd").iterdir())
    except OSError:
        return
    ticks, page_bytes = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    yield read_once(_VIRTUAL, "gauge", {NONE: float(parts[20])})
    yield read_once(_RESIDENT, "gauge", {NONE: float(parts[21]) * page_bytes})
    yield read_once(_STARTED, "gauge", {NONE: booted_s + float(parts[19]) / ticks})
    yield read_once(_CPU, "counter", {NONE: (float(parts[11]) + float(parts[12])) / ticks})
    yield read_once(_MOST, "gauge", {NONE: limit})
    yield read_once(_OPEN, "gauge", {NONE: float(files)})


def _after(text: bytes, name: bytes) -> float:
    """The first number of the line that begins with `name`; 0 where there is none."""
    for line in text.splitlines():
        if line.startswith(name):
            found = line[len(name) :].split()
            return float("inf") if found[0] == b"unlimited" else float(found[0])
    return 0.0
