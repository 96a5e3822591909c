"""What `deploy/observability` holds, against a real promtool, a real Prometheus and a live server of two workers."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml

from adapters.telemetry import metric_names
from tests.support.prometheus import ROOT, Programs, programs, scraping
from tests.support.waiting import HANGS_S

FOLDER: Final = ROOT / "deploy" / "observability"
CHATS: Final = 6
_NAME: Final = re.compile(r"\blor3_[a-z0-9_]+")
_SUFFIXES: Final = ("_total", "_bucket", "_sum", "_count")
_MADE_ELSEWHERE: Final = frozenset(("lor3_worker_up",))
"""By the worker that merges what all of them say."""


def expressions() -> list[tuple[str, str]]:
    """Each panel's and each rule's, with where it stands."""
    board = json.loads((FOLDER / "grafana" / "lor3.json").read_text())
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text())
    return [
        (f"panel {panel['title']}", target["expr"])
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ] + [(f"alert {rule['alert']}", rule["expr"]) for group in rules["groups"] for rule in group["rules"]]


def known() -> set[str]:
    return {each.name for each in vars(metric_names).values() if isinstance(each, metric_names.Metric)}


def test_every_metric_that_is_asked_for_exists() -> None:
    """A metric that is renamed must not leave a panel empty, nor an alert silent."""
    names = known() | _MADE_ELSEWHERE
    unknown = {
        (where, name)
        for where, expression in expressions()
        for name in _NAME.findall(expression)
        if name not in names and not any(name.removesuffix(each) in names for each in _SUFFIXES)
    }
    assert set() == unknown


def test_every_metric_is_shown_or_watched() -> None:
    """A new one is of use only where somebody sees it."""
    text = " ".join(expression for _, expression in expressions())
    assert set() == {name for name in known() if name not in text}


def test_dashboard_is_what_its_source_makes() -> None:
    """`python deploy/observability/dashboard.py > deploy/observability/grafana/lor3.json` after a change."""
    made = subprocess.run(
        (sys.executable, FOLDER / "dashboard.py"), capture_output=True, check=True, text=True
    )
    assert (FOLDER / "grafana" / "lor3.json").read_text() == made.stdout


def test_alerts_say_what_to_do() -> None:
    """Whoever is woken reads what it is about and where to look, and knows whether it could have waited."""
    rules = yaml.safe_load((FOLDER / "alerts.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        assert {"summary", "action"} == set(rule["annotations"]), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_promtool_takes_the_rules_and_their_tests() -> None:
    """Each alert fires where it should, and ends."""
    found = programs()
    if found is None:
        parse_all()
        return
    for arguments in (("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")):
        done = subprocess.run((found.promtool, *arguments), cwd=FOLDER, capture_output=True, text=True)
        assert 0 == done.returncode, done.stdout + done.stderr


def parse_all() -> None:
    """Where no Prometheus can be had: the grammar alone, by a parser of it."""
    import promql_parser

    sys.stderr.write("no real Prometheus can be had here: the expressions are parsed, not run\n")
    for where, expression in expressions():
        assert isinstance(promql_parser.parse(_bound(expression)), promql_parser.Expr), where


def _bound(expression: str) -> str:
    return expression.replace("$__rate_interval", "10s")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two workers before the demo provider; its URL."""
    folder = tmp_path_factory.mktemp("observed")
    clean = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_URL"))}
    process = subprocess.Popen(
        (sys.executable, "-m", "lor3", "serve", "--json", "--port", "0", "--workers", "2"),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=clean,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANGS_S)


async def test_prometheus_scrapes_two_workers(server: str, tmp_path: Path) -> None:
    """What it then knows is what was done, whichever worker did it; rules are healthy, panels can be drawn."""
    async with aiohttp.ClientSession(server) as session:
        for _ in range(CHATS):
            async with session.post("/chat", json={"prompt": "hello"}) as response:
                assert 200 == response.status
        found = programs()
        if found is None:
            parse_all()
            async with session.get("/metrics") as response:
                assert CHATS == answered(await response.text())
            return
    await scraped(found, server, tmp_path)


async def scraped(found: Programs, server: str, folder: Path) -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(FOLDER / "alerts.yml")]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [server.removeprefix("http://")]}]
    async with scraping(found, folder, config=yaml.safe_dump(config)) as prometheus:
        deadline = time.monotonic() + HANGS_S
        while CHATS != await prometheus.value("sum(lor3_chats_answered_total)"):
            assert time.monotonic() < deadline
        groups = (await prometheus.get("rules"))["groups"]
        while any(rule["health"] == "unknown" for group in groups for rule in group["rules"]):
            assert time.monotonic() < deadline
            groups = (await prometheus.get("rules"))["groups"]
        assert ["ok"] == sorted({rule["health"] for group in groups for rule in group["rules"]})
        targets: Sequence[dict[str, Any]] = (await prometheus.get("targets"))["activeTargets"]
        assert ["up"] == [each["health"] for each in targets]
        for _, expression in expressions():
            await prometheus.get("query", query=_bound(expression))
        assert 2.0 == await prometheus.value("count(count by (worker) (lor3_overhead_seconds_count))")


def answered(exposition: str) -> float:
    lines = [line for line in exposition.splitlines() if line.startswith("lor3_chats_answered_total")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
