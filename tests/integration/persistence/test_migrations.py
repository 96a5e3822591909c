"""The migrations against the tables, on both databases."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import make_url

from adapters.persistence import schema
from adapters.persistence.engine import Database
from adapters.persistence.store import create
from adapters.persistence.tables import METADATA
from application.ports.store import SchemaState
from domain.errors import StorageUnavailable
from tests.support.records import new_chat, store_config


@pytest.fixture(params=["postgresql", "sqlite"])
def empty_url(request: pytest.FixtureRequest) -> str:
    fixture = {"postgresql": "empty_postgres_url", "sqlite": "sqlite_url"}[request.param]
    url: str = request.getfixturevalue(fixture)
    return url


_PARTITIONS = sa.text("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")


def _differences(database: Database) -> list[object]:
    engine = database.open_for_migration()
    with engine.connect() as connection:
        dialect = connection.dialect.name
        partitions = set(connection.scalars(_PARTITIONS)) if dialect == "postgresql" else set()

        def is_compared(item: Any, name: str | None, kind: str, reflected: bool, other: object) -> bool:
            # A partition is as its table is, and some keys are meant for one database only.
            only_for = getattr(item, "_ddl_if", None)
            return name not in partitions and (only_for is None or only_for.dialect == dialect)

        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_object": is_compared}
        )
        found = list(compare_metadata(context, METADATA))
    engine.dispose()
    return found


def _tables(database: Database) -> set[str]:
    engine = database.open_for_migration()
    names = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    return names


def test_up_down_up(empty_url: str) -> None:
    """Each way works from where the other ends, and the way down leaves nothing behind."""
    database = Database.of(store_config(empty_url))
    every = tuple(schema.revisions(database.config.migrations_path))

    assert every == schema.upgrade(database)
    assert schema.upgrade(database) == ()
    assert every[::-1] == schema.downgrade(database, "base")
    assert _tables(database) <= {"alembic_version"}
    assert every == schema.upgrade(database)
    assert set(METADATA.tables) < _tables(database)


def test_migrations_make_the_tables_of_the_code(empty_url: str) -> None:
    """What `alembic check` would say: there is nothing left to generate."""
    database = Database.of(store_config(empty_url))
    schema.upgrade(database)

    assert _differences(database) == []


async def test_replicas_that_migrate_at_once_take_turns(empty_postgres_url: str) -> None:
    """One of them applies each revision; the others find nothing to do."""
    stores = [create(store_config(empty_postgres_url)) for _ in range(4)]
    applied = await asyncio.gather(*(store.upgrade() for store in stores))
    every = tuple(schema.revisions(store_config("sqlite:///x").migrations_path))

    assert [(), (), (), every] == sorted(applied)
    for store in stores:
        assert await store.upgrade() == ()
        await store.aclose()


async def test_postgresql_behind_says_what_to_run(empty_postgres_url: str) -> None:
    """Without auto_migrate nothing is touched at start; nothing is taken, and `check` names the command.

    The schema that an operator makes meanwhile is found without a restart.
    """
    store = create(store_config(empty_postgres_url))
    await store.start()
    head = (await store.schema()).head

    assert SchemaState(current=None, head=head) == await store.schema()
    problem = "the database has no schema: run `lor3 db upgrade`"
    assert [False] == [store.journal.is_ready]
    assert [problem, problem] == [await store.check(), store.journal.reason]
    with pytest.raises(StorageUnavailable, match="lor3 db upgrade"):
        await store.journal.commit(new_chat())
    assert await store.upgrade() == tuple(schema.revisions(store_config("sqlite:///x").migrations_path))
    async with asyncio.timeout(30):
        while await store.check() is not None:  # noqa: ASYNC110 - what is asked for is an answer
            await asyncio.sleep(0.02)
    await store.journal.commit(new_chat())
    assert await store.check() is None
    await store.aclose()


async def test_auto_migrate_says_what_will_be_locked(
    empty_postgres_url: str, postgres_admin_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Before it begins, with how long chats will wait; nothing of an empty table."""
    database = Database.of(store_config(empty_postgres_url))
    schema.upgrade(database)
    schema.downgrade(database, "0002")
    admin = make_url(postgres_admin_url).set(database=make_url(empty_postgres_url).database)
    for rows in ("5e6", "0"):
        with psycopg.connect(admin.render_as_string(hide_password=False)) as connection:
            connection.execute("UPDATE pg_class SET reltuples = %s::real WHERE relname = 'messages'", (rows,))
        store = create(store_config(empty_postgres_url, auto_migrate=True))
        await store.start()

        assert (await store.schema()).is_current
        await store.aclose()
        schema.downgrade(database, "0002")

    (said,) = [record for record in caplog.records if "migrating now" in record.getMessage()]
    assert (said.levelname, "`messages` (about 5,000,000 rows)" in said.getMessage()) == ("WARNING", True)
    assert "chats wait for about 50 s" in said.getMessage()


