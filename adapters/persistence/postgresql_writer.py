"""Writes a batch to PostgreSQL in one statement, hence one transaction and, with the tenants, one round trip."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Final, TypeVar, cast

import attrs
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult

from adapters.persistence import failures, postgresql_exchange, tenancy
from adapters.persistence.async_engine import AsyncConnection, AsyncEngine
from adapters.persistence.batch_writer import BatchFailure, ConnectionLost, RefusedRows
from adapters.persistence.postgresql_batch import NOTHING, PostgreSQLBatch, array
from adapters.persistence.postgresql_exchange import Statement
from adapters.persistence.sockets import was_spoken_to
from adapters.persistence.thread_counters import ThreadKey
from adapters.persistence.trial import trial_record
from domain.ids import DEFAULT_TENANT, MessageId
from domain.thread import ChatRecord

T = TypeVar("T")

_STORED: Final = Statement(
    name=b"lor3_stored", text=b"SELECT id::text FROM messages WHERE id = ANY($1::uuid[])"
)
# A primary that became a replica still answers, but takes no writes.
_PING: Final = "SELECT current_setting('transaction_read_only')"
# Two megabytes sorted on the disk of the tables. They are gone with the statement, and need no right.
_FILL: Final = (
    "SET LOCAL work_mem = '64kB'; SET LOCAL temp_tablespaces = ''; "
    "SELECT count(*) FROM (SELECT repeat(md5(n::text), 4) AS text FROM generate_series(1, 16000) n ORDER BY 1) s"
)


def _text(value: bytes | None) -> str:
    return (value or b"").decode()


@attrs.define(kw_only=True)
class PostgreSQLWriter:
    """Keeps one connection of the pool to itself, in autocommit: each statement is its own transaction."""

    _engine: AsyncEngine
    _limit_s: float
    """For a statement and the way there and back; the server's own limit is shorter."""
    _connection: AsyncConnection | None = None
    _psycopg: "psycopg.AsyncConnection[Any] | None" = None
    _abandoned: set[asyncio.Task[Any]] = attrs.field(factory=set)

    async def write(self, records: Sequence[ChatRecord]) -> frozenset[ThreadKey]:
        try:
            tenants = tenancy.setting(record.thread.tenant for record in records)
            batch = PostgreSQLBatch.of(records)
        except (TypeError, ValueError) as error:
            raise RefusedRows("the chat holds a value that the database can't take") from error
        answer = await self._exchange(batch.statement, batch.parameters, tenants)
        if not batch.grown:
            return frozenset()
        found = {
            (_text(answer.get_value(row, 0)), _text(answer.get_value(row, 1)))
            for row in range(answer.ntuples)
        }
        return frozenset(key for key in batch.grown if key not in found)

    async def stored(self, ids: Sequence[MessageId]) -> frozenset[MessageId]:
        answer = await self._exchange(_STORED, [array(ids)], tenancy.ALL)
        return frozenset(MessageId(_text(answer.get_value(row, 0))) for row in range(answer.ntuples))

    async def ping(self) -> None:
        if await self._run(self._is_read_only()):
            await self._discard()
            raise ConnectionLost(failures.READ_ONLY)

    async def prove(self) -> None:
        await self._run(self._try_to_write())

    def hung_up(self) -> bool:
        return self._psycopg is not None and was_spoken_to(_socket(self._psycopg))

    async def aclose(self) -> None:
        connection, self._connection, self._psycopg = self._connection, None, None
        if connection is not None:
            await connection.close()
        for task in self._abandoned:
            task.cancel()
        await asyncio.gather(*self._abandoned, return_exceptions=True)

    async def _exchange(
        self, statement: Statement, parameters: Sequence[bytes | None], tenants: str
    ) -> PGresult:
        connection = self._psycopg
        if connection is None or self.hung_up():
            # Nothing is under way on it, so there is nothing to be unsure about.
            connection = await self._run(self._connect())
        try:
            return await postgresql_exchange.execute(
                connection, statement, parameters, tenants=tenants, limit_s=self._limit_s
            )
        except TimeoutError as error:  # an OSError by its class
            self._abandon(None)
            raise ConnectionLost(failures.SILENT) from error
        except failures.FAILURES as error:
            raise await self._failure(error) from error
        except BaseException:
            self._abandon(None)  # its answer is still to come
            raise

    async def _is_read_only(self) -> bool:
        connection = self._psycopg
        if connection is None or self.hung_up():
            connection = await self._connect()
        cursor = await connection.execute(_PING, prepare=False)
        return await cursor.fetchone() == ("on",)

    async def _try_to_write(self) -> None:
        connection = self._psycopg
        if connection is None or self.hung_up():
            connection = await self._connect()
        batch = PostgreSQLBatch.of([trial_record()])
        tenants = tenancy.setting((DEFAULT_TENANT,))
        await connection.execute("BEGIN", prepare=False)
        try:
            await connection.execute(_FILL, prepare=False)
            # The second one is about rights, which the server looks at even where there are no rows.
            for statement, parameters in ((batch.statement, batch.parameters), NOTHING):
                await postgresql_exchange.execute(
                    connection, statement, parameters, tenants=tenants, limit_s=self._limit_s
                )
        finally:
            if connection.info.transaction_status != TransactionStatus.UNKNOWN:
                await connection.execute("ROLLBACK", prepare=False)

    async def _connect(self) -> "psycopg.AsyncConnection[Any]":
        await self._discard()
        connection = self._connection = await self._engine.connect()
        raw = await connection.get_raw_connection()
        self._psycopg = cast("psycopg.AsyncConnection[Any]", raw.driver_connection)
        return self._psycopg

    async def _run(self, work: Awaitable[T]) -> T:
        # psycopg answers a cancellation by asking the server to cancel, which can itself take seconds when the
        # server is frozen; so the work gets a task that can be left behind with its connection.
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait((task,), timeout=self._limit_s)
        except asyncio.CancelledError:
            self._abandon(task)
            raise
        if not done:
            self._abandon(task)
            raise ConnectionLost(failures.SILENT)
        try:
            return task.result()
        except failures.FAILURES as error:
            raise await self._failure(error) from error

    async def _failure(self, error: BaseException) -> BatchFailure:
        failure = failures.failure_of(error)
        if isinstance(failure, ConnectionLost):
            await self._discard()
        return failure

    def _abandon(self, task: "asyncio.Future[Any] | None") -> None:
        connection, self._connection, self._psycopg = self._connection, None, None

        async def bury() -> None:
            if task is not None:
                task.cancel()
                await asyncio.wait((task,))
                if not task.cancelled():
                    task.exception()  # read, so that nobody is told it was not
            if connection is not None:
                await connection.invalidate()
                await connection.close()

        burial = asyncio.ensure_future(bury())
        self._abandoned.add(burial)
        burial.add_done_callback(self._abandoned.discard)

    async def _discard(self) -> None:
        connection, self._connection, self._psycopg = self._connection, None, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()


def _socket(connection: "psycopg.AsyncConnection[Any]") -> int:
    try:
        return connection.pgconn.socket
    except psycopg.Error:  # already closed
        return -1
