"""Faults of requests that are sent twice: one answer, one charge, whatever dies in between."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psycopg
import pytest
from sqlalchemy.engine import make_url

from adapters.persistence.store import create
from adapters.testing.idempotency_suite import answered_chat, claim, claimed, new_key
from domain.idempotency import LEASE_S, Answered, Claimed, IdempotencyKey
from domain.ids import DEFAULT_TENANT, Tenant
from tests.support.keyed_chats import COST, Books, Got, Replica, answering_after, replica, served
from tests.support.proxies import LossyProxy, SlowProxy
from tests.support.records import store_config
from tests.support.servers import PostgreSQLServer
from tests.support.wire_upstream import WireUpstream, wire_upstream

KEY = "4a1c-key-of-a-test"


@pytest.fixture
async def may_answer() -> asyncio.Event:
    """Set it, and the upstream answers."""
    event = asyncio.Event()
    event.set()
    return event


@pytest.fixture
async def upstream(may_answer: asyncio.Event) -> AsyncIterator[WireUpstream]:
    async with wire_upstream(answering_after(may_answer)) as running:
        yield running


async def until_asked(upstream: WireUpstream, times: int = 1) -> None:
    async with asyncio.timeout(10):
        while len(upstream.received) < times:  # noqa: ASYNC110 - it only counts
            await asyncio.sleep(0.01)


def assert_replayed(got: Got, first: Got) -> None:
    assert (got.status, got.is_replay) == (200, True), got.raw
    assert first.body == got.body
    if got.headers["Content-Type"] == "application/json":  # a stream's head goes out before they are known
        assert got.headers["x-lor3-cost-usd"] == "0"
        assert got.headers["x-lor3-attempts"] == "0"


async def until_answered(place: Replica, key: str, within_s: float = 30.0) -> Got:
    """Sends it again for as long as it is told to."""
    async with asyncio.timeout(within_s):
        while True:
            got = await place.chat(key)
            if got.status != 409:
                return got
            assert got.body["code"] == "idempotency_key_in_flight"
            await asyncio.sleep(min(0.2, int(got.headers["Retry-After"])))


async def test_row_59_a_hundred_requests_with_one_key_make_one_call(
    postgres_url: str, upstream: WireUpstream, may_answer: asyncio.Event
) -> None:
    """Through two replicas: one is answered, the others are told when to come again, and then get its answer."""
    may_answer.clear()
    async with replica(postgres_url, upstream) as one, replica(postgres_url, upstream) as two:
        crowd = [asyncio.ensure_future((one, two)[n % 2].chat(KEY)) for n in range(100)]
        await until_asked(upstream)
        await asyncio.wait(crowd, timeout=1.0)
        may_answer.set()
        got = await asyncio.gather(*crowd)
        again = [await place.chat(KEY) for place in (one, two)]

    answered = [each for each in got if each.status == 200]
    refused = [each for each in got if each.status != 200]
    assert len(upstream.received) == 1
    assert len(answered) == 1
    assert {(409, "idempotency_key_in_flight")} == {(each.status, each.body["code"]) for each in refused}
    assert all(1 <= int(each.headers["Retry-After"]) <= 2 for each in refused)
    for each in again:
        assert_replayed(each, answered[0])
    assert [(answered[0].body["message_id"], COST)] == Books(postgres_url).answers()


@pytest.mark.parametrize("database", ["postgres_url", "sqlite_url"])
@pytest.mark.parametrize("stream", [False, True])
async def test_row_60_the_same_key_later_is_replayed(
    request: pytest.FixtureRequest, upstream: WireUpstream, database: str, stream: bool
) -> None:
    """As an answer or as a stream, at no cost; another body is refused, and another tenant's key is another key."""
    url: str = request.getfixturevalue(database)
    async with replica(url, upstream) as place:
        first = await place.chat(KEY, stream=stream)
        again = [await place.chat(KEY, stream=stream) for _ in range(3)]
        other = await place.chat(KEY, stream=stream, prompt="Something else")
        assert place.application is not None
        metrics = place.application.metrics().decode()
        async with place.application.store.unit_of_work(Tenant("other")) as work:
            theirs = await work.idempotency.claim(
                IdempotencyKey(key=KEY, fingerprint="f"), owner=place.application.ids.new()
            )

    assert (first.status, first.is_replay) == (200, False)
    for each in again:
        assert_replayed(each, first)
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")
    assert isinstance(theirs, Claimed)
    assert len(upstream.received) == 1
    assert "lor3_idempotent_replays_total 3.0" in metrics
    for each in (*again, other):
        assert KEY.encode() not in each.raw
    assert KEY not in metrics


