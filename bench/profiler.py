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
from collections import defaultdict
from pathlib import Path
from typing import TypeAlias

import attrs

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
        if scenario.with_prompt:
            server = attrs.evolve(server, dialect="lor3 with a prompt")
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
    tables = (_parts(rows), _table("own time", rows, by=1), _table("with what it calls", rows, by=2))
    return "\n\n".join([head, *("\n".join(table) for table in tables)])


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


def _parts(rows: list[Row]) -> list[str]:
    """Own time added up by layer and library."""
    parts: defaultdict[str, float] = defaultdict(float)
    for name, own, _ in rows:
        parts[_part(short(name))] += own
    return [
        "own time by part",
        *(
            f"{own:>7.1%}  {part}"
            for part, own in sorted(parts.items(), key=lambda item: -item[1])
            if own >= 0.002
        ),
    ]


def _part(place: str) -> str:
    file = place.partition(":")[0]
    if place.startswith("<attrs generated"):
        return "attrs: generated methods of " + place.split(" ")[3].partition(".")[0]
    folders = file.split("/")
    if folders[0] == "aiohttp":
        return f"aiohttp {folders[1].partition('_')[0].removesuffix('.py')}"
    if file.startswith("/"):  # the standard library
        return "python " + folders[-2 if folders[-2] == "asyncio" else -1]
    return "/".join(folders[:2]) if folders[0] in {"adapters", "application", "entrypoints"} else folders[0]


def short(name: str) -> str:
    """The function's place without the part of its path that says nothing."""
    return name.replace(f"{ROOT}/", "").rpartition("site-packages/")[2].replace("lib/python", "python")
