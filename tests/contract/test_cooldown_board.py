"""Both cooldown boards, held to one suite, and the shared one against a real Redis."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import redis.asyncio

from adapters.cache.redis_cooldown_board import RedisCooldownBoard
from adapters.cache.redis_link import RedisLink
from adapters.in_memory.cooldown_board import LocalCooldownBoard
from adapters.system import SystemClock
from adapters.testing.cooldown_board_suite import CooldownBoardSuite
from application.ports.clock import Clock
from application.ports.cooldown_board import CooldownBoard
from domain.errors import ConfigurationError
from domain.secret import Secret


@asynccontextmanager
async def _started(board: CooldownBoard) -> AsyncIterator[CooldownBoard]:
    await board.start()
    try:
        yield board
    finally:
        await board.aclose()


def _board(url: str, *, interval_s: float = 1.0) -> RedisCooldownBoard:
    clock = SystemClock()
    link = RedisLink(url=Secret(url), clock=clock, timeout_s=5.0)
    return RedisCooldownBoard(link=link, clock=clock, interval_s=interval_s)


async def _eventually_closed(board: CooldownBoard, route: str) -> float:
    """The remaining seconds, once the board knows of the route."""
    deadline = time.monotonic() + 30
    while (cooldown := board.active(route)) is None:
        assert time.monotonic() < deadline, f"{route} is not known after 30 s"
        await asyncio.sleep(0.01)
    return cooldown.remaining_s


async def _stored(client: redis.asyncio.Redis) -> bytes:
    for _ in range(3_000):
        value = await client.get("lor3:{cooldown}:openai")
        if isinstance(value, bytes):
            return value
        await asyncio.sleep(0.01)
    raise AssertionError("nothing was stored within 30 s")


class TestLocalCooldownBoard(CooldownBoardSuite):
    def open(self, clock: Clock) -> AbstractAsyncContextManager[CooldownBoard]:
        return _started(LocalCooldownBoard(clock=clock))


class TestRedisCooldownBoard(CooldownBoardSuite):
    @pytest.fixture(autouse=True)
    def _given_redis(self, redis_url: str) -> None:
        self.url = redis_url

    def open(self, clock: Clock) -> AbstractAsyncContextManager[CooldownBoard]:
        link = RedisLink(url=Secret(self.url), clock=clock, timeout_s=5.0)
        return _started(RedisCooldownBoard(link=link, clock=clock))


async def test_two_replicas_share_by_message(redis_url: str) -> None:
    """Long before the periodic read."""
    async with (
        _started(_board(redis_url, interval_s=30)) as one,
        _started(_board(redis_url, interval_s=30)) as two,
    ):
        await asyncio.sleep(0.2)  # the subscription
        one.close_route("openai:gpt-4", "rate_limited", for_s=20)
        left = await _eventually_closed(two, "openai:gpt-4")

    assert 15 < left <= 20


async def test_a_lost_message_is_made_up_for(redis_url: str) -> None:
    """A replica that starts later, or was away, reads what is closed."""
    async with _started(_board(redis_url)) as one:
        one.close_route("openai", "quota_exhausted", for_s=20)
        async with redis.asyncio.Redis.from_url(redis_url) as client:
            await _stored(client)
    async with _started(_board(redis_url)) as late:
        cooldown = late.active("openai")

        assert cooldown is not None
        assert cooldown.kind == "quota_exhausted"
        assert 15 < cooldown.remaining_s <= 20


async def test_keys_expire_and_hold_json(redis_url: str) -> None:
    """Nothing stays behind, and nothing is pickled."""
    async with _started(_board(redis_url)) as board, redis.asyncio.Redis.from_url(redis_url) as client:
        board.close_route("openai", "rate_limited", for_s=20)
        value = await _stored(client)

        assert json.loads(value)["kind"] == "rate_limited"
        assert 0 < await client.pttl("lor3:{cooldown}:openai") <= 20_000
        assert await client.pttl("lor3:{cooldown}:routes") > 0


@pytest.mark.parametrize(
    "value",
    [b"\x80\x04garbage", b"[1]", b"null", b'{"v": 0, "kind": "rate_limited", "until_ms": 9999999999999}',
     b'{"v": 1, "route": "openai", "kind": "nonsense", "until_ms": 9999999999999}',
     b'{"v": 1, "route": "openai", "kind": ["rate_limited"], "until_ms": 9999999999999, "left_ms": 9}',
     b'{"v": 1, "route": "openai", "kind": "rate_limited", "until_ms": 9999999999999}',
     b'{"v": 1, "route": "openai", "kind": "rate_limited", "until_ms": "soon"}', b"[" * 5000],
)  # fmt: skip
async def test_garbage_is_a_miss(redis_url: str, value: bytes) -> None:
    """Old schemas and centuries included; sharing goes on."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await client.set("lor3:{cooldown}:openai", value)
        await client.zadd("lor3:{cooldown}:routes", {"openai": 9_999_999_999_999})
        async with (
            _started(_board(redis_url, interval_s=0.05)) as one,
            _started(_board(redis_url, interval_s=0.05)) as two,
        ):
            await asyncio.sleep(0.15)
            await client.publish("lor3:{cooldown}:closed", value)
            assert two.active("openai") is None
            one.close_route("openai", "rate_limited", for_s=20)
            await _eventually_closed(two, "openai")


async def test_keys_of_another_type_are_a_miss(redis_url: str) -> None:
    """WRONGTYPE is an answer like any other."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await client.set("lor3:{cooldown}:routes", "not a sorted set")
        async with _started(_board(redis_url)) as board:
            board.close_route("openai", "rate_limited", for_s=20)

            assert board.active("openai") is not None


async def test_flushing_loses_only_what_others_did_not_know(redis_url: str) -> None:
    """A cache may be emptied at any time."""
    async with _started(_board(redis_url)) as board, redis.asyncio.Redis.from_url(redis_url) as client:
        board.close_route("openai", "rate_limited", for_s=20)
        await client.flushall()

        assert board.active("openai") is not None


async def test_a_url_that_is_none_is_a_configuration_error() -> None:
    """Said without the URL, which may hold a password."""
    with pytest.raises(ConfigurationError, match=r"redis\.url") as caught:
        await _board("http://user:CANARY@example.com").start()

    assert "CANARY" not in str(caught.value)