async def test_row_67_postgresql_dies_between_answer_and_commit(
    upstream: WireUpstream, may_answer: asyncio.Event
) -> None:
    """The chat waits for it to come back and is stored with its key, once."""
    server = PostgreSQLServer()
    try:
        store = create(store_config(server.url(), auto_migrate=True))
        await store.start()
        await store.aclose()
        may_answer.clear()
        async with replica(server.url(), upstream) as place:
            asking = asyncio.ensure_future(place.chat(KEY))
            await until_asked(upstream)
            await asyncio.to_thread(server.kill)
            may_answer.set()
            await asyncio.sleep(0.5)
            assert not asking.done()
            await asyncio.to_thread(server.start)
            first = await asking
            assert_replayed(await until_answered(place, KEY), first)

        assert [(first.body["message_id"], COST)] == Books(server.url()).answers()
        assert [(KEY, "done")] == Books(server.url()).keys()
    finally:
        server.close()


async def test_row_68_lost_reply_of_a_commit_completes_the_key_once(postgres_url: str) -> None:
    """A batch with and without completions was committed and its answer never came: all of it is found."""
    port = make_url(postgres_url).port
    assert port is not None
    async with LossyProxy.to(port) as proxy:
        store = create(store_config(postgres_url.replace(f":{port}/", f":{proxy.port}/")))
        await store.start()
        keys = [new_key(f"key {n}") for n in range(2)]
        records = [answered_chat(await claimed(store, key)) for key in keys] + [answered_chat(None)]
        proxy.lose_next_reply()
        await asyncio.gather(*map(store.journal.commit, records))
        outcomes = [await claim(store, key) for key in keys]
        await store.aclose()

    assert proxy.lost == 1
    for record, outcome in zip(records, outcomes, strict=False):
        assert record.completes is not None
        assert Answered(answer=record.completes.answer) == outcome
    assert sorted(record.messages[-1].id for record in records) == sorted(
        message_id for message_id, _ in Books(postgres_url).answers()
    )


async def test_row_79_killed_between_answer_and_commit(
    postgres_url: str, upstream: WireUpstream, may_answer: asyncio.Event, tmp_path: Path
) -> None:
    """Never acknowledged; the key is found interrupted, and works again; what is stored is charged once."""
    books = Books(postgres_url)
    may_answer.clear()
    async with served(tmp_path, postgres_url, upstream) as (died, process):
        asking = asyncio.ensure_future(died.chat(KEY))
        await until_asked(upstream)
        assert [(KEY, "in_flight")] == books.keys()
        with psycopg.connect(postgres_url) as blocking:
            blocking.execute("LOCK TABLE attempts IN ACCESS EXCLUSIVE MODE")  # no commit gets past it
            may_answer.set()
            await asyncio.sleep(0.3)
            process.send_signal(signal.SIGKILL)
            with pytest.raises(aiohttp.ClientError):
                await asking
            blocking.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    assert [] == books.answers()

    async with replica(postgres_url, upstream) as place:
        told = await place.chat(KEY)
        assert (told.status, told.body["code"]) == (409, "idempotency_key_in_flight")
        await books.until_keys((KEY, "interrupted"))
        first = await until_answered(place, KEY)
        assert (first.status, first.is_replay) == (200, False)
        assert_replayed(await place.chat(KEY), first)

    assert len(upstream.received) == 2
    assert [(first.body["message_id"], COST)] == books.answers()