async def test_revision_that_breaks_older_replicas_is_said_before(
    empty_postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where somebody has used the database; `auto_migrate` goes on, and says it aloud."""
    database = Database.of(store_config(empty_postgres_url))
    schema.upgrade(database)
    store = create(store_config(empty_postgres_url))
    plans = [await store.upgrade_plan()]
    schema.downgrade(database, "0003")
    plans.append(await store.upgrade_plan())
    await store.start()
    engine = database.open_for_migration()
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO sessions (tenant, id, created_at) VALUES ('acme', gen_random_uuid(), now())"
        )
    engine.dispose()
    plans.append(await store.upgrade_plan())
    await store.aclose()
    migrating = create(store_config(empty_postgres_url, auto_migrate=True))
    await migrating.start()
    await migrating.aclose()

    assert [None, None] == [plan.warning for plan in plans[:2]]
    assert ["0004", "0008"] == list(plans[2].breaks_older)
    said = plans[2].warning or ""
    assert "revision 0004: replicas of a lor3 from before" in said
    assert "stop them first, migrate, then start the new ones" in said
    assert any(record.levelname == "WARNING" and said in record.getMessage() for record in caplog.records)


async def test_rows_that_were_never_counted_are_estimated(empty_postgres_url: str) -> None:
    """By the size of the table: nothing has analysed it, and it is large all the same."""
    database = Database.of(store_config(empty_postgres_url))
    schema.upgrade(database)
    schema.downgrade(database, "0002")
    engine = database.open_for_migration()
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE messages SET (autovacuum_enabled = false)")
        connection.exec_driver_sql("ALTER TABLE messages DROP CONSTRAINT fk_messages_threads")
        connection.exec_driver_sql(
            "INSERT INTO messages (tenant, id, thread_id, position, role, content, status, created_at) "
            "SELECT 'acme', gen_random_uuid(), gen_random_uuid(), 0, 'user', to_jsonb(repeat('x', 99)), "
            "'complete', now() FROM generate_series(1, 5000)"
        )
    engine.dispose()
    store = create(store_config(empty_postgres_url))
    plan = await store.upgrade_plan()
    await store.aclose()

    assert 2000 < plan.locked["messages"] < 12_000
    assert 0 == plan.locked["attempts"]


async def test_upgrade_without_the_right_or_in_somebodys_way_says_so(
    empty_postgres_url: str, postgres_admin_url: str
) -> None:
    """In words of a migration, with what to do."""
    database = Database.of(store_config(empty_postgres_url))
    schema.upgrade(database)
    schema.downgrade(database, "0003")
    store = create(store_config(empty_postgres_url))
    engine = database.open_for_migration()
    with engine.begin() as other:
        other.exec_driver_sql("LOCK TABLE messages IN ACCESS SHARE MODE")
        with pytest.raises(StorageUnavailable, match="hold the tables: end them, or try again"):
            await store.upgrade()
    engine.dispose()
    await store.aclose()
    admin = make_url(postgres_admin_url).set(database=make_url(empty_postgres_url).database)
    role = str(admin.database).replace("test", "reading")
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'lor3'")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        url = make_url(empty_postgres_url).set(username=role).render_as_string(hide_password=False)
        store = create(store_config(url))
        try:
            with pytest.raises(StorageUnavailable, match="as the role that owns them"):
                await store.upgrade()
        finally:
            await store.aclose()
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


async def test_auto_migrate_migrates_at_start(empty_postgres_url: str) -> None:
    """Where the operator allows it."""
    store = create(store_config(empty_postgres_url, auto_migrate=True))
    await store.start()

    assert await store.check() is None
    await store.aclose()


async def test_newer_schema_is_served_but_not_migrated(postgres_url: str) -> None:
    """While replicas are replaced one by one, the old ones go on; `db upgrade` of the old one refuses."""
    engine = Database.of(store_config(postgres_url)).open_for_migration()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    store = create(store_config(postgres_url, auto_migrate=True))
    await store.start()

    assert await store.check() is None
    await store.journal.commit(new_chat())
    with pytest.raises(StorageUnavailable, match="install a newer lor3"):
        await store.upgrade()
    await store.aclose()


async def test_sqlite_makes_its_file_at_start(tmp_path: Path) -> None:
    """Nothing to run by hand; a percent sign in the path is only a character."""
    path = tmp_path / "100%s.db"
    store = create(store_config(f"sqlite:///{path}"))
    await store.start()

    assert await store.check() is None
    assert path.exists()
    await store.aclose()
