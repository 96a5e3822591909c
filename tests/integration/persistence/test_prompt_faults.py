"""Changes of prompts on a PostgreSQL that dies, freezes and refuses."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import attrs
import psycopg
import pytest

from adapters.persistence.store import create
from adapters.testing.prompts_to_store import (
    NAME,
    NOW,
    error_of,
    found,
    head_of,
    new_head,
    new_version,
    save,
    system_text,
)
from application.ports.store import Store
from domain.errors import StorageUnavailable
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, VersionRef
from tests.support.proxies import LossyProxy
from tests.support.records import store_config
from tests.support.servers import PostgreSQLServer
from tests.support.waiting import HANGS_S

AWAY = "the database is away; try again in a moment"
_END_BACKENDS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lor3'"


@pytest.fixture(scope="module")
def module_server() -> Iterator[PostgreSQLServer]:
    server = PostgreSQLServer()
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


async def lock(store: Store) -> None:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.prompts.lock(NAME)


async def put_head(store: Store) -> None:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.prompts.lock(NAME)
        await work.prompts.put(new_head())
        await work.commit()


async def until_served(store: Store) -> None:
    """Fault row 69: the pool heals within five seconds."""
    async with asyncio.timeout(30):
        while await error_of(lock(store)) is not None:  # noqa: ASYNC110 - what is asked for is an answer
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("step", ["lock", "put", "add_version", "delete_version", "mark_used", "commit"])
async def test_connection_that_dies_before_a_step(store: Store, server: PostgreSQLServer, step: str) -> None:
    """Fault row 67: StorageUnavailable, nothing stored in part, and the next unit of work is served."""
    await save(store, new_version())
    ref = VersionRef(NAME, 1)
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        prompts = work.prompts
        if step not in ("lock", "mark_used"):
            await prompts.lock(NAME)
            await prompts.put(new_head(latest=7))
        else:
            await prompts.get(NAME)
        await asyncio.to_thread(execute, server, _END_BACKENDS)
        steps = {
            "lock": lambda: prompts.lock(NAME),
            "put": lambda: prompts.put(new_head(latest=8)),
            "add_version": lambda: prompts.add_version(new_version(number=2)),
            "delete_version": lambda: prompts.delete_version(ref),
            "mark_used": lambda: prompts.mark_used([ref], at=NOW),
            "commit": work.commit,
        }
        error = await error_of(steps[step]())
        assert isinstance(error, StorageUnavailable)
        assert str(error) == AWAY
    await until_served(store)

    assert new_head() == await head_of(store)
    await save(store, new_version(number=2))
    assert {ref, VersionRef(NAME, 2)} == set(await found(store, ref, VersionRef(NAME, 2)))


async def test_failed_unit_of_work_can_not_be_committed(store: Store, server: PostgreSQLServer) -> None:
    """PostgreSQL itself would roll back without a word."""
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.prompts.lock(NAME)
        await work.prompts.put(new_head())
        await asyncio.to_thread(execute, server, _END_BACKENDS)
        assert isinstance(await error_of(work.prompts.put(new_head(latest=2))), StorageUnavailable)
        assert isinstance(await error_of(work.commit()), StorageUnavailable)
    await until_served(store)

    assert await head_of(store) is None


async def test_immediate_restart_is_healed(store: Store, server: PostgreSQLServer) -> None:
    """Fault row 69: what was committed is there; what was not is not."""
    await save(store, new_version())
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.prompts.lock(NAME)
        await work.prompts.put(new_head(latest=9))
        await asyncio.to_thread(server.kill)
        assert isinstance(await error_of(work.commit()), StorageUnavailable)
    assert isinstance(await error_of(lock(store)), StorageUnavailable)
    await asyncio.to_thread(server.start)
    await until_served(store)

    assert new_head() == await head_of(store)


async def test_lost_reply_of_a_commit_is_an_error(server: PostgreSQLServer) -> None:
    """Fault row 68: the caller learns that it can't be known; the next reader sees what was stored."""
    async with LossyProxy.to(server.port) as proxy:
        url = server.url().replace(str(server.port), str(proxy.port))
        store = create(store_config(url, auto_migrate=True))
        await store.start()
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.prompts.lock(NAME)
            await work.prompts.put(new_head())
            proxy.lose_next_reply()
            error = await error_of(work.commit())
        assert isinstance(error, StorageUnavailable)
        assert proxy.lost == 1
        await until_served(store)

        assert new_head() == await head_of(store)
        await store.aclose()


