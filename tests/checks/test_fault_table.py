"""`docs/faults.md` lists every fault row that is promised, each with tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROMISED = tuple(range(1, 89))


def table() -> dict[int, list[tuple[str, str]]]:
    """Row number → the tests it names, as file and function."""
    rows = {}
    for line in (ROOT / "docs/faults.md").read_text().splitlines():
        match = re.match(r"\| (\d+) \|", line)
        if match:
            cell = line.rstrip("| ").rpartition("|")[2]
            rows[int(match[1])] = re.findall(r"`(\w+\.py)::(\w+)`", cell)
    return rows


def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests/faults" / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promised_row_has_a_test() -> None:
    """Each with at least one test."""
    rows = table()

    assert sorted(PROMISED) == sorted(rows)
    assert [number for number, tests in rows.items() if not tests] == []


def test_every_test_in_the_table_exists() -> None:
    """A test that was renamed or removed must not stay in the table."""
    missing = [
        f"{file}::{name}"
        for tests in table().values()
        for file, name in tests
        if not (ROOT / "tests/faults" / file).exists() or name not in functions(file)
    ]

    assert missing == []


def test_every_row_test_is_in_the_table() -> None:
    """A test that is named after a row is listed at it."""
    listed = {test for tests in table().values() for test in tests}
    written = {
        (path.name, name)
        for path in (ROOT / "tests/faults").glob("test_*.py")
        for name in functions(path.name)
        if name.startswith("test_row")
    }

    assert set() == written - listed
