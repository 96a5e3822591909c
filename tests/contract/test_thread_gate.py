"""Both thread gates, held to one suite, and the shared one against a real Redis."""

import asyncio
import itertools
from contextlib import AbstractAsyncContextManager

import pytest
import redis.asyncio

from adapters.cache import redis_thread_gate
from adapters.in_memory.thread_gate import LocalThreadGate
from adapters.testing.thread_gate_suite import ThreadGateSuite, started
from application.ports.thread_gate import ThreadGate
from domain.errors import ConfigurationError, ThreadBusy
from domain.ids import DEFAULT_TENANT
from domain.thread_queue import ThreadQueuePolicy
from tests.support.thread_gates import HOLDER, THREAD, Chats, gates, redis_gate


class TestLocalThreadGate(ThreadGateSuite):
    def open(self, policy: ThreadQueuePolicy) -> AbstractAsyncContextManager[ThreadGate]:
        return started(LocalThreadGate(policy=policy))


class TestRedisThreadGate(ThreadGateSuite):
    @pytest.fixture(autouse=True)
    def _given_redis(self, redis_url: str) -> None:
        self.url = redis_url

    def open(self, policy: ThreadQueuePolicy) -> AbstractAsyncContextManager[ThreadGate]:
        return started(redis_gate(self.url, policy))


async def test_idle_threads_leave_nothing_behind() -> None:
    """Whether their chats met, gave up or were cancelled."""
    gate = LocalThreadGate(policy=ThreadQueuePolicy(max_wait_s=0.01))
    async with gate.hold(DEFAULT_TENANT, THREAD):
        with pytest.raises(ThreadBusy):
            await Chats().run(gate, "late")
        cancelled = asyncio.create_task(Chats().run(gate, "cancelled"))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.wait([cancelled])
        assert gate.busy_threads == 1

    assert gate.busy_threads == 0


async def test_replicas_take_turns(redis_url: str) -> None:
    """Never two inside, and the one with many does not keep out the one with few."""
    chats = Chats()
    async with gates(redis_url, 3) as three:
        await chats.run_all(three, 10)

    assert 30 == len(chats.order)
    assert 0 == chats.overlaps
    for index in range(3):
        own = [name for name in chats.order if name.startswith(f"{index}:")]
        assert [f"{index}:{number}" for number in range(10)] == own
    longest_run = max(len(list(group)) for _, group in itertools.groupby(chats.order, lambda name: name[0]))
    assert longest_run <= 3


async def test_another_replicas_chat_is_rejected_too(redis_url: str) -> None:
    """Under the policy that lets nobody wait."""
    async with gates(redis_url, policy=ThreadQueuePolicy(when_busy="reject")) as (one, two):
        async with one.hold(DEFAULT_TENANT, THREAD):
            with pytest.raises(ThreadBusy, match="is being answered"):
                await Chats().run(two, "two")
        await asyncio.sleep(0.05)
        await Chats().run(two, "two")


async def test_waiting_for_another_replica_ends(redis_url: str) -> None:
    """And the place in its queue is given back: the third one does not wait for the second."""
    async with gates(redis_url, 3, policy=ThreadQueuePolicy(max_wait_s=0.3)) as (one, two, three):
        async with one.hold(DEFAULT_TENANT, THREAD):
            with pytest.raises(ThreadBusy, match=r"waited 0\.3 s"):
                await Chats().run(two, "two")
        async with asyncio.timeout(30):
            await Chats().run(three, "three")


async def test_nothing_stays_behind_in_redis(redis_url: str) -> None:
    """Once everybody was answered; while they are, the lease has an end."""
    async with gates(redis_url) as two, redis.asyncio.Redis.from_url(redis_url) as client:
        async with two[0].hold(DEFAULT_TENANT, THREAD):
            assert 0 < await client.pttl(HOLDER) <= 2_000
        await Chats().run_all(two, 5)
        await asyncio.sleep(0.05)

        assert [] == await client.keys("lor3:gate:*")


async def test_a_long_answer_keeps_its_turn(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease is renewed while the chat is under way."""
    monkeypatch.setattr(redis_thread_gate, "RENEW_S", 0.1)
    monkeypatch.setattr(redis_thread_gate, "_LEASE_MS", "300")
    chats = Chats()
    async with gates(redis_url) as (one, two):
        long = asyncio.create_task(chats.run(one, "long", for_s=1.0))
        await asyncio.sleep(0.05)
        await chats.run(two, "next")
        await long

    assert (["long", "next"], 0) == (chats.order, chats.overlaps)


async def test_a_turn_that_was_lost_is_taken_back(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis was emptied in the middle of an answer."""
    monkeypatch.setattr(redis_thread_gate, "RENEW_S", 0.1)
    async with gates(redis_url) as (one, two), redis.asyncio.Redis.from_url(redis_url) as client:
        chats = Chats()
        long = asyncio.create_task(chats.run(one, "long", for_s=0.6))
        await asyncio.sleep(0.05)
        await client.flushall()
        await asyncio.sleep(0.25)
        await chats.run(two, "next")
        await long

    assert (["long", "next"], 0) == (chats.order, chats.overlaps)


async def test_a_replica_that_died_is_waited_for_as_long_as_its_lease(redis_url: str) -> None:
    """Nobody gives its turn back."""
    chats = Chats()
    async with gates(redis_url, 1) as (one,), redis.asyncio.Redis.from_url(redis_url) as client:
        await client.set(HOLDER, "a process that is no more", px=400)
        await chats.run(one, "one")
        assert 0 == await client.exists(HOLDER) or (await client.get(HOLDER)) != b"a process that is no more"

    assert ["one"] == chats.order


async def test_a_place_is_lost_by_who_stops_asking(redis_url: str) -> None:
    """A replica that died in the queue."""
    waiting = HOLDER.replace("holder", "waiting")
    async with gates(redis_url, 1) as (one,), redis.asyncio.Redis.from_url(redis_url) as client:
        await client.zadd(waiting, {"gone": 1.0})
        await client.zadd(HOLDER.replace("holder", "asking"), {"gone": 1.0})
        async with asyncio.timeout(30):
            await Chats().run(one, "one")

        assert 0 == await client.exists(waiting)


async def test_closing_gives_turns_back(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that is stopped keeps nobody waiting."""
    monkeypatch.setattr(redis_thread_gate, "_LEASE_MS", "600000")
    async with gates(redis_url) as (one, two):
        async with one.hold(DEFAULT_TENANT, THREAD):
            await one.aclose()
            async with asyncio.timeout(30):
                await Chats().run(two, "two")


@pytest.mark.parametrize("kind", ["holder", "waiting", "asking"])
async def test_keys_of_another_type_cost_nothing(redis_url: str, kind: str) -> None:
    """Somebody else's key: the gate holds in this process."""
    chats = Chats()
    async with gates(redis_url, 1) as (one,), redis.asyncio.Redis.from_url(redis_url) as client:
        await client.hset(HOLDER.replace("holder", kind), "of", "somebody else")
        async with asyncio.timeout(30):
            await chats.run_all([one], 5)

    assert 0 == chats.overlaps


async def test_a_url_that_is_none_is_a_configuration_error() -> None:
    """Said without the URL, which may hold a password."""
    with pytest.raises(ConfigurationError, match=r"redis\.url") as caught:
        await redis_gate("http://user:CANARY@example.com").start()

    assert "CANARY" not in str(caught.value)