async def test_row_80_killed_after_commit_and_before_the_reply(
    postgres_url: str, upstream: WireUpstream, may_answer: asyncio.Event, tmp_path: Path
) -> None:
    """The answer is there: the same key gives it, and nobody is asked again."""
    books = Books(postgres_url)
    port = make_url(postgres_url).port
    assert port is not None
    may_answer.clear()
    async with SlowProxy.to(port) as proxy:
        url = postgres_url.replace(f":{port}/", f":{proxy.port}/")
        async with served(tmp_path, url, upstream) as (died, process):
            asking = asyncio.ensure_future(died.chat(KEY))
            await until_asked(upstream)
            proxy.delay_s = float("inf")  # from here on it learns nothing of the database
            may_answer.set()
            await books.until_keys((KEY, "done"))
            process.send_signal(signal.SIGKILL)
            with pytest.raises(aiohttp.ClientError):
                await asking
    [(message_id, cost)] = books.answers()

    async with replica(postgres_url, upstream) as place:
        got = await place.chat(KEY)
    assert (got.status, got.is_replay, got.body["message_id"]) == (200, True, message_id)
    assert len(upstream.received) == 1
    assert [(message_id, cost)] == books.answers()
    assert cost == COST


async def test_row_79_stopped_process_is_taken_over_and_can_not_commit(
    postgres_url: str, upstream: WireUpstream, may_answer: asyncio.Event, tmp_path: Path
) -> None:
    """It wakes up after its lease with an answer in its hands: another one has gone ahead, and one is stored."""
    may_answer.clear()
    async with (
        served(tmp_path, postgres_url, upstream) as (stopped, process),
        replica(postgres_url, upstream) as place,
    ):
        asking = asyncio.ensure_future(stopped.chat(KEY))
        await until_asked(upstream)
        process.send_signal(signal.SIGSTOP)
        may_answer.set()
        first = await until_answered(place, KEY, within_s=LEASE_S + 10)
        process.send_signal(signal.SIGCONT)
        late = await asking
        again = await stopped.chat(KEY)

    assert (first.status, first.is_replay) == (200, False)
    assert (late.status, late.body["code"]) == (409, "idempotency_key_taken_over")
    assert "Retry-After" in late.headers
    assert_replayed(again, first)
    assert len(upstream.received) == 2
    assert [(first.body["message_id"], COST)] == Books(postgres_url).answers()


async def test_a_request_that_fails_gives_its_key_back(postgres_url: str, upstream: WireUpstream) -> None:
    """The upstream is broken, then well: the same key and body work at once."""
    well = upstream.reply

    async def broken(_request: object, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 400 X\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        return True

    async with replica(postgres_url, upstream) as place:
        upstream.reply = broken
        failed = await place.chat(KEY)
        upstream.reply = well
        got = await place.chat(KEY)

    assert failed.status == 400
    assert (got.status, got.is_replay) == (200, False)
    assert [(KEY, "done")] == Books(postgres_url).keys()


async def test_a_process_that_ends_gives_its_keys_back(
    postgres_url: str, upstream: WireUpstream, may_answer: asyncio.Event
) -> None:
    """A claim without a request, as a cut drain leaves it, does not wait for its lease."""
    async with replica(postgres_url, upstream) as place:
        assert place.application is not None
        guard = place.application.send_chat._admission.guard
        await guard.claim(DEFAULT_TENANT, IdempotencyKey(key=KEY, fingerprint="f"))
        assert [(KEY, "in_flight")] == Books(postgres_url).keys()

    assert [] == Books(postgres_url).keys()
