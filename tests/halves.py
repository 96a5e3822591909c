"""Runs all tests, as two halves at a time and then the faults: `python -m tests.halves`, with pytest's own options.

Each half is a pytest of its own with its own servers, so that two cores are used. The first one is shown as it goes,
the second one when both are done. Tests of faults look at limits of milliseconds, so they have the machine alone.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
ONE: Final = ("tests/checks", "tests/contract", "tests/integration/cli")
"""As long as all the others together, about."""
ALONE: Final = ("tests/faults",)


def others() -> tuple[str, ...]:
    """Every other folder, and every file of tests beside those named, so that none is forgotten."""
    found: list[str] = []
    for path in sorted((ROOT / "tests").iterdir()):
        if not path.is_dir() or path.name.startswith((".", "_")):
            continue
        inner = [f"tests/{path.name}"]
        if any(each.startswith(f"{inner[0]}/") for each in ONE):
            inner = [f"{inner[0]}/{each.name}" for each in sorted(path.iterdir()) if _holds_tests(each)]
        found += [each for each in inner if each not in (*ONE, *ALONE) and _holds_tests(ROOT / each)]
    return tuple(found)


def _holds_tests(path: Path) -> bool:
    if path.is_file():
        return path.name.startswith("test_") and path.suffix == ".py"
    return any(path.rglob("test_*.py"))


def main(options: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", *options]
    with tempfile.TemporaryFile() as output:
        second = subprocess.Popen([*command, *others()], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        first = subprocess.run([*command, *ONE], cwd=ROOT, check=False)
        second.wait()
        output.seek(0)
        sys.stdout.write(f"\nThe other half: {' '.join(others())}\n")
        sys.stdout.flush()
        sys.stdout.buffer.write(output.read())
        sys.stdout.flush()
    third = subprocess.run([*command, *ALONE], cwd=ROOT, check=False)
    return first.returncode or second.returncode or third.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
