"""`lor3 db` on a database that holds something: real processes."""

import datetime
import json
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from adapters.persistence import schema
from adapters.persistence.engine import Database
from adapters.persistence.months import Month
from tests.support.forked_lor3 import Printed, run_lor3
from tests.support.months import Past
from tests.support.records import store_config
from tests.support.sqlite_files import put_migrated
from tests.support.terminal import at_terminal

_NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def migrated_sqlite_url(tmp_path: Path) -> str:
    put_migrated(tmp_path / "lor3.db")
    return f"sqlite:///{tmp_path / 'lor3.db'}"


def _lor3(cwd: Path, url: str, *arguments: str) -> Printed:
    return Printed.of(run_lor3(cwd, "db", *arguments, environ={"DATABASE_URL": url}))


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest) -> str:
    fixture = {"postgresql": "postgres_url", "sqlite": "migrated_sqlite_url"}[request.param]
    found: str = request.getfixturevalue(fixture)
    return found


def test_prune_says_what_goes_before_and_after(url: str, tmp_path: Path) -> None:
    """A dry run changes nothing; without an age only what was deleted goes."""
    past = Past(url)
    old = _NOW - datetime.timedelta(days=200)
    past.thread(old)
    past.thread(old, deleted_at=old)
    past.thread(_NOW)
    settings = _lor3(tmp_path, url, "prune", "--json")
    foretold = _lor3(tmp_path, url, "prune", "--messages-older-than", "90d", "--dry-run", "--json")
    left = past.counts()["messages"]
    pruned = _lor3(tmp_path, url, "prune", "--messages-older-than", "90d", "--yes", "--json")
    table = _lor3(tmp_path, url, "prune")
    counts = {"messages": 1, "threads": 1, "sessions": 0, "keys": 0, "messages_estimated": False}

    assert {"dry_run": False, "partitions": [], **counts} == json.loads(settings.stdout)
    # The session of the deleted thread was left without any.
    counts |= {"sessions": 2}
    assert {"dry_run": True, "partitions": [], **counts} == json.loads(foretold.stdout)
    assert 2 == left
    assert {"dry_run": False, "partitions": [], **counts} == json.loads(pruned.stdout)
    assert "messages\t0\nthreads\t0\nsessions\t0\nkeys\t0\n" == table.stdout
    assert [1, 1] == [past.counts()["messages"], past.counts()["sessions"]]
    past.close()


def test_age_that_is_none_is_refused(tmp_path: Path, sqlite_url: str) -> None:
    """With examples of what would do; nothing is opened."""
    done = _lor3(tmp_path, sqlite_url, "prune", "--messages-older-than", "soon")

    assert done.returncode == 2
    assert "--messages-older-than" in done.stderr
    assert "30d" in done.stderr


@pytest.mark.parametrize("when", ["2999-01-01", "0d", "23h"])
def test_age_of_less_than_a_day_is_refused(tmp_path: Path, migrated_sqlite_url: str, when: str) -> None:
    """It would take everything, whoever said yes and whether it is only asked what would go."""
    past = Past(migrated_sqlite_url)
    past.thread(_NOW)
    done = [
        _lor3(tmp_path, migrated_sqlite_url, "prune", "--messages-older-than", when, *more)
        for more in ((), ("--yes",), ("--dry-run",))
    ]

    assert [2, 2, 2] == [each.returncode for each in done]
    assert "is not a day ago yet" in " ".join(done[0].stderr.split())
    assert 1 == past.counts()["messages"]
    past.close()


def test_age_needs_a_yes_where_nobody_can_be_asked(tmp_path: Path, migrated_sqlite_url: str) -> None:
    """The configured retention, and a dry run, need none."""
    past = Past(migrated_sqlite_url)
    past.thread(_NOW - datetime.timedelta(days=200))
    done = _lor3(tmp_path, migrated_sqlite_url, "prune", "--messages-older-than", "90d")

    assert 2 == done.returncode
    assert "add --yes" in done.stderr
    assert 1 == past.counts()["messages"]
    assert 0 == _lor3(tmp_path, migrated_sqlite_url, "prune").returncode
    past.close()


@pytest.mark.parametrize(("types", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 2)])
def test_age_is_asked_about_at_a_terminal(
    tmp_path: Path,
    migrated_sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    types: str,
    code: int,
    left: int,
) -> None:
    """With how much would go."""
    past = Past(migrated_sqlite_url)
    past.thread(*[_NOW - datetime.timedelta(days=200)] * 2)
    monkeypatch.chdir(tmp_path)
    Path("lor3.yaml").write_text(f"database: {{url: '{migrated_sqlite_url}'}}\n")
    seen = at_terminal("db", "prune", "--messages-older-than", "90d", types=types)

    assert "remove 2 messages, 1 thread, 1 session for good? [y/N]" in " ".join(seen.text.split())
    assert code == seen.code
    assert left == past.counts()["messages"]
    past.close()


def test_reach_of_partitions_is_shown(tmp_path: Path, postgres_url: str) -> None:
    """A month that is missing is a warning with its remedy, which works."""
    past = Past(postgres_url)
    month = Month(Month.of(_NOW).number + 3)
    whole = json.loads(_lor3(tmp_path, postgres_url, "current", "--json").stdout)["partitions"]
    for table in ("messages", "attempts"):
        past.run(f"DROP TABLE {table}_{month.name}")
    past.close()
    check = _lor3(tmp_path, postgres_url, "check")
    current = _lor3(tmp_path, postgres_url, "current")
    upgraded = _lor3(tmp_path, postgres_url, "upgrade")

    assert {
        "reach": f"{month.next.start:%Y-%m-%d}T00:00:00Z",
        "missing": [],
        "unsecured": [],
        "in_default": 0,
    } == whole
    assert (0, "ok\n") == (check.returncode, check.stdout)
    assert f"messages_{month.name}, attempts_{month.name}: run `lor3 db upgrade`" in " ".join(
        check.stderr.split()
    )
    assert f"partitions until\t{month.start:%Y-%m-%d}\n" in current.stdout
    assert upgraded.returncode == 0
    assert "" == _lor3(tmp_path, postgres_url, "check").stderr


