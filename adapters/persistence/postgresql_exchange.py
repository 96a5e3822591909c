"""One prepared statement sent to PostgreSQL for some tenants, with as little in between as there can be.

psycopg's own `execute` makes a cursor, adapts parameters, takes a lock and waits in a generator: 0.1 ms of CPU
for a statement whose parameters are bytes already. This speaks to libpq through `psycopg.pq`, as psycopg does:
https://www.postgresql.org/docs/current/libpq-async.html

What names the tenants goes ahead in the same pipeline. All up to its one Sync is a transaction, so the setting
ends with the statement, and both cost one way there and back:
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import attrs
import psycopg
from psycopg.errors import DuplicatePreparedStatement, InvalidSqlStatementName, error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from adapters.persistence import tenancy
from domain.values import frozen

Connection: TypeAlias = "psycopg.AsyncConnection[Any]"

_FINE: Final = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


@frozen(kw_only=True)
class Statement:
    """SQL with the parameters `$1`, `$2` and so on, and the name that a connection keeps it by."""

    name: bytes
    text: bytes
    key: bytes = attrs.field(init=False)
    """What the server knows it by: behind a pooler another release of lor3 may have prepared another text."""

    @key.default
    def _digest(self) -> bytes:
        return self.name + b"_" + hashlib.blake2b(self.text, digest_size=6).hexdigest().encode()


_SET: Final = Statement(name=b"lor3_tenants", text=tenancy.SET.encode())


@attrs.define
class _Known:
    """What was prepared on a connection."""

    names: set[bytes] = attrs.field(factory=set)
    keeps_names: bool = True
    """False behind a pooler that hands on the server's connection and not what was prepared on it."""


_KNOWN: Final["WeakKeyDictionary[Connection, _Known]"] = WeakKeyDictionary()


async def execute(
    connection: Connection,
    statement: Statement,
    parameters: Sequence[bytes | None],
    *,
    tenants: str,
    limit_s: float,
    before: Sequence[tuple[Statement, Sequence[bytes | None]]] = (),
) -> PGresult:
    """Runs a statement in a transaction of its own that sees these tenants; prepares it where that is needed.

    Nobody else may use the connection meanwhile, and no transaction be open on it.

    Args:
        parameters: in text form, of which none may hold a zero byte; None is NULL
        tenants: as `tenancy.setting` makes it
        before: go ahead of it in the same transaction, each with its parameters; what comes later sees what they did

    Raises:
        psycopg.Error: the server refused it, and nothing was done; or the connection ended.
        TimeoutError: no answer came in time. The connection is of no more use then, nor after a cancellation.
    """
    known = _KNOWN.get(connection)
    if known is None:
        known = _KNOWN[connection] = _Known()
    steps = ((_SET, (tenants.encode(),)), *before, (statement, parameters))
    try:
        return await _exchange(connection.pgconn, known, steps, limit_s)
    except (InvalidSqlStatementName, DuplicatePreparedStatement):
        # Rolled back. Somebody in between (PgBouncer with `max_prepared_statements = 0`) changes connections.
        known.names.clear()
        known.keeps_names = False
        return await _exchange(connection.pgconn, known, steps, limit_s)


async def _exchange(
    pgconn: PGconn,
    known: _Known,
    steps: Sequence[tuple[Statement, Sequence[bytes | None]]],
    limit_s: float,
) -> PGresult:
    sent: list[bytes | None] = []
    """For each command the name that it makes known."""
    pgconn.enter_pipeline_mode()
    for each, values in steps:
        if not known.keeps_names:
            pgconn.send_query_params(each.text, values)
            continue
        if each.key not in known.names:
            pgconn.send_prepare(each.key, each.text)
            sent.append(each.key)
        pgconn.send_query_prepared(each.key, values)
        sent.append(None)
    pgconn.pipeline_sync()
    results = await _answers(pgconn, limit_s)
    for name, result in zip(sent, results, strict=False):
        # What was prepared outlives a rollback. What came after an error was not looked at.
        if name is not None and result.status in _FINE:
            known.names.add(name)
    for result in results:
        if result.status not in _FINE:
            raise error_from_result(result)
    if pgconn.status != ConnStatus.OK or not results:
        raise psycopg.OperationalError("the connection ended before the answer")
    return results[-1]


async def _answers(pgconn: PGconn, limit_s: float) -> list[PGresult]:
    """One result for each command up to the Sync, the first one that failed followed by `PIPELINE_ABORTED`.

    The transaction is over with the Sync: an error of its COMMIT comes as one result more.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    results: list[PGresult] = []
    descriptor = pgconn.socket

    def read() -> None:
        try:
            pgconn.consume_input()
            silent = False
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    if silent:  # one None ends a command; a second one, the queue
                        break
                    silent = True
                    continue
                silent = False
                if result.status == ExecStatus.PIPELINE_SYNC:
                    pgconn.exit_pipeline_mode()
                    if not done.done():
                        done.set_result(None)
                    return
                results.append(result)
            if pgconn.status != ConnStatus.OK and not done.done():
                done.set_result(None)
        except psycopg.Error as error:
            if not done.done():
                done.set_exception(error)

    def write() -> None:
        try:
            if pgconn.flush() == 0:
                loop.remove_writer(descriptor)
        except psycopg.Error as error:
            loop.remove_writer(descriptor)
            if not done.done():
                done.set_exception(error)

    def give_up() -> None:
        if not done.done():
            done.set_exception(TimeoutError())

    loop.add_reader(descriptor, read)  # also while sending, or both ends could wait for each other
    timer = loop.call_later(limit_s, give_up)
    writing = False
    try:
        writing = pgconn.flush() != 0
        if writing:
            loop.add_writer(descriptor, write)
        await done
    finally:
        timer.cancel()
        loop.remove_reader(descriptor)
        if writing:
            loop.remove_writer(descriptor)
    return results
