"""What is written to Redis by hand, and what is made of its replies."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.asyncio
from redis.exceptions import AuthenticationError, NoScriptError, OutOfMemoryError, ResponseError

from adapters.cache.redis_line import RedisLine


@asynccontextmanager
async def _line_to(url: str) -> AsyncIterator[RedisLine]:
    async with redis.asyncio.Redis.from_url(url, protocol=2, driver_info=None) as client:
        line = await RedisLine.open(client)
        try:
            yield line
        finally:
            await line.aclose()


@asynccontextmanager
async def _answered(*chunks: bytes, pause_s: float = 0.01) -> AsyncIterator[RedisLine]:
    """By a server that says these to the first thing it reads, one after another."""

    is_done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.read(4096):
                for chunk in chunks:
                    writer.write(chunk)
                    await asyncio.sleep(pause_s)
            await reader.read(4096)
        except ConnectionError:
            pass  # the client hung up
        finally:
            writer.close()
            is_done.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        async with _line_to(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0") as line:
            yield line
        await is_done.wait()


async def test_calls_follow_one_another(redis_url: str) -> None:
    """Bytes of any kind and length, on one connection."""
    async with _line_to(redis_url) as line:
        for said in (b"", b"\r\n$3\r\n", b"\x00\xff", b"x" * 300_000):
            assert said == await line.call([b"EVAL", b"return ARGV[1]", b"0", said], limit_s=5)
        assert line.is_open


async def test_the_url_says_which_database_and_as_whom(redis_url: str) -> None:
    """As with redis-py, which is what connects."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        base = redis_url.rpartition("/")[0]
        command: Any = client.execute_command
        await command("ACL", "SETUSER", "liner", "on", ">secret", "allkeys", "+select", "+eval", "+set")
        try:
            async with _line_to(f"{base.replace('://', '://liner:secret@')}/3") as line:
                await line.call([b"EVAL", b"redis.call('SET', 'k', 'v') return 'x'", b"0"], limit_s=5)
            with pytest.raises(AuthenticationError):
                async with _line_to(f"{base.replace('://', '://liner:wrong@')}/3"):
                    pass
        finally:
            await command("ACL", "DELUSER", "liner")
    async with redis.asyncio.Redis.from_url(f"{base}/3") as third:
        assert b"v" == await third.getdel("k")


@pytest.mark.parametrize(
    "cut", [1, 3, 5, 9, 10], ids=lambda cut: f"after {cut}"
)  # within the size, its end, the text, its end
async def test_a_reply_may_come_in_pieces(cut: int) -> None:
    """As networks have it."""
    reply = b"$5\r\nhello\r\n"
    async with _answered(reply[:cut], reply[cut:]) as line:
        assert b"hello" == await line.call([b"X"], limit_s=5)


@pytest.mark.parametrize(
    ("reply", "error"),
    [(b"-NOSCRIPT no\r\n", NoScriptError), (b"-OOM full\r\n", OutOfMemoryError), (b"-ERR what\r\n", ResponseError)],
)  # fmt: skip
async def test_an_error_is_a_reply(reply: bytes, error: type[Exception]) -> None:
    """After which the next call goes on."""
    async with _answered(reply) as line:
        with pytest.raises(error):
            await line.call([b"X"], limit_s=5)
        assert line.is_open


@pytest.mark.parametrize(
    "reply",
    [b"$2\r\nabc\r\n", b"$2\r\nab\r\n+OK\r\n", b"$-1\r\n", b"$x\r\n", b"$99999999999\r\n", b":1\r\n", b"*0\r\n",
     b"\r\n", b"HTTP/1.1 400 no\r\n"],
)  # fmt: skip
async def test_anything_else_ends_the_connection(reply: bytes) -> None:
    """At once: nothing that comes behind it could be told from a reply."""
    async with _answered(reply) as line:
        with pytest.raises(ValueError, match="no reply"):
            await line.call([b"X"], limit_s=5)
        assert not line.is_open


def _cancelled(call: "asyncio.Task[bytes]") -> None:
    call.cancel()


def _waited_for(_: "asyncio.Task[bytes]") -> None:
    """Until its limit."""


@pytest.mark.parametrize(
    ("end", "error"), [(_cancelled, asyncio.CancelledError), (_waited_for, TimeoutError)]
)
async def test_a_call_that_is_given_up_ends_the_connection(
    end: Callable[["asyncio.Task[bytes]"], None], error: type[BaseException]
) -> None:
    """Its reply may still come."""
    async with _answered() as line:
        call = asyncio.create_task(line.call([b"X"], limit_s=0.05))
        await asyncio.sleep(0.01)
        end(call)
        with pytest.raises(error):
            await call
        assert not line.is_open


async def test_a_connection_that_ends_is_known(redis_url: str) -> None:
    """To who waits, and to who would call next."""
    async with redis.asyncio.Redis.from_url(redis_url) as client, _line_to(redis_url) as line:
        command: Any = client.execute_command
        call = asyncio.create_task(line.call([b"BLPOP", b"nothing", b"0"], limit_s=5))
        await asyncio.sleep(0.05)
        await command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        with pytest.raises(ConnectionError):
            await call
        assert not line.is_open
