"""Faults 74 to 76 at the event log: without Redis answers go on, and nobody waits for the rest of one for ever."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.cache import event_reader, event_writer, shared_answer
from adapters.cache.live_answer_keys import name_key
from adapters.testing.event_log_suite import ADDRESS, GatheringSink, followed
from application.ports.event_log import AnswerAddress, EventLog
from domain.answer import Delta
from domain.errors import AnswerUnknown
from domain.ids import DEFAULT_TENANT, MessageId
from domain.live_answer import Ending, Portion
from tests.support.event_logs import KEY, inspected, logs, reading, redis_log, say
from tests.support.nonsense import redis_that_says
from tests.support.proxies import SlowProxy
from tests.support.servers import RedisServer, free_port
from tests.support.waiting import HANGS_S, eventually

_LIMIT_S = 0.05
_MANY = round(2 * HANGS_S / _LIMIT_S)
"""If each of them waited for a reply, they would take too long by far."""


@pytest.fixture(scope="module")
def _server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
async def server(_server: RedisServer) -> RedisServer:
    """Running and empty."""
    if not _server.is_running:
        await asyncio.to_thread(_server.start)
    async with inspected(_server.url) as client:
        await client.flushall()
    return _server


@pytest.fixture
async def proxy(server: RedisServer) -> AsyncIterator[SlowProxy]:
    async with SlowProxy.to(server.port) as proxy:
        yield proxy


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second, where production has ten."""
    for module in (event_reader, event_writer):
        monkeypatch.setattr(module, "LEASE_S", 0.5)
    monkeypatch.setattr(event_reader, "_SURE_S", 0.1)
    monkeypatch.setattr(shared_answer, "_LEASE_MS", 500)
    for module in (shared_answer, event_writer):
        monkeypatch.setattr(module, "RENEW_S", 0.1)


def _answers(log: EventLog, count: int) -> None:
    """Makes that many, of three texts each."""
    for number in range(count):
        address = AnswerAddress(DEFAULT_TENANT, MessageId(f"message-{number}"))
        log.begin(address, names=(f"key:{number}",))
        for index in range(3):
            log.publish(address, Portion(begins=index, events=(Delta("x"),)))
        log.end(address, Ending())


def _unknown(ending: Ending) -> bool:
    """Its end is; it may still be made."""
    return isinstance(ending.error, AnswerUnknown)


async def _knows_nothing(log: EventLog, sink: GatheringSink) -> None:
    """It says that it can't say, which is not the same as that there is nothing."""
    with pytest.raises(AnswerUnknown):
        await log.follow(ADDRESS, sink)
    with pytest.raises(AnswerUnknown):
        await log.find(DEFAULT_TENANT, "key:1")


async def test_redis_down_costs_those_who_make_answers_nothing() -> None:
    """Fault 74: 1,000 answers; whether there are others is not known."""
    async with (
        asyncio.timeout(HANGS_S),
        logs(f"redis://127.0.0.1:{free_port()}/0", 1, timeout_s=_LIMIT_S) as (log,),
    ):
        _answers(log, 1000)
        await log.ask_to_stop(ADDRESS)
        await _knows_nothing(log, GatheringSink())


async def test_a_frozen_redis_is_waited_for_within_bounds(proxy: SlowProxy) -> None:
    """Fault 75: by those who look for an answer; those who make one do not wait at all."""
    async with asyncio.timeout(HANGS_S), logs(proxy.url, 1, timeout_s=_LIMIT_S) as (log,):
        log.begin(ADDRESS)
        assert await followed(log, ADDRESS, GatheringSink()) is not None
        proxy.delay_s = math.inf
        for _ in range(_MANY):  # soon without waiting
            await _knows_nothing(log, GatheringSink())


async def test_a_slow_redis_keeps_readers_late_and_nothing_else(proxy: SlowProxy) -> None:
    """Fault 75: a reply takes most of the time that it may."""
    async with logs(proxy.url, timeout_s=0.2) as (here, there):
        proxy.delay_s = 0.05
        here.begin(ADDRESS)
        sink = await reading(there)
        for number in range(20):
            say(here, "x", number)
            await asyncio.sleep(0.01)
        here.end(ADDRESS, Ending())

        assert Ending() == await sink.until_ended()
    assert "x" * 20 == sink.text


@pytest.mark.usefixtures("short_lease")
async def test_who_reads_an_answer_is_told_when_redis_stays_away(server: RedisServer) -> None:
    """Not before the answer's lease could be over."""
    async with logs(server.url, timeout_s=_LIMIT_S) as (here, there):
        here.begin(ADDRESS)
        say(here, "Hello")
        sink = await reading(there)
        await sink.until(5)
        began = time.monotonic()
        await asyncio.to_thread(server.kill)
        ending = await sink.until_ended()

    assert time.monotonic() - began > 0.2
    assert _unknown(ending)
    assert "Hello" == sink.text


