"""How messages and attempts of before become months, and one table again."""

import datetime
import uuid
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from adapters.persistence import schema
from adapters.persistence.engine import Database
from adapters.persistence.maintenance import SQLMaintenance
from adapters.persistence.months import Month
from application.ports.maintenance import PruneReport, Retention
from tests.support.months import Past, id_at
from tests.support.records import store_config

_NOW = datetime.datetime.now(datetime.UTC)
_MONTH = Month.of(_NOW)
_OLD = Month(_MONTH.number - 9).start
_FUTURE = Month(_MONTH.number + 3).start + datetime.timedelta(days=1)
_ODD = str(uuid.UUID(int=2**128 - 1))


@pytest.fixture
def past(empty_postgres_url: str) -> Iterator[Past]:
    """At the revision before: a thread with messages of a year, of a clock that is ahead, and of an odd id."""
    database = Database.of(store_config(empty_postgres_url))
    schema.upgrade(database)
    schema.downgrade(database, "0002")
    opened = Past(empty_postgres_url)
    session_id, thread_id = id_at(_OLD), id_at(_OLD)
    opened.run("INSERT INTO sessions (tenant, id, created_at) VALUES ('default', :id, now())", id=session_id)
    opened.run(
        "INSERT INTO threads (tenant, id, session_id, next_position, created_at, updated_at) "
        "VALUES ('default', :id, :session, 4, now(), now())",
        id=thread_id,
        session=session_id,
    )
    for position, message_id in enumerate((id_at(_OLD), id_at(_NOW), id_at(_FUTURE), _ODD)):
        opened.run(
            "INSERT INTO messages (tenant, id, thread_id, position, role, content, status, created_at) "
            "VALUES ('default', :id, :thread, :position, 'user', '[]', 'complete', now())",
            id=message_id,
            thread=thread_id,
            position=position,
        )
        opened.run(
            "INSERT INTO attempts (tenant, message_id, number, provider, model, outcome, started_at, "
            "latency_ms, input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, "
            "reasoning_tokens, usage_estimated) "
            "VALUES ('default', :id, 0, 'demo', 'demo', 'ok', now(), 1, 0, 0, 0, 0, 0, false)",
            id=message_id,
        )
    yield opened
    opened.close()


async def test_what_is_there_stays_where_it_is(past: Past) -> None:
    """The old table becomes the partition of all up to the month after next; nothing is copied or lost."""
    before = past.run("SELECT pg_relation_filenode('messages')")
    schema.upgrade(past.database)

    assert before == past.run("SELECT pg_relation_filenode('messages_earlier')")
    assert [0, 1, 2, 3] == past.run("SELECT position FROM messages ORDER BY position")
    for table in ("messages", "attempts"):
        assert 2 == past.count(f"{table}_earlier")
        assert 1 == past.count(f"{table}_{Month.of(_FUTURE).name}")
        assert 1 == past.count(f"{table}_default")
    assert await SQLMaintenance(database=past.database).prepare() == ()


async def test_earlier_messages_are_pruned_one_by_one(past: Past) -> None:
    """Their partition reaches too far to go as a whole."""
    schema.upgrade(past.database)
    past.run("UPDATE messages SET created_at = :at WHERE position = 0", at=_OLD)
    maintenance = SQLMaintenance(database=past.database)

    assert PruneReport(messages=1) == await maintenance.prune(
        Retention(messages_before=_NOW - datetime.timedelta(days=90))
    )
    assert [3, 3] == [past.count("messages"), past.count("attempts")]


def test_way_back_makes_one_table_of_it(past: Past) -> None:
    """With every row and with the keys of before."""
    keys = (
        "SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid IN ('messages'::regclass, 'attempts'::regclass) AND contype <> 'n' ORDER BY 1"
    )
    before = past.run(keys)
    schema.upgrade(past.database)
    past.thread(_NOW)
    schema.downgrade(past.database, "0002")

    assert before == past.run(keys)
    assert [5, 5] == [past.count("messages"), past.count("attempts")]


def test_rights_and_owner_go_over_to_the_new_tables(past: Past, postgres_admin_url: str) -> None:
    """Both ways, those on columns and to everybody too, and where a superuser migrates."""
    role = str(past.database.url.database).replace("test", "serving")
    admin = make_url(postgres_admin_url).set(database=past.database.url.database)
    url = admin.render_as_string(hide_password=False)
    rights = (
        "SELECT relname || coalesce((SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(relacl) a), '') "
        "|| relowner::regrole FROM pg_class WHERE relname IN ('messages', 'attempts') "
        "UNION ALL SELECT attrelid::regclass || attname || attacl::text FROM pg_attribute WHERE attacl IS NOT NULL "
        "AND attrelid IN (to_regclass('messages'), to_regclass('attempts')) ORDER BY 1"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'lor3'")
        try:
            connection.execute(f"GRANT SELECT, INSERT ON messages, attempts TO {role} WITH GRANT OPTION")
            connection.execute(f"GRANT UPDATE (status) ON messages TO {role}")
            connection.execute("GRANT SELECT ON attempts TO PUBLIC")
            before = past.run(rights)
            schema.upgrade(Database.of(store_config(url)))
            between = past.run(rights)
            owners = past.run(
                "SELECT DISTINCT relowner FROM pg_class "
                "WHERE relname ~ '^(messages|attempts)' AND relkind IN ('r', 'p')"
            )
            schema.downgrade(Database.of(store_config(url)), "0002")
            after = past.run(rights)
        finally:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")

    assert before == between
    assert before == after
    assert 1 == len(owners)


def test_table_that_is_in_use_is_not_waited_for_long(past: Past) -> None:
    """After seconds the migration gives up, with nothing changed, rather than make every chat queue up."""
    engine = past.database.open_for_migration()
    with engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE messages IN ACCESS SHARE MODE")
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            schema.upgrade(past.database)
    engine.dispose()

    assert ["0002"] == past.run("SELECT version_num FROM alembic_version")
