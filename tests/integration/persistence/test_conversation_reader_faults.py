"""Reading conversations from a PostgreSQL that dies, freezes and refuses. Its own server."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from adapters.persistence.store import create
from adapters.testing.chats_to_store import first_chat, store_chats
from adapters.testing.prompts_to_store import error_of
from application.ports.store import Store
from domain.errors import StorageUnavailable
from domain.ids import DEFAULT_TENANT, Tenant
from domain.thread import ChatRecord
from tests.support.proxies import LossyProxy
from tests.support.records import store_config
from tests.support.servers import PostgreSQLServer
from tests.support.waiting import HANGS_S


@pytest.fixture(scope="module")
def module_server() -> Iterator[PostgreSQLServer]:
    server = PostgreSQLServer(fsync="off")
    yield server
    server.close()


@pytest.fixture
def server(module_server: PostgreSQLServer) -> Iterator[PostgreSQLServer]:
    yield module_server
    module_server.heal()
    execute(module_server, "DROP SCHEMA public CASCADE")
    execute(module_server, "CREATE SCHEMA public")


@pytest.fixture
async def store(server: PostgreSQLServer) -> AsyncIterator[Store]:
    store = create(store_config(server.url(), auto_migrate=True))
    await store.start()
    yield store
    await store.aclose()


def execute(server: PostgreSQLServer, statement: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement.encode())


async def read(store: Store, record: ChatRecord) -> int:
    found = await store.conversations.conversation(DEFAULT_TENANT, record.thread.id, limit=9)
    assert found is not None
    return len(found.recent)


async def test_closed_connections_are_replaced(store: Store, server: PostgreSQLServer) -> None:
    """An idle connection that its server ended costs no read."""
    record = await store_chats(store, 1)
    for _ in range(3):
        assert await read(store, record) == 2
        execute(
            server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lor3'"
        )
        await asyncio.sleep(0.1)
    assert await read(store, record) == 2


async def test_server_that_is_down_is_an_error_until_it_is_back(
    store: Store, server: PostgreSQLServer
) -> None:
    """In a sentence that names nothing of where it is; then reads go on."""
    record = await store_chats(store, 1)
    server.kill()
    error = await error_of(read(store, record))
    assert isinstance(error, StorageUnavailable)
    assert "127.0.0.1" not in str(error)
    assert str(server.port) not in str(error)

    server.start()
    async with asyncio.timeout(30):
        while await error_of(read(store, record)) is not None:  # noqa: ASYNC110 - an answer is asked for
            await asyncio.sleep(0.05)
    assert await read(store, record) == 2


async def test_lost_answer_is_an_error_and_the_next_read_is_whole(server: PostgreSQLServer) -> None:
    """Whoever was reading is told; the connection is thrown away."""
    async with LossyProxy.to(server.port) as proxy:
        url = server.url().replace(str(server.port), str(proxy.port))
        store = create(store_config(url, auto_migrate=True))
        await store.start()
        record = await store_chats(store, 1)
        assert await read(store, record) == 2
        proxy.lose_next_reply()
        assert isinstance(await error_of(read(store, record)), StorageUnavailable)
        assert proxy.lost == 1
        assert await read(store, record) == 2
        await store.aclose()


async def test_frozen_server_is_hung_up_on(server: PostgreSQLServer) -> None:
    """Within the limit of a statement and a second; once it is thawed, reads go on."""
    store = create(store_config(server.url(), auto_migrate=True, statement_timeout_s=0.3))
    await store.start()
    record = await store_chats(store, 1)
    assert await read(store, record) == 2
    server.freeze()
    try:
        async with asyncio.timeout(HANGS_S):
            error = await error_of(read(store, record))
    finally:
        server.thaw()

    assert isinstance(error, StorageUnavailable)
    assert await read(store, record) == 2
    await store.aclose()


async def test_empty_pool_is_an_error_for_readers_too(server: PostgreSQLServer) -> None:
    """After as long as a unit of work waits for a connection."""
    store = create(store_config(server.url(), auto_migrate=True, pool_size=2, acquire_timeout_s=0.2))
    await store.start()
    record = await store_chats(store, 1)
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.threads.get(record.thread.id)
        error = await error_of(read(store, record))
    assert isinstance(error, StorageUnavailable)
    assert "all in use" in str(error)
    assert await read(store, record) == 2
    await store.aclose()


async def test_cancelled_reads_leave_no_connection_behind(server: PostgreSQLServer) -> None:
    """A hundred readers that went away, one after another, on a pool of two connections."""
    store = create(store_config(server.url(), auto_migrate=True, pool_size=2))
    await store.start()
    record = await store_chats(store, 1)
    for number in range(100):
        task = asyncio.ensure_future(read(store, record))
        await asyncio.sleep(0.0002 * (number % 5))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await asyncio.gather(*(read(store, record) for _ in range(10))) == [2] * 10
    await store.aclose()


async def test_tenant_with_odd_characters_reads_its_own(store: Store) -> None:
    """Quotes and wildcards are letters like others."""
    for name in ("*", "o'hara", 'a"b', "ä\\", "a b,c{}"):
        tenant = Tenant(name)
        record = await store_chats(store, 1, tenant=tenant)
        found = await store.conversations.conversation(tenant, record.thread.id, limit=9)
        assert found is not None
        assert found.session.tenant == tenant
        assert await store.conversations.conversation(DEFAULT_TENANT, record.thread.id, limit=9) is None


async def test_missing_schema_is_said(server: PostgreSQLServer) -> None:
    """With what to run."""
    store = create(store_config(server.url()))
    await store.start()
    error = await error_of(read(store, first_chat()))
    assert isinstance(error, StorageUnavailable)
    assert "lor3 db upgrade" in str(error)
    await store.aclose()
