"""`lor3 key` as a person or a script would use it, on a real SQLite file."""

import asyncio
import datetime
import json
import sqlite3
from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from adapters.testing.chats_to_store import first_chat
from domain.key_text import is_key
from domain.limits.budget import EPOCH, Spend, Subject
from entrypoints.bootstrap import open_store
from entrypoints.configuration.load import load_settings
from tests.support.command_line import Run

_ABSENT = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_key_is_printed_once_and_listed_without_itself(lor3: Run) -> None:
    """Alone on stdout; every limit and budget as given."""
    made = lor3(
        "key", "create", "--name", "web", "--tenant", "acme", "--scopes", "chat, feedback", "--models",
        "openai:*,claude:opus", "--budget", "50/day", "--budget", "500/total", "--soft-budget", "40/day",
        "--rpm", "600", "--tpm", "200000", "--concurrency", "8", "--expires", "90d",
    )  # fmt: skip
    secret = made.out.strip()
    shown = lor3("key", "show", "web", "--tenant", "acme", "--json")
    listed = lor3("key", "list", "--json")
    (row,) = lor3("key", "list").rows

    assert is_key(secret)
    assert "key `web` of tenant `acme`: chat, feedback" in made.err
    for other in (made.err, shown.out, listed.out, "\t".join(row)):
        assert secret not in other
    key = shown.json
    assert [each["left_usd"] for each in key.pop("budget")["budgets"]] == ["50", "500", "40"]
    assert listed.json == {"items": [key]}
    assert (key["scopes"], key["models"]) == (["chat", "feedback"], ["claude:opus", "openai:*"])
    assert list(key["limits"].values()) == [600, 200_000, 8]
    assert key["budgets"] == [
        {"limit_usd": "50", "period": "day", "soft": False},
        {"limit_usd": "500", "period": "total", "soft": False},
        {"limit_usd": "40", "period": "day", "soft": True},
    ]
    created, expires = (datetime.datetime.fromisoformat(key[name]) for name in ("created_at", "expires_at"))
    assert expires - created == datetime.timedelta(days=90)
    assert f"; expires at {key['expires_at']}" in made.err
    assert row[1:4] == ["acme", "web", f"{secret[:12]}…{secret[-4:]}"]
    assert row[7:] == [
        "600 requests/min, 200,000 tokens/min, 8 at a time",
        "$50/day, $500/total, soft $40/day",
    ]


def test_key_as_json_has_the_key_once(lor3: Run) -> None:
    """`id`, `name` and `key` first; everything is open where nothing was said."""
    made = lor3("key", "create", "--name", "all", "--json").json

    assert list(made)[:3] == ["id", "name", "key"]
    assert is_key(made["key"])
    assert made["scopes"] == ["chat", "feedback", "prompts", "threads", "tokens", "usage"]
    assert (made["tenant"], made["models"], made["budgets"]) == ("default", [], [])


def test_key_that_is_hardly_meant_is_made_and_doubted(lor3: Run) -> None:
    """Models of nobody, and a soft budget that no chat comes to; on stderr, for scripts too."""
    made = lor3(
        "key", "create", "--name", "a", "--models", "demo:*,opnai:gpt-5,openia:*", "--budget", "5/day", "--budget",
        "90/month", "--soft-budget", "6/day", "--soft-budget", "80/month",
    )  # fmt: skip
    doubted = [line for line in made.err.splitlines() if line.startswith("warning: ")]

    assert (made.code, is_key(made.out.strip())) == (0, True)
    assert len(doubted) == 3
    assert all(any(part in line for line in doubted) for part in ("`opnai:gpt-5`", "`openia:*`", "6/day"))
    assert "warning" not in lor3("key", "create", "--name", "b", "--models", "demo:demo,demo:d*,*").err


def test_key_shows_its_times(lor3: Run) -> None:
    """When it was made, and when it ends or ended."""
    lor3("key", "create", "--name", "web", "--expires", "90d")
    lor3("key", "create", "--name", "old")
    old_id = lor3("key", "show", "old", "--json").json["id"]
    lor3("key", "revoke", "old")
    web, old = ({row[0]: row[1] for row in lor3("key", "show", name).rows} for name in ("web", old_id))

    assert (web["revoked"], old["expires"]) == ("no", "never")
    assert all(moment.endswith("Z") for moment in (web["created"], web["expires"], old["revoked"]))


