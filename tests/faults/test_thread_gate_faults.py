"""Faults 74 to 76 at the thread gate: without Redis chats take turns in their process, at once."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator

import pytest
import redis.asyncio

from adapters.cache import redis_thread_gate
from domain.ids import DEFAULT_TENANT, ThreadId
from tests.support.nonsense import redis_that_says
from tests.support.proxies import SlowProxy
from tests.support.servers import RedisServer, free_port
from tests.support.thread_gates import HOLDER, THREAD, Chats, gates, redis_gate
from tests.support.waiting import HANGS_S, eventually

_LIMIT_S = 0.05
_MANY = round(2 * HANGS_S / _LIMIT_S)
"""If each of them waited for a reply, they would take too long by far."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
async def proxy(server: RedisServer) -> AsyncIterator[SlowProxy]:
    async with SlowProxy.to(server.port) as proxy:
        yield proxy


async def test_redis_down_leaves_each_process_its_own_queue() -> None:
    """Fault 74: order within the process, and hardly any time."""
    chats = Chats()
    async with (
        asyncio.timeout(HANGS_S),
        gates(f"redis://127.0.0.1:{free_port()}/0", 1, timeout_s=HANGS_S) as (one,),
    ):
        await chats.run_all([one], 50, for_s=0)
    assert [f"0:{number}" for number in range(50)] == chats.order
    assert 0 == chats.overlaps


async def test_a_frozen_redis_is_waited_for_no_longer_than_a_reply_may_take(proxy: SlowProxy) -> None:
    """Fault 75: by the first chats of many, of as many threads; then it is left alone."""
    async with gates(proxy.url, 1, timeout_s=_LIMIT_S) as (one,):
        await Chats().run(one, "before")
        proxy.delay_s = math.inf
        async with asyncio.timeout(HANGS_S):
            for number in range(_MANY):
                async with one.hold(DEFAULT_TENANT, ThreadId(f"thread-{number}")):
                    pass


async def test_those_who_wait_for_another_replica_go_in_when_redis_dies(server: RedisServer) -> None:
    """Nobody waits for a turn that nobody can announce."""
    async with gates(server.url, timeout_s=_LIMIT_S) as (one, two):
        async with one.hold(DEFAULT_TENANT, THREAD):
            waits = asyncio.create_task(Chats().run(two, "two"))
            await asyncio.sleep(0.2)
            assert not waits.done()
            await asyncio.to_thread(server.kill)
            async with asyncio.timeout(30):
                await waits


async def test_turns_are_shared_again_after_redis_was_killed(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Those under way are taken up too."""
    async with gates(server.url, timeout_s=_LIMIT_S) as (one, two):
        await asyncio.to_thread(server.kill)
        for _ in range(8):
            await Chats().run(one, "alone")
        assert "turns in threads are not shared for now" in caplog.text
        await asyncio.to_thread(server.start)
        chats = Chats()
        async with redis.asyncio.Redis.from_url(server.url) as client:
            release = asyncio.Event()

            async def long() -> None:
                async with one.hold(DEFAULT_TENANT, THREAD):
                    await release.wait()

            under_way = asyncio.create_task(long())
            await _stored(client)
            later = asyncio.create_task(chats.run(two, "later"))
            await asyncio.sleep(0.3)
            assert not later.done()
            release.set()
            await asyncio.gather(under_way, later)


async def _stored(client: redis.asyncio.Redis) -> None:
    async with asyncio.timeout(15):
        while not await client.exists(HOLDER):  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.05)


async def test_a_turn_that_could_not_be_given_back_is_this_process_own(
    proxy: SlowProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next chat here does not wait for the lease of the one before."""
    monkeypatch.setattr(redis_thread_gate, "_LEASE_MS", "600000")
    async with gates(proxy.url, 1, timeout_s=_LIMIT_S) as (one,):
        async with one.hold(DEFAULT_TENANT, THREAD):
            proxy.delay_s = math.inf
        await asyncio.sleep(0.1)
        proxy.delay_s = 0.0
        async with asyncio.timeout(30):
            await Chats().run(one, "next")


async def test_a_lost_announcement_is_made_up_for(redis_url: str) -> None:
    """Subscriptions are cut while somebody waits."""
    async with gates(redis_url) as (one, two), redis.asyncio.Redis.from_url(redis_url) as client:
        async with one.hold(DEFAULT_TENANT, THREAD):
            waits = asyncio.create_task(Chats().run(two, "two"))
            await asyncio.sleep(0.1)
            await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")  # type: ignore[no-untyped-call]  # redis-py's gap
        async with asyncio.timeout(30):
            await waits


async def test_a_redis_without_memory_costs_no_chat(redis_url: str) -> None:
    """Fault 76: OOM at each lease."""
    async with gates(redis_url, 1) as (one,), redis.asyncio.Redis.from_url(redis_url) as client:
        await client.config_set("maxmemory", 1)
        try:
            chats = Chats()
            async with asyncio.timeout(30):
                await chats.run_all([one], 20)
        finally:
            await client.config_set("maxmemory", 0)

    assert 0 == chats.overlaps


@pytest.mark.parametrize(
    "reply", [b"-LOADING loading\r\n", b"-READONLY no\r\n", b"$-1\r\n", b"+OK\r\n", b":7\r\n", b"\x00garbage"]
)
async def test_a_redis_that_talks_nonsense_costs_no_chat(reply: bytes) -> None:
    """Fault 76: anything to anything."""
    async with redis_that_says(reply) as url:
        chats = Chats()
        async with gates(url, 1, timeout_s=_LIMIT_S) as (one,), asyncio.timeout(30):
            await chats.run_all([one], 10)

    assert 0 == chats.overlaps


async def test_scripts_need_not_be_known(redis_url: str) -> None:
    """SCRIPT FLUSH, or another server behind the same name."""
    async with gates(redis_url) as (one, two), redis.asyncio.Redis.from_url(redis_url) as client:
        chats = Chats()
        await chats.run_all([one, two], 3)
        await client.script_flush()
        await chats.run_all([one, two], 3)

    assert 0 == chats.overlaps


async def test_no_task_outlives_the_gate(redis_url: str) -> None:
    """However often it is closed."""
    gate = redis_gate(redis_url)
    await gate.start()
    await Chats().run(gate, "one")
    await gate.aclose()
    await gate.aclose()
    await eventually(
        lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("lor3-")]
    )