async def test_read_only_primary_takes_no_prompts(store: Store, server: PostgreSQLServer) -> None:
    """Fault row 70: reads go on, and writes do again when it is primary once more."""
    await save(store, new_version())
    execute(server, "ALTER SYSTEM SET default_transaction_read_only = on")
    execute(server, "SELECT pg_reload_conf()")
    async with asyncio.timeout(30):
        # Until every backend has read its settings anew.
        while (error := await error_of(put_head(store))) is None:  # noqa: ASYNC110 - an answer is waited for
            await asyncio.sleep(0.05)
    assert isinstance(error, StorageUnavailable)
    assert str(error) == AWAY
    assert new_head() == await head_of(store)
    await asyncio.to_thread(server.heal)

    async with asyncio.timeout(30):
        while await error_of(put_head(store)) is not None:  # noqa: ASYNC110 - what is asked for is an answer
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("40001", "another change was in the way; try again in a moment"),
        ("40P01", "another change was in the way; try again in a moment"),
        ("53100", "the database takes no changes now; try again in a moment"),
        ("22003", "the database can't take one of the values"),
    ],
)
async def test_refused_write_says_why(store: Store, server: PostgreSQLServer, code: str, told: str) -> None:
    """Fault rows 72 and 73: rolled back, in words that fit a prompt, and served the next time."""
    execute(
        server,
        f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'told to' USING ERRCODE = '{code}'; END $$;
        CREATE TRIGGER fail BEFORE INSERT ON prompts FOR EACH ROW EXECUTE FUNCTION fail();
        """,
    )
    error = await error_of(save(store, new_version(source=system_text("my secret prompt"))))
    assert isinstance(error, StorageUnavailable)
    assert str(error) == told
    shown = ""
    link: BaseException | None = error
    while link is not None:
        shown += repr(link)
        link = link.__cause__ or link.__context__
    assert "my secret prompt" not in shown
    assert await found(store, VersionRef(NAME, 1)) == {}
    execute(server, "DROP TRIGGER fail ON prompts")

    await save(store, new_version())
    assert new_head() == await head_of(store)


async def test_frozen_server_is_given_up(server: PostgreSQLServer) -> None:
    """Fault row 71: reads, locks and the way out are bounded by the statement's limit and a second."""
    store = create(store_config(server.url(), auto_migrate=True, statement_timeout_s=0.3))
    await store.start()
    for step in ("get", "lock", "leave"):
        await until_served(store)
        async with asyncio.timeout(2 * HANGS_S), store.unit_of_work(DEFAULT_TENANT) as work:
            if step == "leave":
                await work.prompts.lock(NAME)
            await asyncio.to_thread(server.freeze)
            try:
                if step != "leave":
                    error = await error_of(getattr(work.prompts, step)(NAME))
                    assert isinstance(error, StorageUnavailable)
                    assert str(error) == AWAY
            finally:
                if step != "leave":
                    server.thaw()
        if step == "leave":
            server.thaw()
    await until_served(store)
    await store.aclose()


async def test_empty_pool_is_an_error_for_prompts_too(server: PostgreSQLServer) -> None:
    """Units of work that wait for a lock hold their connections for a bounded time."""
    config = store_config(server.url(), auto_migrate=True, pool_size=2, acquire_timeout_s=0.2)
    store = create(attrs.evolve(config, statement_timeout_s=0.5))
    await store.start()
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.prompts.lock(NAME)
        outcomes = await asyncio.gather(*(error_of(lock(store)) for _ in range(4)))
        assert [StorageUnavailable] * 4 == [type(outcome) for outcome in outcomes]
        await work.prompts.put(new_head())
        await work.commit()

    await lock(store)
    await store.aclose()


async def test_foreign_lock_on_a_row_is_not_waited_for_longer_than_a_statement(
    store: Store, server: PostgreSQLServer
) -> None:
    """Somebody's open psql session on a version costs its users an error, and nothing else."""
    await save(store, new_version(), new_version(PromptName("tone")))
    with psycopg.connect(server.url()) as connection:
        connection.execute("SELECT FROM prompt_versions WHERE name = 'tone' FOR UPDATE")
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            blocked = await error_of(work.prompts.mark_used([VersionRef(PromptName("tone"), 1)], at=NOW))
        assert isinstance(blocked, StorageUnavailable)
        assert "try again" in str(blocked)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.prompts.mark_used([VersionRef(NAME, 1)], at=NOW)


async def test_prompts_without_their_tables_say_what_to_run(server: PostgreSQLServer) -> None:
    """Before `lor3 db upgrade`."""
    store = create(store_config(server.url()))
    await store.start()
    for attempt in (head_of(store), save(store, new_version())):
        error = await error_of(attempt)
        assert isinstance(error, StorageUnavailable)
        assert "lor3 db upgrade" in str(error)
    await store.aclose()


async def test_version_that_another_release_wrote_is_named(store: Store, server: PostgreSQLServer) -> None:
    """A template that can't be read is the store's fault, not the request's; the others are served."""
    await save(store, new_version(), new_version(number=2))
    for garbage in ("{", json.dumps({"poem": "…"}), "[]", "null", "1" * 5000):
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("UPDATE prompt_versions SET template = %s WHERE number = 2", [garbage])
        error = await error_of(found(store, VersionRef(NAME, 2)))
        assert isinstance(error, StorageUnavailable)
        assert "`support_agent:v2`" in str(error)

    assert await found(store, VersionRef(NAME, 1))


async def test_finding_what_includes_a_version_reads_no_templates(
    store: Store, server: PostgreSQLServer
) -> None:
    """One index answers it, however many versions there are."""
    execute(
        server,
        "INSERT INTO prompt_versions SELECT 'default', 'p' || (n % 100), n, '', '{}', true, '[]', 'api', "
        "NULL, NULL, now(), NULL FROM generate_series(1, 5000) n",
    )
    execute(
        server,
        "INSERT INTO prompt_pins SELECT 'default', 'f' || (n % 500), 1, 'p' || (n % 100), n "
        "FROM generate_series(1, 5000) n",
    )
    execute(server, "ANALYZE prompt_pins")
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        assert len(await work.prompts.including(VersionRef(PromptName("f7"), 1), limit=99)) == 10
    with psycopg.connect(server.url()) as connection:
        plan = connection.execute(
            "EXPLAIN SELECT name, number FROM prompt_pins "
            "WHERE tenant = 'default' AND pinned_name = 'f7' AND pinned_number = 1 ORDER BY name, number DESC"
        ).fetchall()

    assert "pk_prompt_pins" in str(plan)
    assert "Seq Scan" not in str(plan)