def test_new_key_of_no_lifetime_is_refused(lor3: Run) -> None:
    """By `rotate` as by `create`; the old one stays."""
    lor3("key", "create", "--name", "web")
    done = lor3("key", "rotate", "web", "--expires", "0")

    assert (done.code, "--expires" in done.err) == (2, True)
    assert len(lor3("key", "list").rows) == 1


def test_rotated_key_overlaps_and_both_go_by_name(lor3: Run) -> None:
    """The new one has the name and the account; revoking the name ends both, an id one alone."""
    first = lor3("key", "create", "--name", "web", "--budget", "1/day", "--json").json
    second = lor3("key", "rotate", "web", "--overlap", "1h", "--json").json
    third = lor3("key", "rotate", "web", "--overlap", "0", "--expires", "1d", "--json").json
    listed = lor3("key", "list", "--json").json["items"]
    again = lor3("key", "rotate", first["id"])
    revoked = lor3("key", "revoke", "web", "--json").json["items"]
    everything = lor3("key", "list", "--all", "--json").json["items"]

    assert len({first["key"], second["key"], third["key"]}) == 3
    assert third["account"] == second["account"] == first["id"]
    assert (second["replaces"], third["replaces"]) == (first["id"], second["id"])
    assert third["budgets"] == first["budgets"]
    assert (second["expires_at"], third["expires_at"] is None) == (None, False)
    assert [each["id"] for each in listed] == [first["id"], third["id"]]
    assert (again.code, "revoked already" in again.err) == (1, True)
    assert [each["id"] for each in revoked] == [first["id"], third["id"]]
    assert all(each["revoked_at"] for each in everything)
    assert lor3("key", "list").out == ""
    state = lor3("key", "show", second["id"]).rows[4]
    assert state[1].startswith("revoked ")
    assert "was revoked already" in lor3("key", "revoke", second["id"]).out


def test_rotating_an_expired_key_says_that_it_has_expired(lor3: Run, tmp_path: Path) -> None:
    """It overlaps with nothing; the new one lives as long again, and both ends are told."""
    old = lor3("key", "create", "--name", "q", "--expires", "1h", "--json").json
    database = sqlite3.connect(tmp_path / "lor3.db")
    for column in ("created_at", "expires_at"):
        database.execute(f"UPDATE api_keys SET {column} = '2020-01-05' || substr({column}, 11)")  # noqa: S608
    database.commit()
    database.close()
    rotated = lor3("key", "rotate", "q")
    ended, new = lor3("key", "list", "--all", "--json").json["items"]

    assert "the old key has expired already, at 2020-01-05T" in rotated.err
    assert f"the new one expires at {new['expires_at']}" in rotated.err
    assert "--expires" in rotated.err
    assert "lets its owner in" not in rotated.err
    assert ended["id"] == old["id"]
    revoked, made = (datetime.datetime.fromisoformat(at) for at in (ended["revoked_at"], new["created_at"]))
    assert revoked - made < datetime.timedelta(hours=1)


def test_overlap_ends_no_later_than_the_old_key(lor3: Run) -> None:
    """The earlier of the two is told; a lifetime that was asked for needs no reason."""
    old = lor3("key", "create", "--name", "q", "--expires", "1h", "--json").json
    second = lor3("key", "rotate", "q", "--expires", "90d", "--json").json
    third = lor3("key", "rotate", "q", "--expires", "30d")

    assert second["old_ends_at"] == old["expires_at"]
    assert "the old key lets its owner in until " in third.err
    assert "the new one expires at " in third.err
    assert "--expires" not in third.err


def test_tenant_without_keys_is_told_how_to_make_one_of_its_own(lor3: Run) -> None:
    """Not one of the default tenant."""
    lor3("key", "create", "--name", "web")

    assert (
        "`lor3 key create --name NAME --tenant acm` makes one" in lor3("key", "list", "--tenant", "acm").err
    )