async def test_a_redis_that_was_restarted_empty_is_told_again(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Fault 76: whoever was reading reads on, and whoever comes finds all of it; the log says what was missing."""
    monkeypatch.setattr("adapters.cache.redis_guard._OPEN_S", 0.3)
    async with logs(server.url, timeout_s=_LIMIT_S) as (here, there):
        here.begin(ADDRESS, names=("chat:1",))
        say(here, "Hello")
        sink = await reading(there)
        await sink.until(5)
        await asyncio.to_thread(server.kill)
        say(here, ", wo", 5)
        await eventually(lambda: "answers under way are not shared for now" in caplog.text)
        await eventually(lambda: "answers of other servers are not shared for now" in caplog.text)
        await asyncio.to_thread(server.start)
        say(here, "rld", 9)
        await eventually(lambda: "Redis serves again; answers under way are shared" in caplog.text)
        late = await reading(there, seen=2)
        found = await there.find(DEFAULT_TENANT, "chat:1")
        here.end(ADDRESS, Ending())
        endings = [await sink.until_ended(), await late.until_ended()]
        async with inspected(server.url) as client:
            lives_ms = [await client.pttl(key) for key in await client.keys("*")]

    assert [Ending(), Ending()] == endings
    assert ("Hello, world", "llo, world") == (sink.text, late.text)
    assert ADDRESS.message_id == found
    assert 2 == len(lives_ms)
    assert min(lives_ms) > 0


async def test_what_was_said_while_redis_was_away_is_told_when_it_is_back(
    proxy: SlowProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an answer that began before, and of one that began meanwhile; once each."""
    monkeypatch.setattr("adapters.cache.redis_guard._OPEN_S", 0.3)
    meanwhile = AnswerAddress(DEFAULT_TENANT, MessageId("meanwhile"))
    async with logs(proxy.url, timeout_s=_LIMIT_S) as (here, there):
        here.begin(ADDRESS)
        sink, other = await reading(there), GatheringSink()
        proxy.delay_s = math.inf
        say(here, "Hello")
        here.begin(meanwhile)
        here.publish(meanwhile, Portion(begins=0, events=(Delta("Hi"),)))
        await asyncio.sleep(0.5)
        proxy.delay_s = 0.0
        say(here, ", world", 5)
        here.end(ADDRESS, Ending())
        here.end(meanwhile, Ending())
        await sink.until_ended()
        assert await followed(there, meanwhile, other) is not None
        await other.until_ended()

    assert ("Hello, world", "Hi") == (sink.text, other.text)


async def test_nothing_is_lost_or_said_twice_while_connections_break(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty answers, each read from two places, and every connection to Redis cut again and again."""
    monkeypatch.setattr("adapters.cache.redis_guard._OPEN_S", 0.05)
    addresses = [AnswerAddress(DEFAULT_TENANT, MessageId(f"message-{number}")) for number in range(20)]
    sinks = [GatheringSink(ends=seen) for seen in (0, 7) for _ in addresses]
    texts = [f"{number} " for number in range(100)]
    async with logs(redis_url) as (here, there), inspected(redis_url) as client:
        for address in addresses:
            here.begin(address)
        for index, sink in enumerate(sinks):
            assert await followed(there, addresses[index % 20], sink) is not None
        at = 0
        for number, text in enumerate(texts):
            for address in addresses:
                here.publish(address, Portion(begins=at, events=(Delta(text),)))
            at += len(text)
            if number % 10 == 0:
                await client.execute_command("CLIENT", "KILL", "TYPE", "normal")  # type: ignore[no-untyped-call]  # redis-py's gap
            await asyncio.sleep(0.01)
        for address in addresses:
            here.end(address, Ending())
        endings = [await sink.until_ended() for sink in sinks]

    assert [Ending()] * 40 == endings
    assert ["".join(texts)] * 20 + ["".join(texts)[7:]] * 20 == [sink.text for sink in sinks]


@pytest.mark.parametrize("ended", [True, False])
async def test_a_key_that_was_evicted_is_told_again(redis_url: str, ended: bool) -> None:
    """Fault 76: from its beginning on, and with an end to its life; a name that another has taken stays his."""
    name, other = name_key(DEFAULT_TENANT, "chat:1"), "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e09"
    async with logs(redis_url) as (here, there), inspected(redis_url) as client:
        here.begin(ADDRESS, names=("chat:1",))
        say(here, "Hel")
        sink = await reading(there)
        await sink.until(3)
        await client.delete(KEY)
        await client.set(name, other, px=5000)
        say(here, "lo", 3)
        if ended:
            here.end(ADDRESS, Ending())
            assert Ending() == await sink.until_ended()
        await sink.until(5)
        late = await reading(there)
        await late.until(5)

        assert ("Hello", "Hello") == (sink.text, late.text)
        assert 0 < await client.pttl(KEY)
        assert other == await there.find(DEFAULT_TENANT, "chat:1")


@pytest.mark.parametrize("bound", [("event_writer.MAX_SAID_BYTES", 1), ("shared_answer._TIMES", 0)])
async def test_what_can_not_be_told_again_breaks_off(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, bound: tuple[str, int]
) -> None:
    """It does not begin again in the middle, without an end to its life."""
    monkeypatch.setattr(f"adapters.cache.{bound[0]}", bound[1])
    monkeypatch.setattr(event_reader, "_SURE_S", 0.1)
    async with logs(redis_url) as (here, there), inspected(redis_url) as client:
        here.begin(ADDRESS)
        sink = await reading(there)
        await client.delete(KEY)
        say(here, "Hello")

        assert _unknown(await sink.until_ended())
        assert 0 < await client.pttl(KEY)


async def test_a_redis_without_memory_costs_no_answer(redis_url: str) -> None:
    """Fault 76: OOM at each entry; what fits in this process is told when there is room again."""
    async with logs(redis_url) as (here, there), inspected(redis_url) as client:
        here.begin(ADDRESS)
        sink = await reading(there)
        await client.config_set("maxmemory", 1)
        try:
            say(here, "Hello")
            _answers(here, 100)
            await asyncio.sleep(0.1)
        finally:
            await client.config_set("maxmemory", 0)
        here.end(ADDRESS, Ending())

        assert Ending() == await sink.until_ended()
    assert "Hello" == sink.text


async def test_what_waits_for_redis_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer that is one too many is given up, and its end makes room for others."""
    monkeypatch.setattr(event_writer, "MAX_PENDING_BYTES", 100_000)
    writer = redis_log(f"redis://127.0.0.1:{free_port()}/0", timeout_s=_LIMIT_S)._writer
    for number in range(50):
        address = AnswerAddress(DEFAULT_TENANT, MessageId(f"message-{number}"))
        writer.begin(address, ())
        for index in range(10):
            writer.publish(address, Portion(begins=index * 1000, events=(Delta("x" * 1000),)))
            assert writer.pending_bytes <= 100_000
    assert 9 == writer.live
    for number in range(50):
        writer.end(AnswerAddress(DEFAULT_TENANT, MessageId(f"message-{number}")), Ending())
    writer.clear()

    assert (0, 0, 0) == (writer.live, writer.pending_bytes, writer.said_bytes)


@pytest.mark.usefixtures("short_lease")
async def test_answers_that_nobody_can_be_told_of_are_forgotten() -> None:
    """Redis never comes: what ended does not wait for it for ever, nor does what is begun grow."""
    async with logs(f"redis://127.0.0.1:{free_port()}/0", 1, timeout_s=_LIMIT_S) as (log,):
        writer = log._writer  # type: ignore[attr-defined]  # looks inside
        _answers(log, 20)
        assert 20 == writer.live
        await eventually(lambda: not writer.live)

        assert 0 == writer.pending_bytes


@pytest.mark.parametrize(
    "reply", [b"-LOADING loading\r\n", b"-READONLY no\r\n", b"$-1\r\n", b"+OK\r\n", b":7\r\n", b"\x00garbage"]
)
async def test_a_redis_that_talks_nonsense_costs_no_answer(reply: bytes) -> None:
    """Fault 76: anything to anything."""
    async with redis_that_says(reply * 8) as url:
        async with logs(url, 1, timeout_s=_LIMIT_S) as (log,), asyncio.timeout(30):
            sink = GatheringSink()
            for _ in range(6):
                _answers(log, 3)
                with contextlib.suppress(AnswerUnknown):  # some of it is sense, too: there is nothing
                    assert await log.follow(ADDRESS, sink) is None
                with contextlib.suppress(AnswerUnknown):
                    assert await log.find(DEFAULT_TENANT, "key:1") is None

    assert (0, None) == (sink.ends, sink.ending)


async def test_no_task_outlives_the_log(redis_url: str) -> None:
    """However often it is closed, and whoever reads."""
    log = redis_log(redis_url)
    await log.start()
    log.begin(ADDRESS)
    sink = await reading(log)
    waiting = asyncio.create_task(log.follow(ADDRESS, GatheringSink()))
    await asyncio.sleep(0)
    waiting.cancel()
    await log.aclose()
    await log.aclose()
    await asyncio.wait([waiting])

    assert sink.ending is not None
    await eventually(
        lambda: not [task for task in asyncio.all_tasks() if task.get_name().startswith("lor3-")]
    )
