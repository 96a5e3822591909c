"""Faults 74 to 76 and 83 at the limits: no chat fails or waits for want of Redis, and no limit is off by more than one
of its minutes."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator

import pytest
import redis.asyncio

from adapters.cache.rate_script import PREFIX
from adapters.cache.redis_rate_limiter import RedisRateLimiter
from adapters.testing.rate_limiter_suite import demand, many, refused
from tests.support.nonsense import redis_that_says
from tests.support.proxies import LossyProxy, SlowProxy
from tests.support.rate_limiters import limiters, told
from tests.support.servers import RedisServer, free_port
from tests.support.waiting import HANGS_S, eventually

_LIMIT_S = 0.05
_MANY = round(2 * HANGS_S / _LIMIT_S)
"""If each of them waited for a reply, they would take too long by far."""
_LIMITED = demand(requests=10, tokens=10_000, places=10)


@pytest.fixture(scope="module")
def _server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def server(_server: RedisServer) -> RedisServer:
    """Running and empty."""
    if not _server.is_running:
        _server.start()
    with redis.Redis.from_url(_server.url) as client:
        client.flushall()
    return _server


@pytest.fixture
async def proxy(server: RedisServer) -> AsyncIterator[SlowProxy]:
    async with SlowProxy.to(server.port) as proxy:
        yield proxy


async def _let(limiter: RedisRateLimiter, count: int = 30) -> int:
    """How many of the ten pass; their places are free afterwards."""
    allowances = await many(limiter, count, _LIMITED, tokens=10)
    for each in allowances:
        each.settle(10)
        each.end()
    return len(allowances)


async def test_redis_down_limits_in_each_process() -> None:
    """Fault 74: exactly, and at once."""
    async with (
        asyncio.timeout(HANGS_S),
        limiters(f"redis://127.0.0.1:{free_port()}/0", 2, timeout_s=HANGS_S) as two,
    ):
        assert [10, 10] == [await _let(each) for each in two]
        assert not any(each.is_shared for each in two)


async def test_limits_go_on_from_where_they_were_when_redis_dies(server: RedisServer) -> None:
    """Fault 74: and are shared again when it is back, empty: one minute's limit more, at most."""
    async with limiters(server.url, timeout_s=_LIMIT_S) as (one, two):
        assert 6 == await _let(one, 6)
        held = await two.take([demand(requests=10)], tokens=0)
        await asyncio.to_thread(server.kill)
        assert await _let(one) <= 4
        assert await _let(two) <= 3
        assert not one.is_shared
        await asyncio.to_thread(server.start)
        await eventually(lambda: one.is_shared and two.is_shared)
        first = await _let(one, 5)
        await told(one)  # its places are free for the other one
        assert 10 == first + await _let(two, 15)
        held.end()


async def test_places_are_known_again_after_redis_was_away(server: RedisServer) -> None:
    """Fault 74: those of chats that began before, and of those that began meanwhile."""
    limited = demand(places=3)
    async with limiters(server.url, timeout_s=_LIMIT_S) as (one, two):
        held = await many(one, 1, limited)
        await asyncio.to_thread(server.kill)
        held += await many(one, 1, limited)
        await asyncio.to_thread(server.start)
        await eventually(lambda: one.is_shared and two.is_shared)
        await told(one)
        held += await many(two, 5, limited)
        assert 3 == len(held)
        for each in held:
            each.end()
        await told(one, two)
        assert 3 == len(await many(two, 5, limited))


async def test_a_frozen_redis_is_waited_for_no_longer_than_a_reply_may_take(proxy: SlowProxy) -> None:
    """Fault 75: by those who ask at that moment, and by nobody after them."""
    async with limiters(proxy.url, 1, timeout_s=_LIMIT_S) as (one,):
        assert one.is_shared
        proxy.delay_s = math.inf
        async with asyncio.timeout(HANGS_S):
            for _ in range(_MANY):
                (await one.take([demand(requests=10_000)], tokens=0)).end()
        proxy.delay_s = 0.0
        await eventually(lambda: one.is_shared)


async def test_a_slow_redis_is_left_alone_until_it_is_quick(proxy: SlowProxy) -> None:
    """Fault 75: longer than a reply may take, each time; chats don't try it out."""
    async with limiters(proxy.url, 1, timeout_s=_LIMIT_S) as (one,):
        proxy.delay_s = 0.08
        assert 10 == await _let(one)
        async with asyncio.timeout(HANGS_S):
            for _ in range(_MANY):
                assert "requests" == (await refused(one, _LIMITED)).limit
        assert not one.is_shared
        proxy.delay_s = 0.0
        await eventually(lambda: one.is_shared)


