"""One statement for some tenants: a transaction of its own, and a connection that is fit for the next one."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg.pq import PipelineStatus, TransactionStatus

from adapters.persistence import postgresql_exchange
from adapters.persistence.postgresql_exchange import Statement
from tests.support.proxies import LossyProxy

LIMIT_S = 5.0
WHO = Statement(name=b"test_who", text=b"SELECT current_setting('lor3.tenants', true), $1::text")
DIVIDE = Statement(name=b"test_divide", text=b"SELECT 1 / $1::int")
COUNT = Statement(name=b"test_count", text=b"SELECT count(*) FROM things")
WRONG = Statement(name=b"test_wrong", text=b"SELECT nothing FROM nowhere")
ADD = Statement(name=b"test_add", text=b"INSERT INTO things VALUES ($1::int)")


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator["psycopg.AsyncConnection[Any]"]:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    try:
        yield connection
    finally:
        await connection.close()


async def run(
    connection: "psycopg.AsyncConnection[Any]", statement: Statement, *values: bytes, tenants: str = "acme"
) -> list[tuple[bytes | None, ...]]:
    result = await postgresql_exchange.execute(
        connection, statement, values, tenants=tenants, limit_s=LIMIT_S
    )
    return [
        tuple(result.get_value(row, column) for column in range(result.nfields))
        for row in range(result.ntuples)
    ]


async def test_a_statement_sees_its_tenants_and_leaves_none_behind(empty_postgres_url: str) -> None:
    """The setting ends with the transaction, so the connection may go to somebody else."""
    async with connected(empty_postgres_url) as connection:
        rows = [
            *await run(connection, WHO, b"1", tenants="acme\x1fother"),
            *await run(connection, WHO, b"2", tenants="third"),
        ]
        cursor = await connection.execute("SELECT coalesce(current_setting('lor3.tenants', true), '')")

        assert [(b"acme\x1fother", b"1"), (b"third", b"2")] == rows
        assert [("",)] == await cursor.fetchall()
        assert PipelineStatus.OFF == connection.pgconn.pipeline_status
        assert TransactionStatus.IDLE == connection.pgconn.transaction_status


@pytest.mark.parametrize("times", [0, 1])
async def test_an_error_of_a_statement_is_raised_and_the_connection_goes_on(
    empty_postgres_url: str, times: int
) -> None:
    """Prepared in that very pipeline or before, a refused statement does no harm to the next one."""
    async with connected(empty_postgres_url) as connection:
        for _ in range(times):
            await run(connection, DIVIDE, b"1")
        with pytest.raises(psycopg.errors.DivisionByZero):
            await run(connection, DIVIDE, b"0")

        assert [(b"1",)] == await run(connection, DIVIDE, b"1")


async def test_a_statement_that_cannot_be_prepared_is_tried_anew_each_time(empty_postgres_url: str) -> None:
    """A table that is missing now may be there later."""
    async with connected(empty_postgres_url) as connection:
        for _ in range(2):
            with pytest.raises(psycopg.errors.UndefinedTable):
                await run(connection, COUNT)
        with pytest.raises(psycopg.errors.UndefinedTable):
            await run(connection, WRONG)
        await connection.execute("CREATE TABLE things (n int)")

        assert [(b"0",)] == await run(connection, COUNT)


async def test_an_error_at_commit_is_raised(empty_postgres_url: str) -> None:
    """A deferred constraint fails after the statement succeeded: nothing is stored, and nobody told it was."""
    async with connected(empty_postgres_url) as connection:
        await connection.execute("CREATE TABLE things (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        await run(connection, ADD, b"1")
        with pytest.raises(psycopg.errors.UniqueViolation):
            await run(connection, ADD, b"1")

        assert [(b"1",)] == await run(connection, COUNT)


async def test_names_that_the_server_forgot_are_done_without(empty_postgres_url: str) -> None:
    """A pooler that hands on connections takes what was prepared with them."""
    async with connected(empty_postgres_url) as connection:
        await run(connection, WHO, b"1")
        await connection.execute("DEALLOCATE ALL")

        assert [(b"acme", b"2")] == await run(connection, WHO, b"2")
        assert [(b"acme", b"3")] == await run(connection, WHO, b"3")


async def test_names_that_somebody_else_took_are_done_without(empty_postgres_url: str) -> None:
    """Behind such a pooler a fresh connection may know the name already."""
    async with connected(empty_postgres_url) as connection:
        await connection.execute("PREPARE test_who AS SELECT 1")

        assert [(b"acme", b"1")] == await run(connection, WHO, b"1")


async def test_a_value_larger_than_the_sockets_buffers_goes_both_ways(empty_postgres_url: str) -> None:
    """Sending and receiving go on side by side."""
    large = b"x" * 20_000_000
    async with connected(empty_postgres_url) as connection:
        assert [(b"acme", large)] == await run(connection, WHO, large)


@pytest.mark.parametrize("after", [0, 1])
async def test_a_server_that_ends_the_connection_is_an_operational_error(
    empty_postgres_url: str, after: int
) -> None:
    """Whether the statement was committed is unknown then."""
    kill = Statement(name=b"test_kill", text=b"SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(5)")
    async with connected(empty_postgres_url) as connection:
        for _ in range(after):
            await run(connection, WHO, b"1")
        with pytest.raises(psycopg.OperationalError):
            await run(connection, kill)


async def test_a_connection_cut_on_the_way_is_an_operational_error(empty_postgres_url: str) -> None:
    """No word of the server, only an end."""
    port = psycopg.conninfo.conninfo_to_dict(empty_postgres_url)["port"]
    async with LossyProxy.to(int(str(port))) as proxy:
        url = empty_postgres_url.replace(f":{port}/", f":{proxy.port}/")
        async with connected(url) as connection:
            await run(connection, WHO, b"1")
            proxy.lose_next_reply()
            with pytest.raises(psycopg.OperationalError):
                await run(connection, WHO, b"2")


async def test_a_silent_server_is_given_up(empty_postgres_url: str) -> None:
    """The limit counts from the sending to the end of the transaction."""
    sleep = Statement(name=b"test_sleep", text=b"SELECT pg_sleep(2)")
    async with connected(empty_postgres_url) as connection:
        with pytest.raises(TimeoutError):
            await postgresql_exchange.execute(connection, sleep, (), tenants="acme", limit_s=0.05)
