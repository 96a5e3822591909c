"""`python -m bench.profiled serve …`: lor3's command line in this process, profiled between two signals.

The first SIGUSR2 starts the profile, the second one ends and writes it. Started by `bench/profiler.py`.
"""

import cProfile
import json
import os
import pstats
import signal
import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

from bench.profiler import MODE_VARIABLE, OUT_VARIABLE, TOGGLE, Row

_INTERVAL_S = 0.001


class Sampler:
    """Counts the main thread's stack at each tick of a timer that runs on CPU time."""

    def __init__(self) -> None:
        self._own: Counter[CodeType] = Counter()
        self._under: Counter[CodeType] = Counter()
        self._samples = 0

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)

    def _sample(self, _signal: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        self._samples += 1
        self._own[frame.f_code] += 1
        stack = set()
        while frame is not None:
            stack.add(frame.f_code)
            frame = frame.f_back
        self._under.update(stack)

    def stop(self) -> tuple[list[Row], str]:
        signal.setitimer(signal.ITIMER_PROF, 0)
        count = max(1, self._samples)
        rows = [(_name(code), self._own[code] / count, under / count) for code, under in self._under.items()]
        return rows, f"{self._samples} samples"


def _name(code: CodeType) -> str:
    return f"{code.co_filename}:{code.co_firstlineno} {code.co_qualname}"


class CallCounter:
    """cProfile, read in the same shape."""

    def __init__(self) -> None:
        self._profile = cProfile.Profile()

    def start(self) -> None:
        self._profile.enable()

    def stop(self) -> tuple[list[Row], str]:
        self._profile.disable()
        found = pstats.Stats(self._profile).stats  # type: ignore[attr-defined]  # typeshed leaves it out
        total = sum(own for _, _, own, _, _ in found.values())
        rows = [
            (f"{file}:{line} {name} [{calls} calls]", own / total, under / total)
            for (file, line, name), (_, calls, own, under, _) in found.items()
        ]
        return rows, f"{total:.1f} s in calls"


def main() -> None:
    profile = CallCounter() if os.environ[MODE_VARIABLE] == "calls" else Sampler()
    running = False

    def toggle(_signal: int, _frame: FrameType | None) -> None:
        nonlocal running
        running = not running
        if running:
            profile.start()
            return
        rows, total = profile.stop()
        partial = Path(os.environ[OUT_VARIABLE] + ".partial")
        partial.write_text(json.dumps({"rows": rows, "total": total}))
        partial.rename(os.environ[OUT_VARIABLE])  # so that it is there whole or not at all

    signal.signal(TOGGLE, toggle)
    sys.argv[0] = "lor3"
    from entrypoints.cli.main import main as lor3  # here, for imports are part of what lor3 does

    lor3()


if __name__ == "__main__":
    main()
