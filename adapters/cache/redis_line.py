"""A connection to Redis for one call of a script after another, of which nothing stands in the way."""

import asyncio
from typing import Any, Final

import redis.asyncio
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

_ERRORS: Final[dict[bytes, type[Exception]]] = {
    b"NOSCRIPT": NoScriptError,
    b"OOM": OutOfMemoryError,
    b"READONLY": ReadOnlyError,
    b"LOADING": BusyLoadingError,
    b"NOPERM": NoPermissionError,
    b"NOAUTH": AuthenticationError,
}
_MOST_BYTES: Final = 16 * 1024 * 1024
"""Of a reply; what is longer is none of a script's here."""


class RedisLine(asyncio.Protocol):
    """redis-py connects, with all that the URL asks for; from then on bytes are written and read here.

    A call through redis-py passes its client, a pool, a connection, two streams and a parser, which costs ten times as
    much as what is done here. One call at a time; a reply is a string or an error (RESP 2, "Bulk strings" and "Simple
    errors"). Whatever else comes, or comes too late, ends the connection: what came next could not be told from it.
    """

    def __init__(self, connection: Any, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._former = transport.get_protocol()
        """Of redis-py's streams, which are told that they have ended."""
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[bytes] | None = None
        self._received = b""
        transport.set_protocol(self)

    @classmethod
    async def open(cls, client: "redis.asyncio.Redis") -> "RedisLine":
        """
        Raises:
            RedisError, OSError: Redis can't be reached, or does not let this client in.
        """
        pool: Any = client.connection_pool
        connection = pool.make_connection()
        try:
            await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return cls(connection, connection._writer.transport)  # noqa: SLF001 - redis-py has no other way to it

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    async def call(self, parts: list[bytes], *, limit_s: float) -> bytes:
        """
        Args:
            parts: the command and its arguments.

        Raises:
            ResponseError: Redis says no; NoScriptError that it has not the script.
            OSError, TimeoutError, ValueError: the reply is none, or not there in time. The line is closed.
        """
        lines = [b"*%d\r\n" % len(parts)]
        lines += [b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]
        waiting: asyncio.Future[bytes] = self._loop.create_future()
        self._waiting = waiting
        timer = self._loop.call_later(limit_s, self._give_up)
        try:
            self._transport.write(b"".join(lines))
            return await waiting
        except ResponseError:
            raise
        except BaseException:
            self._transport.abort()
            raise
        finally:
            timer.cancel()
            self._waiting = None

    async def aclose(self) -> None:
        self._transport.abort()
        await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        data = self._received = self._received + data
        end = data.find(b"\r\n")
        kind = data[:1]
        if kind == b"$" and end >= 0 and (size := _size(data[1:end])) >= 0:
            whole = end + size + 4
            if len(data) < whole:
                return
            if len(data) == whole and data[-2:] == b"\r\n":
                self._received = b""
                self._answer(data[end + 2 : -2])
                return
        elif kind == b"-" and end == len(data) - 2:
            self._received = b""
            self._fail(_ERRORS.get(data[1:].split(b" ", 1)[0], ResponseError)("refused"))
            return
        elif kind in (b"$", b"-") and end < 0 and len(data) < _MOST_BYTES:
            return
        self._fail(ValueError("no reply to one call of a script"))
        self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(ConnectionError("the connection to Redis ended"))
        self._former.connection_lost(error)

    def _answer(self, reply: bytes) -> None:
        if self._waiting is None or self._waiting.done():
            self._transport.abort()  # nobody asked
        else:
            self._waiting.set_result(reply)

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def _give_up(self) -> None:
        self._fail(TimeoutError("Redis does not answer in time"))


def _size(text: bytes) -> int:
    """Of a string that is announced; -1 where there is none, or it is too long."""
    return int(text) if text.isdigit() and len(text) < 9 and int(text) <= _MOST_BYTES else -1
