"""One prepared statement sent to PostgreSQL and its answer, with as little in between as there can be.

psycopg's own `execute` makes a cursor, adapts parameters, takes a lock and waits in a generator: 0.1 ms of CPU
for a statement whose parameters are bytes already. This speaks to libpq through `psycopg.pq`, as psycopg does:
https://www.postgresql.org/docs/current/libpq-async.html
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_FINE: Final = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


async def prepare(
    connection: "psycopg.AsyncConnection[Any]", name: bytes, statement: bytes, *, limit_s: float
) -> None:
    """Has the connection know a statement, of parameters `$1`, `$2` and so on, by a name.

    Raises:
        psycopg.Error: the server refused it, or the connection ended.
        TimeoutError: no answer came in time. The connection is of no more use then, nor after a cancellation.
    """
    connection.pgconn.send_prepare(name, statement)
    await _answer(connection.pgconn, limit_s)


async def execute(
    connection: "psycopg.AsyncConnection[Any]", name: bytes, parameters: Sequence[bytes], *, limit_s: float
) -> PGresult:
    """Runs a prepared statement with parameters in text form, of which none may hold a zero byte.

    Raises:
        psycopg.Error, TimeoutError: as for `prepare`.
    """
    connection.pgconn.send_query_prepared(name, parameters)
    return await _answer(connection.pgconn, limit_s)


async def _answer(pgconn: PGconn, limit_s: float) -> PGresult:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[PGresult] = loop.create_future()
    results: list[PGresult] = []
    descriptor = pgconn.socket

    def read() -> None:
        try:
            pgconn.consume_input()
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    if not done.done():
                        done.set_result(results[-1])
                    return
                results.append(result)
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
        result = await done
    finally:
        timer.cancel()
        loop.remove_reader(descriptor)
        if writing:
            loop.remove_writer(descriptor)
    for each in results:
        if each.status not in _FINE:
            raise error_from_result(each)
    return result
