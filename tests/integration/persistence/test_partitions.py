"""The months of messages and attempts on PostgreSQL."""

import datetime
import uuid
from collections.abc import Iterator

import pytest

from adapters.persistence import schema
from adapters.persistence.engine import Database
from adapters.persistence.maintenance import SQLMaintenance
from adapters.persistence.months import Month, first_id_at
from domain.errors import StorageUnavailable
from tests.support.months import Past, id_at
from tests.support.records import store_config

_NOW = datetime.datetime.now(datetime.UTC)
_MONTH = Month.of(_NOW)
_PARTITIONS = (
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = 'messages'::regclass ORDER BY 1"
)


@pytest.fixture
def past(postgres_url: str) -> Iterator[Past]:
    opened = Past(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def maintenance(past: Past) -> SQLMaintenance:
    return SQLMaintenance(database=past.database)


def _drop(past: Past, month: Month) -> None:
    for table in ("messages", "attempts"):
        past.run(f"DROP TABLE {table}_{month.name}")


async def test_fresh_schema_has_this_month_and_three_more(past: Past, maintenance: SQLMaintenance) -> None:
    """And a default partition for whatever else comes."""
    expected = sorted(f"messages_{month.name}" for month in _MONTH.and_following(3))
    state = await maintenance.partitions()

    assert [*expected, "messages_default"] == past.run(_PARTITIONS)
    assert state is not None
    assert (Month(_MONTH.number + 4).start, (), 0) == (state.reach, state.missing, state.in_default)
    assert await maintenance.prepare() == ()


async def test_missing_month_is_told_and_made(past: Past, maintenance: SQLMaintenance) -> None:
    """With everything that the others have."""
    gone = Month(_MONTH.number + 2)
    _drop(past, gone)
    state = await maintenance.partitions()

    assert state is not None
    assert (gone.start, (f"messages_{gone.name}", f"attempts_{gone.name}")) == (state.reach, state.missing)
    assert (f"messages_{gone.name}", f"attempts_{gone.name}") == await maintenance.prepare()
    like = (
        "SELECT replace(indexdef, tablename, '') FROM pg_indexes WHERE tablename = :name "
        "UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = to_regclass(:name) AND contype IN ('c', 'f') "
        "UNION ALL SELECT coalesce(pg_get_expr(polqual, polrelid), '-') FROM pg_policy "
        "WHERE polrelid = to_regclass(:name) "
        "UNION ALL SELECT relrowsecurity || ' ' || relforcerowsecurity FROM pg_class "
        "WHERE oid = to_regclass(:name) ORDER BY 1"
    )
    for table in ("messages", "attempts"):
        other = past.run(like, name=f"{table}_{_MONTH.name}")
        assert other == past.run(like, name=f"{table}_{gone.name}")


async def test_rows_that_came_too_early_move_to_their_month(past: Past, maintenance: SQLMaintenance) -> None:
    """Those of the default partition, whose others stay."""
    _drop(past, _MONTH)
    odd = str(uuid.UUID(int=1))
    past.thread(_NOW, _NOW, begun=_NOW, ids=(id_at(_NOW), odd))

    assert past.count("messages_default") == 2
    await maintenance.prepare()

    assert past.run("SELECT id::text FROM messages_default") == [odd]
    assert past.count(f"messages_{_MONTH.name}") == 1
    assert past.count(f"attempts_{_MONTH.name}") == 1
    assert past.count("messages") == 2


async def test_more_rows_than_chats_should_wait_for_stay_for_the_operator(
    past: Past, maintenance: SQLMaintenance
) -> None:
    """The error names the command, which moves however many there are."""
    _drop(past, _MONTH)
    past.thread(_NOW, _NOW, _NOW)

    with pytest.raises(StorageUnavailable, match="lor3 db upgrade"):
        await maintenance.prepare(most_moved=2)
    assert past.count("messages_default") == 3
    await maintenance.prepare(most_moved=None)
    assert past.count("messages_default") == 0


async def test_months_gone_by_are_made_of_what_lies_in_the_default_partition(
    past: Past, maintenance: SQLMaintenance
) -> None:
    """Oldest first, each for itself; what is of no month stays."""
    earlier = [Month(_MONTH.number - back) for back in (14, 3)]
    odd = [str(uuid.UUID(int=1)), str(uuid.uuid4())]
    moments = [month.start + datetime.timedelta(days=9) for month in earlier]
    past.thread(*moments, *[_NOW] * 2, ids=(*map(id_at, moments), *odd))
    made = await maintenance.prepare()

    assert tuple(f"{table}_{month.name}" for table in ("messages", "attempts") for month in earlier) == made
    assert sorted(odd) == past.run("SELECT id::text FROM messages_default ORDER BY 1")
    assert [1, 1] == [past.count(f"messages_{month.name}") for month in earlier]
    assert await maintenance.prepare() == ()


async def test_month_gone_by_that_is_too_large_holds_up_no_other(
    past: Past, maintenance: SQLMaintenance
) -> None:
    """It is named, and made by the command that the error names."""
    large, small = Month(_MONTH.number - 5), Month(_MONTH.number - 2)
    past.thread(*[large.start] * 3, small.start)

    with pytest.raises(StorageUnavailable, match=f"messages_{large.name}, attempts_{large.name}"):
        await maintenance.prepare(most_moved=2)
    assert [3, 1] == [past.count("messages_default"), past.count(f"messages_{small.name}")]
    await maintenance.prepare(most_moved=None)
    assert past.count("messages_default") == 0


async def test_partition_made_by_hand_is_named_and_secured(past: Past, maintenance: SQLMaintenance) -> None:
    """It has no policy of its own, so who names it would see every tenant."""
    month = Month(_MONTH.number + 4)
    past.run(
        f"CREATE TABLE messages_{month.name} PARTITION OF messages "
        f"FOR VALUES FROM ('{month.first_id}') TO ('{month.next.first_id}')"
    )
    before = await maintenance.partitions()
    await maintenance.prepare()
    after = await maintenance.partitions()

    assert before is not None
    assert after is not None
    assert [(f"messages_{month.name}",), ()] == [before.unsecured, after.unsecured]
    assert [1] == past.run(
        "SELECT count(*) FROM pg_policy WHERE polrelid = to_regclass(:name)", name=f"messages_{month.name}"
    )


async def test_default_partition_that_was_dropped_is_made_again(
    past: Past, maintenance: SQLMaintenance
) -> None:
    """And chats that need it are refused with its name, not lost one by one as wrong."""
    past.run("DROP TABLE messages_default")
    assert await maintenance.prepare() == ("messages_default",)
    past.thread(_NOW, ids=(str(uuid.UUID(int=1)),))

    assert past.count("messages_default") == 1
    state = await maintenance.partitions()
    assert state is not None
    assert () == state.unsecured


async def test_taken_name_of_a_month_is_told(past: Past, maintenance: SQLMaintenance) -> None:
    """With what to do about it."""
    month = Month(_MONTH.number + 2)
    _drop(past, month)
    past.run(f"CREATE TABLE messages_{month.name} (nothing int)")

    with pytest.raises(StorageUnavailable, match=f"`messages_{month.name}`.*rename or drop it"):
        await maintenance.prepare()


async def test_sqlite_has_no_partitions(sqlite_url: str) -> None:
    """And needs none."""
    schema.upgrade(Database.of(store_config(sqlite_url)))
    maintenance = SQLMaintenance(database=Database.of(store_config(sqlite_url)))

    assert await maintenance.partitions() is None
    assert await maintenance.prepare() == ()


def test_ids_of_a_month_begin_with_its_first() -> None:
    """A UUIDv7 of the last millisecond before is less, one of the first is not."""
    start = Month.of(datetime.datetime(2026, 12, 5, tzinfo=datetime.UTC)).start

    assert first_id_at(start) <= id_at(start)
    assert id_at(start - datetime.timedelta(milliseconds=1)) < first_id_at(start)
    assert [Month.of(start).name, Month.of(start).next.name] == ["2026_12", "2027_01"]
