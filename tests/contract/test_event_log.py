"""Both event logs, held to one suite, and the shared one against a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from adapters.cache import event_reader, event_writer, shared_answer
from adapters.cache.live_answer_keys import GONE_S, KEPT_S, LEASE_S, RENEW_S, name_key
from adapters.in_memory.event_log import LocalEventLog
from adapters.testing.event_log_suite import ADDRESS, EventLogSuite, GatheringSink, SharedEventLogSuite
from application.ports.event_log import EventLog
from domain.answer import Delta
from domain.errors import AnswerInterrupted, AnswerUnknown, ConfigurationError
from domain.ids import DEFAULT_TENANT
from domain.live_answer import Ending, Portion
from tests.support.event_logs import KEY, inspected, logs, reading, redis_log, say
from tests.support.waiting import eventually


class TestLocalEventLog(EventLogSuite):
    @asynccontextmanager
    async def open(self, count: int) -> AsyncIterator[list[EventLog]]:
        yield [LocalEventLog() for _ in range(count)]


class TestRedisEventLog(SharedEventLogSuite):
    @pytest.fixture(autouse=True)
    def _given_redis(self, redis_url: str) -> None:
        self.url = redis_url

    def open(self, count: int) -> AbstractAsyncContextManager[list[EventLog]]:
        return logs(self.url, count)


async def test_everything_in_redis_has_an_end(redis_url: str) -> None:
    """A lease while the answer is made, and a while after its end."""
    name = name_key(DEFAULT_TENANT, "chat:1")
    async with logs(redis_url, 1) as (log,), inspected(redis_url) as client:
        log.begin(ADDRESS, names=("chat:1",))
        say(log, "Hello")
        sink = await reading(log)
        await sink.until(5)
        live = [await client.pttl(key) for key in (KEY, name)]
        log.end(ADDRESS, Ending())
        await sink.until_ended()
        ended = [await client.pttl(key) for key in (KEY, name)]
        keys = await client.keys("*")

    assert all(0 < left_ms <= LEASE_S * 1000 for left_ms in live)
    assert all(LEASE_S * 1000 < left_ms <= KEPT_S * 1000 for left_ms in ended)
    assert {KEY.encode(), name.encode()} == set(keys)


def test_readers_of_a_process_that_died_are_told_in_time() -> None:
    """Within the twelve seconds that docs/streaming.md names; and one that lives has time to tell what Redis lost."""
    assert LEASE_S + GONE_S + event_reader._SLOW_S < 12
    assert RENEW_S + event_writer._MAX_GATHER_S < GONE_S


async def test_a_burst_is_one_entry(redis_url: str) -> None:
    """However many batches it came in."""
    async with logs(redis_url, 1) as (log,), inspected(redis_url) as client:
        log.begin(ADDRESS)
        for number in range(50):
            say(log, "x", number)
        log.end(ADDRESS, Ending())
        await (await reading(log)).until_ended()

        assert 1 == await client.xlen(KEY)


async def test_an_answer_that_pauses_keeps_its_lease(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its name, as long as its process lives."""
    for module in (shared_answer, event_writer):
        monkeypatch.setattr(module, "RENEW_S", 0.1)
    monkeypatch.setattr(shared_answer, "_LEASE_MS", 400)
    async with logs(redis_url) as (here, there):
        here.begin(ADDRESS, names=("chat:1",))
        sink = await reading(there)
        await asyncio.sleep(1.0)
        say(here, "Hello")
        await sink.until(5)

        assert ADDRESS.message_id == await there.find(DEFAULT_TENANT, "chat:1")
        assert sink.ending is None


