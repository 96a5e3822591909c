# ruff: noqa: S608 - the statements are made of the tables' own names, once, at import
"""Writes a batch to PostgreSQL in one statement, hence one transaction and, with the tenants, one round trip.

Each table's rows travel as one JSON text (orjson writes it in a few microseconds) and PostgreSQL takes it
apart with `json_to_recordset`. That costs the caller's CPU less than arrays for `unnest`, of which a batch
would need some forty, and far less than a parameter a value.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Final, TypeVar, cast

import attrs
import psycopg
import sqlalchemy as sa
from psycopg.pq.abc import PGresult
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from adapters.persistence import failures, postgresql_exchange, tenancy
from adapters.persistence.async_engine import AsyncConnection, AsyncEngine
from adapters.persistence.batch import Batch, ThreadKey
from adapters.persistence.batch_writer import BatchFailure, ConnectionLost, RefusedRows
from adapters.persistence.json_codec import encode_json_bytes
from adapters.persistence.postgresql_exchange import Statement
from adapters.persistence.rows import Row
from adapters.persistence.sockets import was_spoken_to
from adapters.persistence.tables import ATTEMPTS, MESSAGES, SESSIONS, THREADS
from domain.ids import MessageId
from domain.thread import ChatRecord

T = TypeVar("T")

_DIALECT: Final = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy's own gap


def _names(columns: Iterable[sa.Column[Any]]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)


def _recordset(parameter: str, columns: Iterable[sa.Column[Any]], extra: str = "") -> str:
    types = ", ".join(f'"{column.name}" {column.type.compile(_DIALECT)}' for column in columns)
    return f"json_to_recordset(%({parameter})s::json) AS x({types}{extra})"


def _parents() -> str:
    # Two chats may open the same session at the same time; the first one makes it.
    return (
        f"new_sessions AS (INSERT INTO sessions ({_names(SESSIONS.columns)}) "
        f"SELECT {_names(SESSIONS.columns)} FROM {_recordset('sessions', SESSIONS.columns)} "
        f"ON CONFLICT DO NOTHING), "
        f"new_threads AS (INSERT INTO threads ({_names(THREADS.columns)}) "
        f"SELECT {_names(THREADS.columns)} FROM {_recordset('threads', THREADS.columns)})"
    )


def _new_threads_only() -> str:
    return (
        f"WITH {_parents()}, "
        f"new_messages AS (INSERT INTO messages ({_names(MESSAGES.columns)}) "
        f"SELECT {_names(MESSAGES.columns)} FROM {_recordset('messages', MESSAGES.columns)}) "
        f"INSERT INTO attempts ({_names(ATTEMPTS.columns)}) "
        f"SELECT {_names(ATTEMPTS.columns)} FROM {_recordset('attempts', ATTEMPTS.columns)}"
    )


def _with_growth() -> str:
    messages = ", ".join(
        'x."position" + coalesce(l.next_position, 0)' if column.name == "position" else f'x."{column.name}"'
        for column in MESSAGES.columns
    )
    attempts = ", ".join(f'x."{column.name}"' for column in ATTEMPTS.columns)
    grown = [THREADS.c.tenant, THREADS.c.id, THREADS.c.next_position, THREADS.c.updated_at]
    return (
        f"WITH growth AS MATERIALIZED (SELECT * FROM {_recordset('growth', grown)}), "
        # In id order, so that two replicas never wait for each other in a circle. The lock returns the newest
        # row, even where it was changed after this statement began. `= ANY` keeps a generic plan on the index.
        f"locked AS MATERIALIZED (SELECT t.tenant, t.id, t.next_position FROM threads t "
        f"WHERE t.tenant = ANY(%(tenants)s::text[]) AND t.id = ANY(%(ids)s::uuid[]) "
        f"AND EXISTS (SELECT FROM growth g WHERE g.tenant = t.tenant AND g.id = t.id) "
        f"ORDER BY t.id, t.tenant FOR NO KEY UPDATE OF t), "
        f"grown AS (UPDATE threads t SET next_position = l.next_position + g.next_position, "
        f"updated_at = greatest(t.updated_at, g.updated_at) FROM locked l "
        f"JOIN growth g ON g.tenant = l.tenant AND g.id = l.id "
        f"WHERE t.tenant = l.tenant AND t.id = l.id), "
        f"{_parents()}, "
        f"new_messages AS (INSERT INTO messages ({_names(MESSAGES.columns)}) SELECT {messages} "
        f"FROM {_recordset('messages', MESSAGES.columns, ', continues boolean')} "
        f"LEFT JOIN locked l ON x.continues AND l.tenant = x.tenant AND l.id = x.thread_id "
        f"WHERE NOT x.continues OR l.id IS NOT NULL), "
        f"new_attempts AS (INSERT INTO attempts ({_names(ATTEMPTS.columns)}) SELECT {attempts} "
        f"FROM {_recordset('attempts', ATTEMPTS.columns, ', thread_id uuid, continues boolean')} "
        f"WHERE NOT x.continues OR EXISTS "
        f"(SELECT FROM locked l WHERE l.tenant = x.tenant AND l.id = x.thread_id)) "
        f"SELECT tenant, id::text FROM locked"
    )


_PARAMETERS: Final = ("sessions", "threads", "messages", "attempts", "growth", "tenants", "ids")


def _statement(name: str, text: str) -> Statement:
    for number, parameter in enumerate(_PARAMETERS, start=1):
        text = text.replace(f"%({parameter})s", f"${number}")
    return Statement(name=name.encode(), text=text.encode())


# Made of the tables' own names and types, nothing else.
_NEW_THREADS_ONLY: Final = _statement("lor3_new_threads", _new_threads_only())
_WITH_GROWTH: Final = _statement("lor3_growth", _with_growth())
_STORED: Final = _statement("lor3_stored", "SELECT id::text FROM messages WHERE id = ANY($1::uuid[])")
# A primary that became a replica still answers, but takes no writes.
_PING: Final = "SELECT current_setting('transaction_read_only')"


def _json(rows: Sequence[Row]) -> bytes:
    return encode_json_bytes(rows) if rows else b"[]"


def _array(texts: Iterable[str]) -> bytes:
    """An array in PostgreSQL's text form, each element quoted.

    Raises:
        TypeError: an element holds U+0000, which no text in PostgreSQL can.
    """
    elements = ",".join('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    if "\0" in elements:
        raise TypeError("U+0000 is no text")
    return f"{{{elements}}}".encode()


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
        batch = Batch.of(records)
        try:
            tenants = tenancy.setting(record.thread.tenant for record in records)
            parameters = [
                _json(rows) for rows in (batch.sessions, batch.threads, batch.messages, batch.attempts)
            ]
            if batch.growth:
                parameters.append(_json(list(batch.growth.values())))
                parameters.append(_array({tenant for tenant, _ in batch.growth}))
                parameters.append(_array(thread_id for _, thread_id in batch.growth))
        except (TypeError, ValueError) as error:
            raise RefusedRows("the chat holds a value that the database can't take") from error
        if not batch.growth:
            await self._exchange(_NEW_THREADS_ONLY, parameters, tenants)
            return frozenset()
        answer = await self._exchange(_WITH_GROWTH, parameters, tenants)
        found = {
            (_text(answer.get_value(row, 0)), _text(answer.get_value(row, 1)))
            for row in range(answer.ntuples)
        }
        return frozenset(key for key in batch.growth if key not in found)

    async def stored(self, ids: Sequence[MessageId]) -> frozenset[MessageId]:
        answer = await self._exchange(_STORED, [_array(ids)], tenancy.ALL)
        return frozenset(MessageId(_text(answer.get_value(row, 0))) for row in range(answer.ntuples))

    async def ping(self) -> None:
        if await self._run(self._is_read_only()):
            await self._discard()
            raise ConnectionLost(failures.READ_ONLY)

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
