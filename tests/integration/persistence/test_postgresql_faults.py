"""A PostgreSQL that dies, freezes, refuses and comes back. Its own server: other tests must not notice."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import attrs
import psycopg
import pytest

from adapters.persistence.store import create
from application.ports.store import Store
from domain.errors import StorageUnavailable
from domain.ids import DEFAULT_TENANT, MessageId, SessionId
from domain.thread import ChatRecord
from tests.support.proxies import LossyProxy
from tests.support.records import new_chat, next_chat, store_config
from tests.support.servers import PostgreSQLServer
from tests.support.waiting import HANGS_S


@pytest.fixture(scope="module")
def module_server() -> Iterator[PostgreSQLServer]:
    server = PostgreSQLServer()  # syncs, unlike the shared one: durability is what is tested
    yield server
    server.close()


@pytest.fixture
def server(module_server: PostgreSQLServer) -> Iterator[PostgreSQLServer]:
    yield module_server
    module_server.heal()
    with psycopg.connect(module_server.url(), autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.fixture
async def store(server: PostgreSQLServer) -> AsyncIterator[Store]:
    store = create(store_config(server.url(), auto_migrate=True))
    await store.start()
    yield store
    await store.aclose()


def stored_ids(server: PostgreSQLServer) -> list[str]:
    with psycopg.connect(server.url()) as connection:
        return [row[0] for row in connection.execute("SELECT id::text FROM messages")]


def execute(server: PostgreSQLServer, statement: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement.encode())


async def until_ready(store: Store, within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while await store.check() is not None:  # noqa: ASYNC110 - what is asked for is an answer
            await asyncio.sleep(0.05)


async def test_immediate_restarts_under_load_lose_nothing_acknowledged(
    store: Store, server: PostgreSQLServer
) -> None:
    """Fault rows 67 and 69: every acknowledged chat is there, once, and in a short while all is well again."""
    acknowledged: list[ChatRecord] = []
    stop = False

    async def client() -> None:
        thread = new_chat()
        await store.journal.commit(thread)
        acknowledged.append(thread)
        while not stop:
            chat = next_chat(thread)
            await store.journal.commit(chat)  # waits out the restart, so it raises nothing
            acknowledged.append(chat)

    async with asyncio.TaskGroup() as clients:
        for _ in range(8):
            clients.create_task(client())
        for _ in range(3):
            await asyncio.sleep(0.2)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            before = len(acknowledged)
            async with asyncio.timeout(30):
                while len(acknowledged) < before + 8:  # noqa: ASYNC110 - progress is what is waited for
                    await asyncio.sleep(0.02)
        stop = True

    stored = stored_ids(server)
    assert len(stored) == len(set(stored))
    assert {message.id for chat in acknowledged for message in chat.messages} == set(stored)


async def test_lost_reply_of_a_commit_stores_once(server: PostgreSQLServer) -> None:
    """Fault row 68: the transaction was committed and its answer never came; it is found, not sent again."""
    async with LossyProxy.to(server.port) as proxy:
        url = server.url().replace(str(server.port), str(proxy.port))
        store = create(store_config(url, auto_migrate=True))
        await store.start()
        before = new_chat()
        await store.journal.commit(before)
        proxy.lose_next_reply()
        chats = [new_chat(), next_chat(before), next_chat(before)]
        await asyncio.gather(*map(store.journal.commit, chats))
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            turns = await work.messages.tail(before.thread.id, limit=99)
        await store.aclose()

    assert proxy.lost == 1
    assert list(range(6)) == [turn.position for turn in turns]
    assert len(stored_ids(server)) == 8


async def test_terminated_connections_are_replaced(store: Store, server: PostgreSQLServer) -> None:
    """Backends ended under load: no chat fails, and only a read that was under way."""
    chats = [new_chat() for _ in range(400)]
    cut = 0

    async def client(mine: list[ChatRecord]) -> None:
        nonlocal cut
        for chat in mine:
            await store.journal.commit(chat)
            try:
                async with store.unit_of_work(DEFAULT_TENANT) as work:
                    stored = await work.threads.get(chat.thread.id)
                    assert stored is not None
                    assert len(chat.messages) == stored.length
            except StorageUnavailable:
                cut += 1

    async def killer() -> None:
        for _ in range(5):
            await asyncio.sleep(0.03)
            await asyncio.to_thread(
                execute,
                server,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lor3'",
            )

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(client(chats[number::4]))
        group.create_task(killer())

    assert cut <= 5 * 4
    assert sorted(message.id for chat in chats for message in chat.messages) == sorted(stored_ids(server))


async def test_database_down_at_start_is_no_failure(server: PostgreSQLServer) -> None:
    """Fault row 66: it starts, says so, refuses; when the database comes it is ready without a restart."""
    await asyncio.to_thread(server.kill)
    store = create(store_config(server.url(), auto_migrate=True))
    await store.start()

    assert not store.journal.is_ready
    assert "no server answers at the host and port" in (await store.check() or "")
    with pytest.raises(StorageUnavailable) as caught:
        async with store.unit_of_work(DEFAULT_TENANT):
            pass
    assert "127.0.0.1" not in str(caught.value)
    with pytest.raises(StorageUnavailable):
        await store.schema()

    await asyncio.to_thread(server.start)
    await store.upgrade()
    await until_ready(store)
    await store.journal.commit(new_chat())
    await store.aclose()


async def test_readiness_ends_with_the_connection(store: Store, server: PostgreSQLServer) -> None:
    """An idle store notices at once, before a caller has spent money."""
    await store.journal.commit(new_chat())
    await asyncio.to_thread(server.kill)

    assert not store.journal.is_ready


async def test_read_only_primary_is_away(store: Store, server: PostgreSQLServer) -> None:
    """Fault row 70: after a failover the old primary takes no writes; readiness follows both ways."""
    await store.journal.commit(new_chat())
    execute(server, "ALTER SYSTEM SET default_transaction_read_only = on")
    execute(server, "SELECT pg_reload_conf()")
    chat = new_chat()
    waiting = asyncio.ensure_future(store.journal.commit(chat))
    async with asyncio.timeout(30):
        while store.journal.is_ready:  # noqa: ASYNC110 - what is asked for is a plain property
            await asyncio.sleep(0.02)
    assert "read-only" in (await store.check() or "")
    server.heal()
    await waiting

    assert {message.id for message in chat.messages} <= set(stored_ids(server))
    await until_ready(store)


async def test_locked_thread_holds_up_only_its_own_chats(store: Store, server: PostgreSQLServer) -> None:
    """A transaction that sits on a thread costs its chats an error, the others half a second."""
    held, free = new_chat(), new_chat()
    await asyncio.gather(store.journal.commit(held), store.journal.commit(free))
    with psycopg.connect(server.url()) as connection:
        connection.execute("SELECT FROM threads WHERE id = %s FOR UPDATE", [held.thread.id])
        outcomes = await asyncio.gather(
            store.journal.commit(next_chat(held)),
            store.journal.commit(next_chat(free)),
            store.journal.commit(new_chat()),
            return_exceptions=True,
        )
    assert [isinstance(outcome, StorageUnavailable) for outcome in outcomes] == [True, False, False]
    assert store.journal.is_ready
    await store.journal.commit(next_chat(held))


async def test_poison_record_fails_alone(store: Store, server: PostgreSQLServer) -> None:
    """What PostgreSQL itself refuses: no UUID, a number past bigint; its neighbours are stored."""
    chats = [new_chat() for _ in range(5)]
    no_uuid = attrs.evolve(chats[1].messages[1], id=MessageId("not-a-uuid"))
    chats[1] = attrs.evolve(chats[1], messages=(chats[1].messages[0], no_uuid))
    too_large = attrs.evolve(chats[3].messages[1], latency_ms=2**63)
    chats[3] = attrs.evolve(chats[3], messages=(chats[3].messages[0], too_large))
    outcomes = await asyncio.gather(*map(store.journal.commit, chats), return_exceptions=True)

    assert [isinstance(outcome, StorageUnavailable) for outcome in outcomes] == [
        False,
        True,
        False,
        True,
        False,
    ]
    good = [message.id for chat in chats[::2] for message in chat.messages]
    assert sorted(good) == sorted(stored_ids(server))


def fail_inserts(server: PostgreSQLServer, code: str, times: int) -> None:
    """The next inserts of a message fail with this SQLSTATE; a sequence counts, for it is not rolled back."""
    execute(
        server,
        f"""
        CREATE SEQUENCE IF NOT EXISTS tries; ALTER SEQUENCE tries RESTART;
        CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'told to' USING ERRCODE = '{code}'; END IF;
          RETURN NEW;
        END $$;
        CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION fail();
        """,
    )


@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_collision_is_retried(store: Store, server: PostgreSQLServer, code: str) -> None:
    """Fault row 72: serialization failures and deadlocks end in a stored chat, stored once."""
    chat = new_chat()
    fail_inserts(server, code, times=3)
    await store.journal.commit(chat)

    assert {message.id for message in chat.messages} == set(stored_ids(server))


async def test_full_disk_refuses_and_reads_go_on(store: Store, server: PostgreSQLServer) -> None:
    """Fault row 73: chats are refused at once, the thread can still be read, and it heals by itself."""
    chat = new_chat()
    await store.journal.commit(chat)
    fail_inserts(server, "53100", times=1)
    with pytest.raises(StorageUnavailable, match="takes no chats now"):
        await store.journal.commit(next_chat(chat))

    assert not store.journal.is_ready
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        assert len(await work.messages.tail(chat.thread.id, limit=9)) == 2
    await until_ready(store)
    await store.journal.commit(next_chat(chat))


async def test_slow_statement_ends_at_its_limit(server: PostgreSQLServer) -> None:
    """Fault row 71: past the statement timeout the chat is refused, and rolled back."""
    store = create(store_config(server.url(), auto_migrate=True, statement_timeout_s=0.3))
    await store.start()
    execute(
        server,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_sleep(600); RETURN NEW; END'; "
        "CREATE TRIGGER slow BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    async with asyncio.timeout(HANGS_S):
        with pytest.raises(StorageUnavailable, match="takes no chats now"):
            await store.journal.commit(new_chat())
    execute(server, "DROP TRIGGER slow ON messages")
    assert stored_ids(server) == []
    await store.journal.commit(new_chat())
    await store.aclose()


async def test_frozen_server_is_found_out(server: PostgreSQLServer) -> None:
    """Connections stay open and nothing answers: `check` ends all the same; a thaw heals it."""
    store = create(store_config(server.url(), auto_migrate=True, statement_timeout_s=0.3))
    await store.start()
    server.freeze()
    try:
        async with asyncio.timeout(HANGS_S):
            assert "the database does not answer" in (await store.check() or "")
        waiting = asyncio.ensure_future(store.journal.commit(new_chat()))
        async with asyncio.timeout(30):
            while store.journal.is_ready:  # noqa: ASYNC110 - what is asked for is a plain property
                await asyncio.sleep(0.02)
    finally:
        server.thaw()
    await waiting
    await until_ready(store)
    assert len(stored_ids(server)) == 2
    await store.aclose()


async def test_empty_pool_is_an_error_within_its_limit(server: PostgreSQLServer) -> None:
    """Units of work that are never left starve others for a bounded time; the commit queue has its own."""
    store = create(store_config(server.url(), auto_migrate=True, pool_size=1, acquire_timeout_s=0.2))
    await store.start()
    async with store.unit_of_work(DEFAULT_TENANT):
        with pytest.raises(StorageUnavailable, match="all in use"):
            async with store.unit_of_work(DEFAULT_TENANT):
                pass
        await store.journal.commit(new_chat())
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        assert await work.sessions.get(SessionId("x")) is None
    await store.aclose()


async def test_error_shows_neither_rows_nor_password(server: PostgreSQLServer) -> None:
    """Nothing of what people wrote, nor the URL, is in an error's text or in its chain."""
    url = server.url().replace("postgres@", "postgres:s3cret@")
    store = create(store_config(url, auto_migrate=True))
    await store.start()
    chat = new_chat("my secret prompt")
    bad = attrs.evolve(chat.messages[1], id=MessageId("not-a-uuid"))
    with pytest.raises(StorageUnavailable) as caught:
        await store.journal.commit(attrs.evolve(chat, messages=(chat.messages[0], bad)))
    await store.aclose()

    shown = ""
    error: BaseException | None = caught.value
    while error is not None:
        shown += repr(error)
        error = error.__cause__ or error.__context__
    assert "s3cret" not in shown
    assert "my secret prompt" not in shown
