"""Faults 74 to 76: Redis down, slow or silent never stops or slows a chat."""

import asyncio
import contextlib
import socket

import pytest

from adapters.cache.redis_cooldown_board import RedisCooldownBoard
from adapters.cache.redis_link import RedisLink
from adapters.system import SystemClock
from domain.secret import Secret
from tests.support.servers import RedisServer, free_port
from tests.support.waiting import HANGS_S, eventually


def _board(url: str) -> RedisCooldownBoard:
    clock = SystemClock()
    link = RedisLink(url=Secret(url), clock=clock, timeout_s=0.05)
    return RedisCooldownBoard(link=link, clock=clock, interval_s=0.1)


def _works_alone(board: RedisCooldownBoard) -> None:
    """Nobody waits for Redis: these are no coroutines."""
    for number in range(1000):
        board.close_route(f"openai:{number}", "rate_limited", for_s=20)
        assert board.active(f"openai:{number}") is not None


async def test_redis_down_leaves_each_process_its_own_board() -> None:
    """Fault 74: start, use and stop without anybody listening."""
    async with asyncio.timeout(HANGS_S):
        board = _board(f"redis://127.0.0.1:{free_port()}/0")
        await board.start()
        _works_alone(board)
        await asyncio.sleep(0.3)
        await board.aclose()


@pytest.mark.parametrize(
    "reply", [b"", b"-LOADING loading\r\n", b"-READONLY no\r\n", b"-OOM\r\n", b"$-1\r\n", b"\x00garbage"]
)
async def test_redis_silent_or_talking_nonsense_costs_nothing(reply: bytes) -> None:
    """Faults 75 and 76: a server that accepts and never answers, or answers anything to anything."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(4096):
                if reply:
                    writer.write(reply)
        except ConnectionError:
            pass  # the board hung up
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        board = _board(f"redis://127.0.0.1:{port}/0")
        async with asyncio.timeout(HANGS_S):
            await board.start()
            _works_alone(board)
            await asyncio.sleep(0.3)
            await board.aclose()


async def test_a_blackholed_address_costs_nothing() -> None:
    """Fault 75: connecting itself hangs, here for want of a place in the listen queue."""
    with socket.socket() as listener, contextlib.ExitStack() as clients:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        board = _board(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        async with asyncio.timeout(HANGS_S):
            await board.start()
            _works_alone(board)
            await board.aclose()


async def test_the_loop_stays_free_while_redis_hangs() -> None:
    """Waiting for Redis is nobody's business but the board's."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        board = _board(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
        await board.start()
        board.close_route("openai", "rate_limited", for_s=20)
        async with asyncio.timeout(HANGS_S):  # nothing holds up the loop for as long as the server hangs
            for _ in range(50):
                await asyncio.sleep(0.01)
            await board.aclose()


async def test_sharing_resumes_after_redis_was_killed() -> None:
    """And what was closed meanwhile is told afterwards."""
    server = await asyncio.to_thread(RedisServer)
    try:
        one, two = _board(server.url), _board(server.url)
        await one.start()
        await two.start()
        await _seen(one, is_there=True)
        await asyncio.to_thread(server.kill)
        await _seen(one, is_there=False)
        one.close_route("openai", "rate_limited", for_s=60)
        await asyncio.sleep(0.3)
        assert one.active("openai") is not None
        await asyncio.to_thread(server.start)
        await eventually(lambda: two.active("openai") is not None)
        await _seen(one, is_there=True)
        await one.aclose()
        await two.aclose()
    finally:
        await asyncio.to_thread(server.close)


async def _seen(board: RedisCooldownBoard, *, is_there: bool) -> None:
    """What readiness says."""
    await eventually(lambda: board._link.is_there is is_there)


async def test_redis_that_is_not_there_at_the_start_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody may need it for long; what was configured and is missing is said all the same, without the address."""
    port = free_port()
    board = _board(f"redis://user:CANARY@127.0.0.1:{port}/0")
    await board.start()
    await asyncio.sleep(1.0)
    await board.aclose()
    told = [record.getMessage() for record in caplog.records if record.name == "lor3.redis"]
    told = [each for each in told if each.startswith("Redis does not answer (")]

    assert len(told) == 1
    assert "CANARY" not in caplog.text
    assert str(port) not in caplog.text


async def test_redis_that_comes_later_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever read the warning learns that it is over."""
    server = RedisServer()
    server.kill()
    board = _board(server.url)
    await board.start()
    await asyncio.sleep(0.5)
    server.start()
    try:
        await eventually(lambda: "Redis answers; " in caplog.text)
    finally:
        await board.aclose()
        server.close()