def test_name_is_one_keys_of_its_tenant(lor3: Run) -> None:
    """Another tenant may have it, and is named to who forgot to."""
    lor3("key", "create", "--name", "web", "--tenant", "acme")
    taken = lor3("key", "create", "--name", "web", "--tenant", "acme", "--json")
    elsewhere = lor3("key", "revoke", "web")

    assert (taken.code, json.loads(taken.err)["code"]) == (1, "conflict")
    assert (elsewhere.code, "add --tenant acme" in elsewhere.err) == (1, True)
    assert lor3("key", "create", "--name", "web").code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--name", "a b"), "--name"),
        (("--name", _ABSENT), "--name"),
        (("--name", ""), "--name"),
        (("--name", "a", "--tenant", "a/b"), "--tenant"),
        (("--name", "a", "--scopes", "chat,admin"), "there is no scope `admin`"),
        (("--name", "a", "--scopes", ","), "--scopes"),
        (("--name", "a", "--models", ""), "--models"),
        (("--name", "a", "--budget", "50"), "`50/day`"),
        (("--name", "a", "--budget", "50"), "`50` is no budget"),
        (("--name", "a", "--budget", "1,5/day"), "`1,5/day` is no budget"),
        (("--name", "a", "--budget", "50/day,500/month"), "`--budget 50/day --budget 500/month`"),
        (("--name", "a", "--soft-budget", "1/day, 2/total"), "`--soft-budget 1/day --soft-budget 2/total`"),
        (("--name", "a", "--budget", "0/day"), "--budget"),
        (("--name", "a", "--budget", "-1/day"), "--budget"),
        (("--name", "a", "--budget", "1/year"), "day, month, total"),
        (("--name", "a", "--budget", "1/day", "--budget", "2/day"), "one budget of a kind"),
        (("--name", "a", "--soft-budget", "NaN/day"), "--soft-budget"),
        (("--name", "a", "--models", ",".join(f"m{n}" for n in range(65))), "--models"),
        (("--name", "a", "--models", "m" * 257), "--models"),
        (("--name", "a", "--rpm", "0"), "--rpm"),
        (("--name", "a", "--rpm", "1000001"), "--rpm"),
        (("--name", "a", "--tpm", "1000000001"), "--tpm"),
        (("--name", "a", "--concurrency", "100001"), "--concurrency"),
        (("--name", "a", "--expires", "soon"), "such as 90m, 24h"),
        (("--name", "a", "--expires", "0"), "--expires"),
        (("--name", "a", "--expires", "999999w"), "--expires"),
        ((), "--name"),
    ],
)
def test_what_a_key_cannot_be_is_said(lor3: Run, arguments: tuple[str, ...], told: str) -> None:
    """As a misuse, by the option; nothing is made."""
    done = lor3("key", "create", *arguments)

    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert lor3("key", "list").out == ""


def test_commands_that_make_nothing_make_no_database(lor3: Run) -> None:
    """They say what does."""
    Path("lor3.db").unlink()
    for command in (("list",), ("show", "web"), ("revoke", "web"), ("rotate", "web")):
        done = lor3("key", *command)
        assert (done.code, done.out) == (1, "")
        assert "lor3 key create" in done.err
    assert not Path("lor3.db").exists()
    lor3("key", "create", "--name", "web")
    for command in (("show", "x"), ("show", _ABSENT), ("revoke", _ABSENT), ("rotate", "x")):
        assert lor3("key", *command).code == 1
    assert lor3("key", "rotate", "web", "--overlap", "a day").code == 2


def test_server_beyond_this_machine_needs_a_key(lor3: Run) -> None:
    """Refused before anything listens, with the command that makes one."""
    for workers in ("1", "2"):
        done = lor3("serve", "--host", "0.0.0.0", "--port", "0", "--workers", workers)  # noqa: S104 - refused

        assert (done.code, done.out) == (1, "")
        assert "lor3 key create" in done.err


def test_key_shows_what_its_budgets_have_left(lor3: Run, tmp_path: Path) -> None:
    """Its own and its tenant's: spent, left, and until when."""
    (tmp_path / "lor3.yaml").write_text("budgets: {tenant: 7/day}\n", encoding="utf-8")
    lor3("key", "create", "--name", "web", "--budget", "5/total")
    database = sqlite3.connect(tmp_path / "lor3.db")
    (account,) = database.execute("SELECT account FROM api_keys").fetchone()
    database.close()
    settings = load_settings(config_path=None, environ={}, flags=None, cwd=tmp_path)

    async def spend() -> None:
        store = open_store(settings)
        await store.start()
        made = first_chat()
        spent = Spend(
            subject=Subject("key", account), period="total", starts_at=EPOCH, amount_usd=Decimal("1.5")
        )
        await store.journal.commit(attrs.evolve(made, spends=(spent,)))
        await store.aclose()

    asyncio.run(spend())
    rows = lor3("key", "show", "web").rows

    assert rows[-2] == ["budget of the key", "$1.5 of $5/total spent, $3.5 left"]
    assert rows[-1][0] == "budget of the tenant"
    assert rows[-1][1].startswith("$0 of $7/day spent, $7 left until ")
