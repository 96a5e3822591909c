"""Runs all tests, three parts at a time and then what needs a quiet machine: `python -m tests.parts`, with pytest's options.

Each part is a pytest of its own with its own servers, so that the cores are busy; what it prints is shown when it is
done, and the end is a line a part with the seconds it took and those of them that it had a core. With `--lint` as the
first option, `make lint` is a part too.
"""

import concurrent.futures
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).resolve().parents[1]
AT_A_TIME: Final = 3
"""One more than two cores: much of what tests do is to wait for limits, disks and processes."""
FOLDERS: Final = (
    "tests/faults",
    "tests/integration/cli",
    "tests/integration/persistence",
    "tests/integration/http",
    "tests/contract",
    "tests/checks",
    "tests/torture",
    "tests/unit/adapters",
)
"""Parts of their own, longest first, so that all cores are done at about the same time; the other folders are one."""
QUIET: Final = (
    ("tests/faults/test_prompt_cache_faults.py",),
    ("tests/contract/test_prompt_cache.py", "tests/faults/test_redis_faults.py"),
    ("tests/faults/test_bodies.py", "tests/faults/test_transport.py"),
)
"""These look at limits of milliseconds, at memory or at the loop's lag: what keeps a core busy beside them would show.

They themselves wait for three quarters of their time, so that parts of them can run side by side."""
ENVIRON: Final = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Of all parts. Images for containers set this variable, and then each of some hundred processes compiles all of
lor3 anew, which is a fifth of what it takes to start."""


@attrs.frozen
class Part:
    name: str
    command: tuple[str, ...]


@attrs.frozen
class Outcome:
    part: Part
    code: int
    seconds: float
    cpu_s: float
    """Of its processes that were waited for, so those of servers that outlive their pytest are missing."""
    output: bytes

    @property
    def failed(self) -> bool:
        # An option such as -k may leave nothing of a part (5).
        return self.code not in (0, 5)


def others() -> tuple[str, ...]:
    """Every folder and file of tests that no part is named after, so that none is forgotten."""
    return tuple(found for path in sorted((ROOT / "tests").iterdir()) for found in _beside(path, FOLDERS))


def _beside(path: Path, named: Sequence[str]) -> list[str]:
    """What of `path` those named leave, as few paths as possible."""
    name = path.relative_to(ROOT).as_posix()
    if name in named or not _holds_tests(path):
        return []
    if not any(each.startswith(f"{name}/") for each in named):
        return [name]
    return [each for inner in sorted(path.iterdir()) for each in _beside(inner, named)]


def _holds_tests(path: Path) -> bool:
    if path.is_file():
        return path.name.startswith("test_") and path.suffix == ".py"
    return path.name != "node_modules" and any(
        _holds_tests(each) for each in path.iterdir() if each.name[0] != "."
    )


def parts(options: Sequence[str], *, lint: bool) -> tuple[Part, ...]:
    pytest = (sys.executable, "-m", "pytest", *options)
    ignored = tuple(option for files in QUIET for path in files for option in ("--ignore", path))
    first, second, *further = (Part(each, (*pytest, *ignored, each)) for each in FOLDERS)
    rest = Part(" ".join(others()), (*pytest, *others()))
    return (first, second, rest, *further, *([Part("lint", ("make", "lint"))] if lint else []))


def quiet_parts(options: Sequence[str]) -> tuple[Part, ...]:
    return tuple(Part(" ".join(files), (sys.executable, "-m", "pytest", *options, *files)) for files in QUIET)


def run(part: Part) -> Outcome:
    began = time.monotonic()
    process = subprocess.Popen(
        part.command,
        cwd=ROOT,
        env=ENVIRON,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    with process.stdout:
        output = process.stdout.read()
    # `Popen.wait` would not say what it used.
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    return Outcome(part, process.returncode, seconds, used.ru_utime + used.ru_stime, output)


def run_side_by_side(waiting: Sequence[Part]) -> list[Outcome]:
    """Each as soon as there is room, in their order; shown in the order in which they end."""
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        running = [pool.submit(run, part) for part in waiting]
        return [show(each.result()) for each in concurrent.futures.as_completed(running)]


def show(outcome: Outcome) -> Outcome:
    sys.stdout.write(f"\n{outcome.part.name}, {outcome.seconds:.0f} s\n")
    sys.stdout.flush()
    sys.stdout.buffer.write(outcome.output)
    sys.stdout.flush()
    return outcome


def main(options: list[str]) -> int:
    lint = options[:1] == ["--lint"]
    options = options[1:] if lint else options
    outcomes = run_side_by_side(parts(options, lint=lint)) + run_side_by_side(quiet_parts(options))
    sys.stdout.write("\n  took   a core\n")
    for each in outcomes:
        sys.stdout.write(
            f"{each.seconds:4.0f} s  {each.cpu_s:4.0f} s"
            f"  {'failed' if each.failed else 'passed'}  {each.part.name}\n"
        )
    return 1 if any(each.failed for each in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
