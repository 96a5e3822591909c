"""Where lor3's time goes: `python -m bench profile` runs it under load with a sampler inside and prints the functions.

The sampler is a SIGPROF timer in the main thread: a sample at each tick of the kernel's clock (1 to 4 ms) in which it
used CPU, taken at the next bytecode. Time spent in C (the event loop, the HTTP parser, orjson) is therefore charged to
the Python line that runs next; `--calls` counts with cProfile instead, which names C functions but makes small Python
functions look dearer than they are.
"""

import json
import os
import signal
import time
from pathlib import Path
from typing import TypeAlias

from bench.processes import ROOT, BenchFailure
from bench.scenarios import Bench, Scenario
from bench.servers import Lor3

OUT_VARIABLE = "LOR3_BENCH_PROFILE_OUT"
MODE_VARIABLE = "LOR3_BENCH_PROFILE_MODE"
TOGGLE = signal.SIGUSR2
_TOP = 45

Row: TypeAlias = tuple[str, float, float]
"""A function, its own share of the time and the share under it, each 0 to 1."""


def profile(lor3: Lor3, scenario: Scenario, bench: Bench, *, by_calls: bool) -> str:
    """Puts one round of `scenario` on a lor3 that samples itself; returns the table.

    Raises:
        BenchFailure: a request failed, or the profile was not written.
    """
    out = lor3.folder / "profile.json"
    mode = "calls" if by_calls else "samples"
    with lor3.serve(module="bench.profiled", extra={OUT_VARIABLE: str(out), MODE_VARIABLE: mode}) as server:
        bench.measure(scenario, server)  # warm
        os.kill(server.pid, TOGGLE)
        measured = bench.measure(scenario, server)
        os.kill(server.pid, TOGGLE)
        _wait_for(out)
    rows, total = _read(out)
    head = (
        f"{scenario.title}: {measured.requests_per_s:,.0f}/s with the profiler on, {measured.cpu_us:.0f} µs of CPU a request; "
        f"{total}"
    )
    return "\n".join(
        [head, "", *_table("own time", rows, by=1), "", *_table("with what it calls", rows, by=2)]
    )


def _wait_for(out: Path) -> None:
    give_up = time.monotonic() + 10
    while not out.exists():
        if time.monotonic() > give_up:
            raise BenchFailure(f"the profiled process wrote no {out.name} within 10 s of {TOGGLE.name}")
        time.sleep(0.05)


def _read(out: Path) -> tuple[list[Row], str]:
    found = json.loads(out.read_text())
    return [(name, own, under) for name, own, under in found["rows"]], found["total"]


def _table(title: str, rows: list[Row], *, by: int) -> list[str]:
    ordered = sorted(rows, key=lambda row: float(row[by]), reverse=True)[:_TOP]
    lines = [f"{title}: own %, with callees %, function"]
    return lines + [f"{own:>7.1%}{under:>8.1%}  {short(name)}" for name, own, under in ordered]


def short(name: str) -> str:
    """The function's place without the part of its path that says nothing."""
    return name.replace(f"{ROOT}/", "").rpartition("site-packages/")[2].replace("lib/python", "python")