async def test_a_reply_that_is_lost_costs_no_place(server: RedisServer) -> None:
    """Fault 75: Redis has counted it, and the next call says how many there are."""
    limited = demand(places=2)
    async with (
        LossyProxy.to(server.port) as proxy,
        limiters(f"redis://127.0.0.1:{proxy.port}/0", 1, timeout_s=_LIMIT_S) as (one,),
        limiters(server.url, 1) as (two,),
    ):
        proxy.lose_next_reply()
        held = await one.take([limited], tokens=0)
        await eventually(lambda: one.is_shared)
        await told(one)
        other = await two.take([limited], tokens=0)
        held.end()
        other.end()
        await told(one, two)
        assert 2 == len(await many(two, 5, limited))


@pytest.mark.parametrize("emptied", ["flushall", "script_flush", "eviction"])
async def test_what_is_emptied_costs_one_window(redis_url: str, emptied: str) -> None:
    """Fault 76: a fresh minute where the state is gone, none where the script is; places are told of again."""
    limited = demand("p", places=2)
    async with (
        limiters(redis_url, renew_s=0.1) as (one, two),
        redis.asyncio.Redis.from_url(redis_url) as client,
    ):
        held = await many(one, 2, limited)
        assert 10 == await _let(one)
        if emptied == "flushall":
            await client.flushall()
        elif emptied == "script_flush":
            await client.script_flush()
        else:
            await client.delete(PREFIX + b"key:web", PREFIX + b"key:p")
        first = await _let(one)
        await told(one)
        assert first + await _let(two) == (0 if emptied == "script_flush" else 10)
        await asyncio.sleep(0.2)
        await refused(two, limited)
        assert 2 == len(held)
        assert one.is_shared
        assert two.is_shared


async def test_a_redis_without_memory_limits_in_each_process(redis_url: str) -> None:
    """Fault 76: OOM; shared again as soon as there is some."""
    async with limiters(redis_url, 1) as (one,), redis.asyncio.Redis.from_url(redis_url) as client:
        await client.config_set("maxmemory", 1)
        try:
            assert 10 == await _let(one)
            assert not one.is_shared
        finally:
            await client.config_set("maxmemory", 0)
        await eventually(lambda: one.is_shared)


async def test_a_read_only_replica_limits_in_each_process(server: RedisServer) -> None:
    """Fault 76: READONLY, as it is during a failover."""
    async with limiters(server.url, 1) as (one,), redis.asyncio.Redis.from_url(server.url) as client:
        await client.replicaof("127.0.0.1", str(free_port()))
        try:
            assert 10 == await _let(one)
            assert not one.is_shared
        finally:
            await client.replicaof("NO", "ONE")
        await eventually(lambda: one.is_shared)


@pytest.mark.parametrize(
    "reply",
    [b"", b"-LOADING loading\r\n", b"-BUSY script\r\n", b"-NOSCRIPT no\r\n", b"$-1\r\n", b"+OK\r\n", b":7\r\n",
     b"\x00garbage", b"$2\r\n[]\r\n", b"$5\r\n[1,0]\r\n", b"$4\r\nnull\r\n", b"$7\r\n[1,0,0]\r\n", b"*1\r\n:1\r\n"],
)  # fmt: skip
async def test_a_redis_that_talks_nonsense_limits_in_each_process(reply: bytes) -> None:
    """Fault 76: anything to anything."""
    async with redis_that_says(reply) as url:
        async with limiters(url, 1, timeout_s=_LIMIT_S) as (one,), asyncio.timeout(30):
            assert 10 == await _let(one)
            assert 0 == await _let(one)


@pytest.mark.parametrize("ahead_us", [3_600 * 10**6, 86_400 * 10**6])
async def test_a_clock_that_was_set_back_locks_nobody_out(redis_url: str, ahead_us: int) -> None:
    """Fault 83: what is stored is an hour, or a day, ahead of Redis' time."""
    async with limiters(redis_url, 1) as (one,), redis.asyncio.Redis.from_url(redis_url) as client:
        seconds, _ = await client.time()
        stored = (int(seconds) - 1_767_225_600) * 10**6 + ahead_us
        await client.set(PREFIX + b"key:web", f"1 {stored} {stored} ff=10={stored}")

        assert 10 == await _let(one)


async def test_no_task_outlives_the_limiter(redis_url: str) -> None:
    """However often it is closed; allowances may end after it."""
    async with limiters(redis_url, 1) as (one,):
        held = await one.take([_LIMITED], tokens=10)
        await one.aclose()
        await one.aclose()
        held.settle(5)
        held.end()
        assert 9 == await _let(one)
    await eventually(
        lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("lor3-")]
    )


async def test_who_waits_when_the_limiter_closes_is_answered(proxy: SlowProxy) -> None:
    """By what this process knows."""
    async with limiters(proxy.url, 1, timeout_s=1) as (one,):
        proxy.delay_s = math.inf
        waits = [asyncio.create_task(one.take([_LIMITED], tokens=10)) for _ in range(3)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            await one.aclose()
            allowances = await asyncio.gather(*waits)
        assert 3 == len(allowances)
