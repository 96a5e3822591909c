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

    assert [(each.promise, each.broken) for each in report.findings if not each.holds] == []
    assert report.kills == 8
    assert report.restarts == 2
    assert report.requests >= 400
    assert report.ledger.remade
    assert report.ledger.forks
    assert report.provider_breaks


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


def test_each_of_several_faults_is_caught(tmp_path: Path) -> None:
    """Where attempts are dropped, turns are cut, and what was said in part is given away, each is named."""
    out = tmp_path / "report.json"
    faults = ("drop-attempts", "cut-turns", "give-partial-answers-away")
    status = main(
        [
            *("--requests", "150", "--kills", "1", "--restarts", "0", "--clients", "32", "--no-redis"),
            *(each for fault in faults for each in ("--sabotage", fault)),
            *("--out", str(out), "--logs", str(tmp_path / "logs")),
        ]
    )
    findings = json.loads(out.read_text())["findings"]
    broken = {each["promise"]: " ".join(each["examples"]) for each in findings if not each["holds"]}

    assert status == 1
    assert "not among its attempts" in broken.pop(
        "every answer has the calls that it took, and no provider call is charged twice"
    )
    assert "sent as" in broken.pop("every turn of a user is stored as it was sent")
    assert "free of charge" in broken.pop("the costs in the database are the sum of the stored answers'")
    assert broken == {}