async def test_readers_of_a_process_that_died_are_told(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its lease is over."""
    monkeypatch.setattr(event_reader, "_SURE_S", 0.1)
    monkeypatch.setattr(event_reader, "GONE_S", 0.2)
    async with logs(redis_url, 1) as (there,), inspected(redis_url) as client:
        await client.xadd(KEY, {b"1": b'[0,"Hel","lo"]'})
        await client.pexpire(KEY, 300)
        sink = await reading(there)
        ending = await sink.until_ended()

    assert "Hello" == sink.text
    assert isinstance(ending.error, AnswerInterrupted)
    assert "answer_interrupted" == ending.error.code
    assert "nothing of it is stored" in ending.error.detail


async def test_an_answer_that_is_too_long_is_left_to_the_store(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its readers are told, and those who come; no more of it than that stays in Redis, and not for ever."""
    monkeypatch.setattr(event_writer, "MAX_ANSWER_BYTES", 10_000)
    monkeypatch.setattr(event_reader, "_SURE_S", 0.05)
    monkeypatch.setattr(event_reader, "GONE_S", 0.1)
    async with logs(redis_url) as (here, there), inspected(redis_url) as client:
        here.begin(ADDRESS)
        sink = await reading(there)
        for number in range(20):
            say(here, "x" * 1000, number * 1000)
        ending = await sink.until_ended()
        here.end(ADDRESS, Ending())
        late = await reading(there)

        assert isinstance(ending.error, AnswerUnknown)
        assert "still being made" in ending.error.detail
        assert isinstance((await late.until_ended()).error, AnswerUnknown)
        assert 1 == await client.xlen(KEY)
        assert 0 < await client.pttl(KEY)


async def test_a_long_answer_is_read_in_pieces(redis_url: str) -> None:
    """Of several entries in more than one look, from the middle."""
    async with logs(redis_url) as (here, there), inspected(redis_url) as client:
        here.begin(ADDRESS)
        for number in range(300):
            say(here, f"{number:010}" * 1000, number * 10_000)
        here.end(ADDRESS, Ending())
        sink = await reading(there, seen=1_234_567)
        await sink.until_ended()

        assert 40 < await client.xlen(KEY)
    assert "".join(f"{number:010}" * 1000 for number in range(300))[1_234_567:] == sink.text


@pytest.mark.parametrize(
    "garbage",
    [
        {b"1": b"\x00\xff"},
        {b"1": b""},
        {b"1": b"[5]"},  # something is missing
        {b"1": b'["a"]'},
        {b"1": b'[0,["x",1]]'},
        {b"1": b'[0,["d","{}",false]]'},
        {b"1": b'{"error":{"code":1}}'},
        {b"1": b"[" * 100_000},
        {b"2": b"[0]"},  # of a later version
        {b"a": b"b"},
    ],
)
async def test_garbage_breaks_an_answer_off(redis_url: str, garbage: dict[bytes, bytes]) -> None:
    """Said where it was being read; whoever comes later is told that it can't be read."""
    async with logs(redis_url) as (here, there), inspected(redis_url) as client:
        here.begin(ADDRESS)
        sink = await reading(there)
        await client.xadd(KEY, garbage)  # type: ignore[arg-type]  # redis-py's mapping is invariant
        ending = await sink.until_ended()

        assert isinstance(ending.error, AnswerUnknown)
        with pytest.raises(AnswerUnknown):
            await there.follow(ADDRESS, GatheringSink())


async def test_a_key_of_another_type_hides_one_answer_only(redis_url: str) -> None:
    """Somebody else's: the answers beside it are read on."""
    async with logs(redis_url) as (here, there), inspected(redis_url) as client:
        await client.set(KEY, "somebody else's")
        await client.hset(name_key(DEFAULT_TENANT, "n"), "a", "b")
        here.begin(ADDRESS)
        other = type(ADDRESS)(DEFAULT_TENANT, type(ADDRESS.message_id)(KEY))
        here.begin(other)
        here.publish(other, Portion(begins=0, events=(Delta("Hello"),)))
        here.end(other, Ending())
        sink = GatheringSink()
        async with asyncio.timeout(30):
            while True:
                one, two = await asyncio.gather(
                    there.follow(ADDRESS, GatheringSink()), there.follow(other, sink)
                )
                assert one is None
                if two is not None:
                    break
        await sink.until_ended()

        assert await there.find(DEFAULT_TENANT, "n") is None
        assert b"somebody else's" == await client.get(KEY)
    assert "Hello" == sink.text


async def test_stops_that_make_no_sense_are_not_heard(redis_url: str) -> None:
    """Anybody may publish anything; and a listener that fails costs nobody the next one."""
    heard: list[object] = []
    async with logs(redis_url, 1) as (log,), inspected(redis_url) as client:
        log.on_stop(heard.append)
        async with asyncio.timeout(30):
            while not await client.publish("lor3:{live}:stop", b"\xff"):  # noqa: ASYNC110 - a subscription tells nobody
                await asyncio.sleep(0.02)
        for data in (
            "",
            "{}",
            "[]",
            '{"v":2}',
            '{"v":1,"tenant":1,"message_id":"m"}',
            '{"v":1,"tenant":"t"}',
        ):
            await client.publish("lor3:{live}:stop", data)
        await client.publish("lor3:{live}:stop", '{"v":1,"tenant":"t","message_id":"m"}')
        await eventually(lambda: bool(heard))

    assert 1 == len(heard)


async def test_a_sink_that_fails_is_left_alone(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The others are fed."""

    class Failing(GatheringSink):
        def append(self, portion: Portion) -> None:
            raise ZeroDivisionError

    async with logs(redis_url) as (here, there):
        here.begin(ADDRESS)
        sink, failing = await reading(there), Failing()
        assert await there.follow(ADDRESS, failing) is not None
        say(here, "Hello")
        here.end(ADDRESS, Ending())
        await sink.until_ended()
        await eventually(lambda: "an answer can't be handed on" in caplog.text)

    assert "Hello" == sink.text


async def test_a_url_that_is_none_is_a_configuration_error() -> None:
    """Said without the URL, which may hold a password."""
    with pytest.raises(ConfigurationError, match=r"redis\.url") as caught:
        await redis_log("http://user:CANARY@example.com").start()

    assert "CANARY" not in str(caught.value)