def test_long_migration_is_asked_about(tmp_path: Path, postgres_url: str, postgres_admin_url: str) -> None:
    """Where nobody can be asked it takes a `--yes`; the tables and how long it takes are told."""
    database = Database.of(store_config(postgres_url))
    schema.downgrade(database, "0002")
    admin = make_url(postgres_admin_url).set(database=make_url(postgres_url).database)
    with psycopg.connect(admin.render_as_string(hide_password=False)) as connection:
        connection.execute("UPDATE pg_class SET reltuples = 5e6 WHERE relname = 'messages'")
    refused = _lor3(tmp_path, postgres_url, "upgrade")
    behind = _lor3(tmp_path, postgres_url, "check")
    done = _lor3(tmp_path, postgres_url, "upgrade", "--yes", "--json")

    assert (2, 1) == (refused.returncode, behind.returncode)
    told = " ".join(refused.stderr.split())
    assert "`messages` (about 5,000,000 rows)" in told
    assert "chats wait for about 50 s" in told
    assert "add --yes" in told
    assert "0003" in json.loads(done.stdout)["applied"]


@pytest.mark.parametrize(("types", "code"), [("n\n", 1), ("y\n", 0)])
def test_revision_that_breaks_older_replicas_is_asked_about(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, types: str, code: int
) -> None:
    """On a database that has rows; where nobody can be asked it takes a `--yes`."""
    database = Database.of(store_config(postgres_url))
    past = Past(postgres_url)
    past.thread(_NOW)
    past.close()
    schema.downgrade(database, "0003")
    refused = _lor3(tmp_path, postgres_url, "upgrade")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTGRES_OF_TEST", postgres_url)
    Path("lor3.yaml").write_text("database: {url: '${POSTGRES_OF_TEST}'}\n")
    asked = at_terminal("db", "upgrade", types=types)
    after = json.loads(_lor3(tmp_path, postgres_url, "current", "--json").stdout)

    assert 2 == refused.returncode
    assert "replicas of a lor3 from before it" in " ".join(refused.stderr.split())
    assert "add --yes" in refused.stderr
    assert "Migrate now? [y/N]" in " ".join(asked.text.split())
    assert (code, code == 0) == (asked.code, after["up_to_date"])


def test_lacking_rights_are_named_with_what_gives_them(
    tmp_path: Path, postgres_url: str, postgres_admin_url: str
) -> None:
    """Those that chats need are a problem, others a warning; the statements work."""
    role = str(make_url(postgres_url).database).replace("test", "serving")
    admin = make_url(postgres_admin_url).set(database=make_url(postgres_url).database)
    past = Past(postgres_url)
    month = Month(Month.of(_NOW).number + 4)
    past.run(
        f"CREATE TABLE messages_{month.name} PARTITION OF messages "
        f"FOR VALUES FROM ('{month.first_id}') TO ('{month.next.first_id}')"
    )
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'lor3'")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        serving = make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
        nothing = _lor3(tmp_path, serving, "check")
        lacking = json.loads(_lor3(tmp_path, serving, "check", "--json").stdout)["lacking_rights"]
        for statement in lacking[:2]:
            past.run(statement)
        chats = _lor3(tmp_path, serving, "check")
        for statement in lacking:
            past.run(statement)
        everything = _lor3(tmp_path, serving, "check", "--json")
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")
    past.close()

    assert 1 == nothing.returncode
    assert f"GRANT INSERT ON attempts, messages, sessions, usage_log TO {role}" in nothing.stdout
    assert f"GRANT INSERT, UPDATE ON budget_counters, idempotency_keys, threads TO {role}" in nothing.stdout
    assert (0, "ok\n") == (chats.returncode, chats.stdout)
    told = " ".join(chats.stderr.split())
    assert "lacks rights, so not all of lor3 works" in told
    assert f"no row security on messages_{month.name}: run `lor3 db upgrade`" in told
    assert [] == json.loads(everything.stdout)["lacking_rights"]
    assert "GRANT" not in everything.stderr


def test_role_that_owns_nothing_serves_and_is_told_who_may(
    tmp_path: Path, postgres_url: str, postgres_admin_url: str
) -> None:
    """It checks, and prunes rows; a month is for the owner to make or drop."""
    role = str(make_url(postgres_url).database).replace("test", "serving")
    admin = make_url(postgres_admin_url).set(database=make_url(postgres_url).database)
    past = Past(postgres_url)
    past.thread(_NOW, deleted_at=_NOW - datetime.timedelta(days=60))
    past.run(f"DROP TABLE attempts_{Month.of(_NOW).name}")
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        for statement in (
            f"CREATE ROLE {role} LOGIN PASSWORD 'lor3'",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        ):
            connection.execute(statement)
        serving = make_url(postgres_url).set(username=role).render_as_string(hide_password=False)
        check = _lor3(tmp_path, serving, "check")
        pruned = _lor3(tmp_path, serving, "prune", "--json")
        upgrade = _lor3(tmp_path, serving, "upgrade")
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")
    past.close()

    assert (0, "ok\n") == (check.returncode, check.stdout)
    assert 1 == json.loads(pruned.stdout)["messages"]
    assert 1 == upgrade.returncode
    assert "as the role that owns the tables" in " ".join(upgrade.stderr.split())
