"""Months of PostgreSQL that go as a whole: what goes with them, who may drop them, and who else is at it."""

import asyncio
import datetime
from collections.abc import Iterator

import attrs
import psycopg
import pytest
from sqlalchemy.engine import make_url

from adapters.persistence import portions
from adapters.persistence.engine import Database
from adapters.persistence.maintenance import SQLMaintenance
from adapters.persistence.months import Month
from adapters.persistence.partitions import make
from application.ports.maintenance import PruneReport, Retention
from domain.errors import StorageUnavailable
from tests.support.months import Past, id_at
from tests.support.records import store_config

_NOW = datetime.datetime.now(datetime.UTC)
_THIS = Month.of(_NOW)
_MONTH = Month(_THIS.number - 4)
_OLD = _MONTH.start + datetime.timedelta(days=3)
_KEPT = Month(_THIS.number - 2)
_WHAT = Retention(messages_before=_KEPT.start + datetime.timedelta(days=20))
_NAME = f"messages_{_MONTH.name}"


@pytest.fixture
def past(postgres_url: str) -> Iterator[Past]:
    """With a month that may go, and one that is kept."""
    opened = Past(postgres_url)
    _make(opened, "messages", _MONTH)
    _make(opened, "attempts", _MONTH)
    for table in ("messages", "attempts"):
        _make(opened, table, _KEPT)
    yield opened
    opened.close()


@pytest.fixture
def maintenance(past: Past) -> SQLMaintenance:
    return SQLMaintenance(database=past.database)


def _make(past: Past, table: str, month: Month) -> None:
    engine = past.database.open_for_migration()
    with engine.begin() as connection:
        make(connection, table, month, most_moved=None)
    engine.dispose()


def _left(past: Past) -> list[int]:
    return [past.counts()[table] for table in ("messages", "attempts", "feedback_changes")]


async def test_old_month_is_dropped_whole(past: Past, maintenance: SQLMaintenance) -> None:
    """With its attempts and the history of its feedback, in a moment; a month that is kept in part stays."""
    past.thread(_OLD, _OLD, _KEPT.start)
    expected = PruneReport(partitions=(_NAME,), messages=2)

    assert expected == await maintenance.prune(_WHAT, dry_run=True)
    assert expected == await maintenance.prune(_WHAT)
    assert [1, 1, 1] == _left(past)
    assert past.run(f"SELECT to_regclass('attempts_{_MONTH.name}') IS NULL") == [True]


async def test_what_postgresql_counted_is_told_of_as_an_estimate(
    past: Past, maintenance: SQLMaintenance
) -> None:
    """It is not counted again, however old that number is; nor twice, where threads in it were deleted."""
    past.thread(_OLD, _OLD, deleted_at=_OLD)
    past.thread(_OLD, _KEPT.start, deleted_at=_OLD)
    past.run(f"ANALYZE {_NAME}")
    past.thread(_OLD)
    what = attrs.evolve(_WHAT, deleted_before=_NOW - datetime.timedelta(days=30))
    expected = PruneReport(partitions=(_NAME,), messages=3 + 1, is_estimated=True, threads=3, sessions=3)

    assert expected == await maintenance.prune(what, dry_run=True)
    assert expected == await maintenance.prune(what)
    assert [0, 0, 0] == _left(past)


async def test_month_that_may_not_be_dropped_keeps_all_that_belongs_to_it(
    past: Past, postgres_admin_url: str
) -> None:
    """A serving role has no right to; who has it is told, and nothing is half gone."""
    past.thread(_OLD, _OLD)
    role = f"serving_{past.database.url.database}"
    url = make_url(postgres_admin_url).set(database=past.database.url.database)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'lor3'")
        admin.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        serving = url.set(username=role, password="lor3").render_as_string(hide_password=False)
        maintenance = SQLMaintenance(database=Database.of(store_config(serving)))
        with pytest.raises(StorageUnavailable, match="may not drop tables: run `lor3 db prune` as the role"):
            await maintenance.prune(_WHAT)
        left = _left(past)
        admin.execute(f"DROP OWNED BY {role}")
        admin.execute(f"DROP ROLE {role}")

    assert [2, 2, 2] == left


async def test_month_that_is_held_keeps_all_that_belongs_to_it(
    past: Past, maintenance: SQLMaintenance, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    """Somebody reads it in a long transaction."""
    past.thread(_OLD)
    monkeypatch.setattr(portions, "_TRIES", 1)
    with psycopg.connect(postgres_url) as reader:
        reader.execute("SELECT count(*) FROM messages")
        with pytest.raises(StorageUnavailable, match="long transactions hold the tables"):
            await maintenance.prune(_WHAT)

    assert [1, 1, 1] == _left(past)
    assert (_NAME,) == (await maintenance.prune(_WHAT)).partitions


async def test_what_months_leave_behind_is_swept_up(past: Past, maintenance: SQLMaintenance) -> None:
    """Attempts that lie in the default partition, ratings of the last moment, and what earlier runs left."""
    past.run(f"DROP TABLE attempts_{_MONTH.name}")
    past.thread(_OLD, _OLD, _KEPT.start)
    in_default = Month(_THIS.number - 6).start
    past.thread(in_default, _NOW)
    await maintenance.prune(Retention(messages_before=_MONTH.start - datetime.timedelta(days=90)))
    before = _left(past)
    await maintenance.prune(_WHAT)
    past.run(
        "INSERT INTO feedback_changes (tenant, message_id, position, rating, at) "
        "SELECT 'default', :id, n, 'thumbs_up', now() FROM generate_series(1, 3) n",
        id=id_at(_OLD),
    )

    assert [5, 5, 5] == before
    assert past.count("attempts") == past.count("messages") == 2
    assert PruneReport() == await maintenance.prune(_WHAT)
    assert [2, 2, 2] == _left(past)


async def test_prunes_at_the_same_time_both_succeed(past: Past, postgres_url: str) -> None:
    """Each month is dropped, and told of, by one of them."""
    older = Month(_MONTH.number - 1)
    for table in ("messages", "attempts"):
        _make(past, table, older)
    past.thread(older.start, _OLD, _NOW)
    both = await asyncio.gather(
        *(SQLMaintenance(database=Database.of(store_config(postgres_url))).prune(_WHAT) for _ in range(2))
    )

    assert [f"messages_{older.name}", _NAME] == sorted(name for each in both for name in each.partitions)
    assert 2 == sum(each.messages for each in both)
    assert [1, 1, 1] == _left(past)
