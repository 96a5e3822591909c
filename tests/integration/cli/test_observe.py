"""`lor3 observe` on a real SQLite file, in a pipe and at a terminal."""

import csv
import datetime
import os
import pty
import select
import signal
import sqlite3
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.command_line import VARIABLES, Run, say

_CONFIG = """
primary: openai:gpt-4o
providers: {openai: {kind: demo}}
prices: {"openai:gpt-4o": {input_per_mtok: 1000, output_per_mtok: 1000}}
"""


@pytest.fixture
def asked(lor3: Run, tmp_path: Path) -> dict[str, object]:
    """One answer that cost something."""
    (tmp_path / "lor3.yaml").write_text(_CONFIG, encoding="utf-8")
    return say(lor3, "one")


def test_sums_are_verified(lor3: Run, asked: dict[str, object], tmp_path: Path) -> None:
    """Up to this hour; an answer that no report counts is named, and the command fails."""
    clean = lor3("observe", "usage", "--verify", "--json")
    database = sqlite3.connect(tmp_path / "lor3.db")
    database.execute(
        "UPDATE messages SET created_at = replace(created_at, substr(created_at, 1, 10), '2026-01-05')"
    )
    database.execute("DELETE FROM usage_log")
    database.commit()
    database.close()
    lacking = lor3("observe", "usage", "--verify", "--since", "2020-01-01")
    misused = lor3("observe", "usage", "--verify", "--group-by", "user")

    assert (clean.code, clean.json["ok"], clean.json["items"]) == (0, True, [])
    assert (lacking.code, lacking.out.split("\t")[:3]) == (1, ["2026-01-05", "0", "1"])
    assert "no report counts" in lacking.err
    assert (misused.code, "--group-by" in misused.err) == (2, True)


def test_verifying_says_where_it_had_nothing_to_compare(lor3: Run, asked: dict[str, object]) -> None:
    """That is no failure, and no agreement either."""
    done = lor3("observe", "usage", "--verify", "--since", "2020-01-01", "--until", "2020-01-02")

    assert (done.code, done.out) == (0, "")
    assert "nothing was compared" in done.err
    assert "this hour's are compared once it is over" in done.err
    assert "the sums say" not in done.err


def test_every_aspect_is_told(lor3: Run, asked: dict[str, object]) -> None:
    """By rows in a pipe and as JSON, with the points of a chart."""
    told = {
        aspect: lor3("observe", aspect, "--json").json
        for aspect in ("usage", "prompts", "providers", "errors")
    }
    tokens = told["usage"]["items"][0]["input_tokens"] + told["usage"]["items"][0]["output_tokens"]

    assert (told["usage"]["items"][0]["requests"], told["usage"]["failovers"]) == (1, 0)
    assert told["usage"]["items"][0]["cost_usd"] == asked["cost_usd"]
    assert told["prompts"]["items"][0]["prompt_version"] is None
    assert told["providers"]["items"][0]["outcomes"] == {"ok": 1}
    assert (told["errors"]["items"], told["errors"]["anomalies"]) == ([], [])
    for observed in told.values():
        (point,) = observed["series"]["points"]
        assert (observed["series"]["every"], point["requests"], point["tokens"]) == ("hour", 1, tokens)
    assert lor3("observe", "providers").rows[0][:6] == ["openai", "gpt-4o", "1", "0", "0", "0"]
    assert lor3("observe", "prompts").rows[0][:4] == ["none", "none", "1", "0"]


def test_csv_has_a_head_for_every_aspect(lor3: Run, asked: dict[str, object]) -> None:
    """As many cells as names; no group without a name; not beside JSON."""
    heads = {}
    for aspect in ("usage", "prompts", "providers", "errors"):
        head, *rows = csv.reader(lor3("observe", aspect, "--csv").out.splitlines())
        assert [len(row) for row in rows] == [len(head)] * (aspect != "errors")
        heads[aspect] = head
    both = lor3("observe", "usage", "--csv", "--json")
    by_prompt = lor3("observe", "usage", "--group-by", "prompt").rows

    assert {aspect: head[0] for aspect, head in heads.items()} == {
        "usage": "group",
        "prompts": "prompt",
        "providers": "provider",
        "errors": "kind",
    }
    assert (both.code, by_prompt[0][0]) == (2, "none")


