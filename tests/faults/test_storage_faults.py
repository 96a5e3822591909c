"""Faults of the database as callers of `POST /chat` meet them: refused before anything is asked, or kept for good.

`tests/integration/persistence/test_postgresql_faults.py` has the same below HTTP, in more detail.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from adapters.persistence.store import create
from tests.support.keyed_chats import Books, Got, Replica, replica
from tests.support.records import store_config
from tests.support.servers import PostgreSQLServer
from tests.support.wire_upstream import WireUpstream, faithful, wire_upstream


@pytest.fixture(scope="module")
def module_server() -> Iterator[PostgreSQLServer]:
    server = PostgreSQLServer()  # syncs: durability is what is tested
    yield server
    server.close()


@pytest.fixture
async def server(module_server: PostgreSQLServer) -> AsyncIterator[PostgreSQLServer]:
    store = create(store_config(module_server.url(), auto_migrate=True))
    await store.start()
    await store.aclose()
    yield module_server
    await asyncio.to_thread(module_server.heal)
    execute(module_server, "DROP SCHEMA public CASCADE")
    execute(module_server, "CREATE SCHEMA public")


@pytest.fixture
async def upstream() -> AsyncIterator[WireUpstream]:
    async with wire_upstream(faithful("Hello from upstream.")) as running:
        yield running


def execute(server: PostgreSQLServer, statement: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement.encode())


async def get(place: Replica, path: str) -> tuple[int, Any]:
    async with place.client.get(f"{place.url}{path}") as response:
        return response.status, await response.json()


async def until_ready(place: Replica, within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while (await get(place, "/readyz"))[0] != 200:  # noqa: ASYNC110 - what is asked for is an answer
            await asyncio.sleep(0.05)


async def until_not_ready(place: Replica, within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while (await get(place, "/readyz"))[0] == 200:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


def is_refused(got: Got) -> bool:
    return (got.status, got.body["code"]) == (503, "storage_unavailable") and "Retry-After" in got.headers


async def positions(place: Replica, thread_id: str) -> list[int]:
    found: list[int] = []
    cursor = ""
    while True:
        _, page = await get(place, f"/threads/{thread_id}/messages?limit=100{cursor}")
        found += [message["position"] for message in page["items"]]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


@asynccontextmanager
async def failing_inserts(server: PostgreSQLServer, code: str, times: int) -> AsyncIterator[None]:
    """The next inserts of a message fail with this SQLSTATE; a sequence counts, for it is not rolled back."""
    execute(
        server,
        f"""
        CREATE SEQUENCE tries;
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF nextval('tries') <= {times} THEN RAISE EXCEPTION 'told to' USING ERRCODE = '{code}'; END IF;
          RETURN NEW;
        END $$;
        CREATE TRIGGER fail BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION fail();
        """,
    )
    yield
    execute(server, "DROP TRIGGER fail ON messages; DROP FUNCTION fail; DROP SEQUENCE tries")


async def test_row_65_fifty_posts_to_one_thread_are_in_order(
    server: PostgreSQLServer, upstream: WireUpstream
) -> None:
    """Through two replicas, half of them streamed: none is lost, and positions are unique and without a gap."""
    async with replica(server.url(), upstream) as one, replica(server.url(), upstream) as two:
        begun = (await one.chat(None)).body
        got = await asyncio.gather(
            *(
                (one, two)[n % 2].chat(None, thread_id=begun["thread_id"], stream=n % 4 < 2, prompt=f"{n}?")
                for n in range(50)
            )
        )
        found = await positions(two, begun["thread_id"])

    assert [200] * 50 == [each.status for each in got]
    assert len({each.body["message_id"] for each in got}) == 50
    assert list(range(102)) == found


async def test_row_66_database_down_at_start_and_at_a_request(
    server: PostgreSQLServer, upstream: WireUpstream
) -> None:
    """It starts and is not ready; chats, new and continued, are refused before anybody is asked; then it heals."""
    await asyncio.to_thread(server.kill)
    async with replica(server.url(), upstream) as place:
        at_start = await place.chat(None)
        not_ready, _ = await get(place, "/readyz")
        alive, _ = await get(place, "/healthz")
        await asyncio.to_thread(server.heal)
        await until_ready(place)
        answered = await place.chat(None)
        assert answered.status == 200, answered.raw
        await asyncio.to_thread(server.kill)
        later = [
            await place.chat(None),
            await place.chat(None, thread_id=answered.body["thread_id"]),
            await place.chat("a-key"),
            await place.chat(None, stream=True),
        ]
        asked = len(upstream.received)
        await asyncio.to_thread(server.heal)
        await until_ready(place)
        again = await place.chat(None, thread_id=answered.body["thread_id"])

    assert (not_ready, alive) == (503, 200)
    assert [True] * 5 == [is_refused(each) for each in (at_start, *later)]
    assert asked == 1
    assert again.status == 200, again.raw


async def test_row_69_immediate_restart_under_load_loses_nothing_acknowledged(
    server: PostgreSQLServer, upstream: WireUpstream
) -> None:
    """Whatever got its 200 is there once, and it heals within five seconds."""
    acknowledged: list[str] = []

    async def talk(place: Replica) -> None:
        for _ in range(25):
            got = await place.chat(None)
            if got.status == 200:
                acknowledged.append(got.body["message_id"])
            else:
                assert is_refused(got), got.raw
                await asyncio.sleep(0.1)

    async with replica(server.url(), upstream) as place:
        talking = [asyncio.ensure_future(talk(place)) for _ in range(8)]
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.heal)
        await until_ready(place)
        await asyncio.gather(*talking)
        last = await place.chat(None)

    stored = [message_id for message_id, _ in Books(server.url()).answers()]
    assert last.status == 200
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))


async def test_row_70_read_only_primary_is_left(server: PostgreSQLServer, upstream: WireUpstream) -> None:
    """After a failover the old primary takes no writes: not ready, chats refused, and back with it."""
    async with replica(server.url(), upstream) as place:
        begun = await place.chat(None)
        execute(server, "ALTER SYSTEM SET default_transaction_read_only = on")
        execute(server, "SELECT pg_reload_conf()")
        await until_not_ready(place)
        refused = await place.chat(None)
        asked = len(upstream.received)
        await asyncio.to_thread(server.heal)
        await until_ready(place)
        after = await place.chat(None, thread_id=begun.body["thread_id"])

    assert is_refused(refused)
    assert asked == 1
    assert after.status == 200


async def test_row_71_slow_statements_and_a_full_pool_are_refused(
    server: PostgreSQLServer, upstream: WireUpstream
) -> None:
    """Behind a table that somebody locked, whatever needs it is refused within its limits; then all goes on."""
    async with replica(server.url(), upstream) as place:
        begun = await place.chat(None)
        with psycopg.connect(server.url()) as connection:
            connection.execute("LOCK TABLE threads IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(20):
                got = await asyncio.gather(
                    *(place.chat(None, thread_id=begun.body["thread_id"]) for _ in range(3)),
                    *(place.chat(f"key-{n}") for n in range(10)),
                )
            alive, _ = await get(place, "/healthz")
        await until_ready(place)
        after = await place.chat(None, thread_id=begun.body["thread_id"])

    assert [True] * 13 == [is_refused(each) for each in got], [each.raw for each in got]
    assert (alive, after.status) == (200, 200)


@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_row_72_collisions_are_retried_and_nobody_is_asked_again(
    server: PostgreSQLServer, upstream: WireUpstream, code: str
) -> None:
    """The transaction is tried again; the provider's answer is kept meanwhile."""
    async with replica(server.url(), upstream) as place, failing_inserts(server, code, times=3):
        got = await place.chat("a-key")

    assert got.status == 200
    assert len(upstream.received) == 1
    assert [got.body["message_id"]] == [message_id for message_id, _ in Books(server.url()).answers()]


async def test_row_73_full_disk_refuses_chats_and_reads_go_on(
    server: PostgreSQLServer, upstream: WireUpstream
) -> None:
    """What is stored can be read; what can't be stored is refused, and its key is free."""
    async with replica(server.url(), upstream) as place:
        begun = await place.chat(None)
        path = f"/threads/{begun.body['thread_id']}/messages"
        async with failing_inserts(server, "53100", times=1):
            refused = await place.chat("a-key", thread_id=begun.body["thread_id"])
            status, page = await get(place, path)
            await until_ready(place)
            after = await place.chat("a-key", thread_id=begun.body["thread_id"])
        found = await positions(place, begun.body["thread_id"])

    assert is_refused(refused)
    assert (status, len(page["items"])) == (200, 2)
    assert (after.status, after.is_replay) == (200, False)
    assert list(range(4)) == found
