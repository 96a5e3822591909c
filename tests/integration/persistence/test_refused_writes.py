"""What a database that answers and takes no writes costs: one chat, not one for each time it is asked."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Iterator

import attrs
import psycopg
import pytest
from sqlalchemy.engine import make_url

from adapters.persistence import partitions
from adapters.persistence.months import Month
from adapters.persistence.partitions import KEYS
from adapters.persistence.store import create
from application.ports.store import Store
from domain.errors import StorageUnavailable
from domain.ids import MessageId
from domain.thread import ChatRecord
from tests.support.months import Past, id_at
from tests.support.records import new_chat, store_config

_MONTH = Month.of(datetime.datetime.now(datetime.UTC))
_FULL = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'told to' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER fail BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION fail();
"""


@pytest.fixture
def past(postgres_url: str) -> Iterator[Past]:
    opened = Past(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    store = create(store_config(postgres_url))
    await store.start()
    yield store
    await store.aclose()


async def _until_ready(store: Store) -> None:
    async with asyncio.timeout(30):
        while not store.journal.is_ready:  # noqa: ASYNC110 - what is asked for is a plain property
            await asyncio.sleep(0.02)


async def _losses(store: Store, within_s: float) -> int:
    """Chats that were taken, as the store was ready, and refused."""
    lost = 0
    ends = asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < ends:
        if store.journal.is_ready:
            try:
                await store.journal.commit(_chat())
            except StorageUnavailable:
                lost += 1
        await asyncio.sleep(0.02)
    return lost


def _chat() -> ChatRecord:
    """Of this month, as new_chat's ids are not."""
    chat = new_chat()
    now = datetime.datetime.now(datetime.UTC)
    return attrs.evolve(
        chat, messages=tuple(attrs.evolve(each, id=MessageId(id_at(now))) for each in chat.messages)
    )


@pytest.mark.parametrize(
    ("right", "table"),
    [("INSERT", "attempts"), ("INSERT", "messages"), ("UPDATE", "threads"), ("UPDATE", "idempotency_keys")],
)
async def test_lost_right_costs_one_chat(store: Store, past: Past, right: str, table: str) -> None:
    """It is named with the command that gives it back, which is enough to go on."""
    await store.journal.commit(_chat())
    past.run(f"REVOKE {right} ON {table} FROM CURRENT_USER")
    role = past.run("SELECT current_user::text")[0]
    # Where threads alone are made, those are not updated, nor are keys: then nothing is refused.
    lost = await _losses(store, 2.5)
    reason = await store.check() or ""
    past.run(f"GRANT {right} ON {table} TO CURRENT_USER")
    await _until_ready(store)
    await store.journal.commit(_chat())

    if right == "INSERT":
        assert lost == 1
        assert f"GRANT {right} ON {table} TO {role}" in reason


async def test_full_disk_costs_one_chat(store: Store, past: Past) -> None:
    """While it is full the trial says so; it leaves no row behind."""
    past.run(_FULL)
    lost = await _losses(store, 2.5)
    reason = await store.check() or ""
    past.run("DROP TRIGGER fail ON messages")
    await _until_ready(store)

    assert (1, "the database's disk is full: make room") == (lost, reason)
    assert [0, 0, 0] == [past.count(table) for table in ("sessions", "threads", "messages")]
    await store.journal.commit(_chat())


async def test_disk_without_room_to_spare_is_not_proved(
    store: Store, past: Past, postgres_admin_url: str
) -> None:
    """A row may still fit into a page: so the trial also fills files, of a limit here."""
    past.run(_FULL)
    assert 1 == await _losses(store, 0.3)
    past.run("DROP TRIGGER fail ON messages")
    admin = make_url(postgres_admin_url).set(database=past.database.url.database)
    with psycopg.connect(admin.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {past.database.url.database} SET temp_file_limit = '1MB'")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.sleep(1.5)
        was_ready = store.journal.is_ready
        connection.execute(f"ALTER DATABASE {past.database.url.database} RESET temp_file_limit")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

    assert not was_ready
    await _until_ready(store)


async def test_full_disk_of_sqlite_costs_one_chat(sqlite_url: str) -> None:
    """The same for a file that can't grow."""
    store = create(store_config(sqlite_url))
    await store.start()
    await store.journal.commit(new_chat())
    engine = store._queue._writers[0]._engine  # type: ignore[attr-defined]  # the limit is that connection's own
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    lost = 0
    for _ in range(60):
        if store.journal.is_ready:
            try:
                await store.journal.commit(new_chat("x" * 20_000))
            except StorageUnavailable:
                lost += 1
        await asyncio.sleep(0.04)
    reason = await store.check() or ""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    await _until_ready(store)
    await store.journal.commit(new_chat("x" * 20_000))

    assert 1 == lost
    assert "the disk of the database file is full" in reason
    with engine.connect() as connection:
        assert [] == connection.exec_driver_sql("PRAGMA table_info(lor3_trial)").all()
        assert 2 == connection.exec_driver_sql("SELECT count(*) FROM sessions").scalar()
    await store.aclose()


async def test_month_without_any_place_is_named(store: Store, past: Past) -> None:
    """No partition takes the rows: that is the database's fault, not the chat's, and the remedy helps."""
    for table in KEYS:
        past.run(f"DROP TABLE {table}_{_MONTH.name}, {table}_default")
    lost = await _losses(store, 1.5)
    reason = await store.check() or ""
    await store.upgrade()
    await _until_ready(store)
    await store.journal.commit(_chat())

    assert 1 == lost
    assert "no partition takes the rows" in reason
    assert "run `lor3 db upgrade`" in reason


async def test_row_security_that_refuses_rows_is_named(store: Store, past: Past) -> None:
    """As on a newer schema that wants another setting: not ready, rather than one chat after another refused."""
    past.run("CREATE POLICY nobody ON messages AS RESTRICTIVE USING (false)")
    lost = await _losses(store, 2.0)
    reason = await store.check() or ""
    past.run("DROP POLICY nobody ON messages")
    await _until_ready(store)

    assert 1 == lost
    assert "row security refuses its rows" in reason


async def test_month_is_made_while_chats_are_written(store: Store, past: Past) -> None:
    """What waits for the default partition is routed anew; no chat is lost."""
    stored: list[ChatRecord] = []
    stop = False

    async def client() -> None:
        while not stop:
            chat = _chat()
            await store.journal.commit(chat)
            stored.append(chat)

    def move() -> None:
        engine = past.database.open_for_migration()
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL lor3.tenants = '*'")
            connection.exec_driver_sql("LOCK TABLE threads, messages, attempts IN ACCESS EXCLUSIVE MODE")
            for table in KEYS:
                month = f"{table}_{_MONTH.name}"
                connection.exec_driver_sql(f"ALTER TABLE {table} DETACH PARTITION {month}")
                connection.exec_driver_sql(f"INSERT INTO {table}_default SELECT * FROM {month}")  # noqa: S608 - names of months
                connection.exec_driver_sql(f"DROP TABLE {month}")
        for table in KEYS:
            with engine.begin() as connection:
                connection.exec_driver_sql("SET LOCAL lor3.tenants = '*'")
                partitions.make(connection, table, _MONTH, most_moved=None)
                connection.exec_driver_sql("SELECT pg_sleep(0.05)")  # so that chats wait for the default one
        engine.dispose()

    async with asyncio.TaskGroup() as clients:
        for _ in range(8):
            clients.create_task(client())
        for _ in range(3):
            await asyncio.sleep(0.1)
            await asyncio.to_thread(move)
        await asyncio.sleep(0.1)
        stop = True

    assert {message.id for chat in stored for message in chat.messages} == set(
        past.run("SELECT id::text FROM messages")
    )
    assert 0 == past.count("messages_default")