def test_other_tenants_are_told_and_can_be_had(lor3: Run, asked: dict[str, object], tmp_path: Path) -> None:
    """An invoice is of all, unless one is named; groups of tenants are too; a tenant that is none is said to be."""
    say(lor3, "two", "--tenant", "acme")
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    (tmp_path / "costs.csv").write_text(
        f"date,amount_value,amount_currency,line_item\n{day},1,usd,gpt-4o\n", encoding="utf-8"
    )
    one, whole = lor3("observe", "usage"), lor3("observe", "usage", "--all-tenants")
    by_tenant = lor3("observe", "usage", "--group-by", "tenant").rows
    invoice = lor3("observe", "usage", "--reconcile", "costs.csv", "--json")
    of_one = lor3("observe", "usage", "--reconcile", "costs.csv", "--tenant", "acme", "--csv")
    unknown = lor3("observe", "usage", "--tenant", "nosuch")
    both = lor3("observe", "usage", "--tenant", "acme", "--all-tenants")

    assert (one.rows[0][1], whole.rows[0][1]) == ("1", "2")
    assert ("`acme` are left out" in one.err, "left out" in whole.err) == (True, False)
    assert [row[:2] for row in by_tenant] == [["acme", "1"], ["default", "1"]]
    assert invoice.json["tenant"] is None
    assert Decimal(invoice.json["total"]["lor3_usd"]) > Decimal(str(asked["cost_usd"]))
    assert of_one.out.startswith("day,model,invoice_usd,lor3_usd,difference_usd,")
    assert "`default` are left out" in of_one.err
    assert (unknown.code, "no tenant `nosuch`" in unknown.err) == (0, True)
    assert both.code == 2


def test_invoice_is_laid_beside_what_was_recorded(
    lor3: Run, asked: dict[str, object], tmp_path: Path
) -> None:
    """By day and model, with the total last."""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [f'{day},{asked["cost_usd"]},usd,"gpt-4o-2024-08-06, input"', f"{day},1,usd,web search"]
    (tmp_path / "costs.csv").write_text(
        "\n".join(["date,amount_value,amount_currency,line_item", *lines]), encoding="utf-8"
    )
    cost = str(asked["cost_usd"])

    rows = lor3("observe", "usage", "--reconcile", "costs.csv").rows

    assert [row[:5] for row in rows[:2]] == [
        [day, "gpt-4o", cost, cost, "0"],
        [day, "web-search", "1", "", "-1"],
    ]
    assert (rows[2][0], rows[2][4], rows[1][9]) == ("total", "-1", "invoice")
    other = lor3("observe", "usage", "--reconcile", "costs.csv", "--provider", "anthropic")
    assert (other.code, "`cost_usd`" in other.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--watch",), "needs a terminal"),
        (("--provider", "openai"), "--reconcile"),
        (("--reconcile", "none.csv"), "No such file"),
        (("--reconcile", "lor3.db", "--watch"), "--watch"),
        (("--reconcile", "lor3.db", "--group-by", "model"), "--group-by"),
        (("--since", "5x"), "no time"),
    ],
)
def test_misuse_is_named(lor3: Run, asked: dict[str, object], arguments: tuple[str, ...], says: str) -> None:
    """With what to do."""
    done = lor3("observe", "usage", *arguments)

    assert (done.code, says in done.err) == (2, True), done.err


def test_watching_ends_at_ctrl_c_and_leaves_the_screen(lor3: Run, asked: dict[str, object]) -> None:
    """The second screen is left, the cursor is back, and that is no failure."""
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    process = subprocess.Popen(
        [sys.executable, "-m", "lor3", "observe", "usage", "--watch"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environ, "TERM": "xterm"},
        start_new_session=True,
        # Where the tests run in a shell's background the signal is ignored, and so it would be here.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(theirs)
    seen, interrupted = b"", False
    try:
        ends_at = time.monotonic() + 60
        while time.monotonic() < ends_at:
            if select.select([ours], [], [], 0.2)[0]:
                try:
                    piece = os.read(ours, 65536)
                except OSError:  # Linux says so when nobody holds the other end any more
                    break
                seen += piece
                if not interrupted and b"Ctrl-C ends" in seen:  # it may come in pieces
                    process.send_signal(signal.SIGINT)
                    interrupted = True
        code = process.wait(60)
    finally:
        process.kill()
        process.wait()
        os.close(ours)

    assert (code, seen.count(b"\x1b[?1049h"), seen.count(b"\x1b[?1049l")) == (0, 1, 1)
    assert b"requests" in seen
    assert seen.rstrip().endswith(b"\x1b[?25h\x1b[?1049l")
