"""The torture run in short: `make torture` runs it in full."""

import json
import sys
from pathlib import Path

import pytest

from tests.torture.__main__ import main
from tests.torture.run import Plan, torture


async def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Replicas that share the database alone are killed, and the database with them."""
    plan = Plan(requests=400, kills=8, restarts=2, seed=20261123, clients=32, redis=False)
    report = await torture(plan, tmp_path, say=sys.stdout.write)
    sys.stdout.write(str(report))  # shown where the test fails

    assert [finding.broken for finding in report.findings if finding.broken] == []
    assert report.kills == 8
    assert report.restarts == 2
    assert report.requests >= 400


def test_a_broken_build_is_caught(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run that finds nothing would find this."""
    out = tmp_path / "report.json"
    status = main(
        [
            *("--requests", "60", "--kills", "2", "--restarts", "1", "--clients", "16", "--no-redis"),
            *(
                "--sabotage",
                "acknowledge-before-the-commit",
                "--out",
                str(out),
                "--logs",
                str(tmp_path / "logs"),
            ),
        ]
    )
    report = json.loads(out.read_text())

    assert status == 1
    assert not report["passed"]
    assert "BROKEN" in capsys.readouterr().out
