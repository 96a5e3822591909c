"""Requests that are sent twice, over HTTP, on both databases."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from adapters.persistence import idempotency
from tests.support.gateway import parse_events
from tests.support.keyed_chats import BODY, Got, Replica, answering_after, replica
from tests.support.wire_upstream import WireUpstream, wire_upstream

KEY = "key-of-a-test"


@pytest.fixture
def may_answer() -> asyncio.Event:
    """Set; clear it, and the upstream waits."""
    event = asyncio.Event()
    event.set()
    return event


@pytest.fixture
async def upstream(may_answer: asyncio.Event) -> AsyncIterator[WireUpstream]:
    async with wire_upstream(answering_after(may_answer)) as running:
        yield running


@pytest.fixture
def long_lease(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No key comes free by itself while a test waits."""
    monkeypatch.setattr(idempotency, "LEASE_S", 600.0)
    idempotency._statements.cache_clear()
    yield
    idempotency._statements.cache_clear()


@pytest.fixture
async def place(database_url: str, upstream: WireUpstream) -> AsyncIterator[Replica]:
    async with replica(database_url, upstream) as running:
        yield running


async def asked(upstream: WireUpstream) -> None:
    async with asyncio.timeout(30):
        while not upstream.received:  # noqa: ASYNC110 - it only counts
            await asyncio.sleep(0.01)


async def length(place: Replica, thread_id: str) -> int:
    async with place.client.get(f"{place.url}/threads/{thread_id}/messages") as response:
        return len((await response.json())["items"])


def outcome(got: Got) -> tuple[int, str | None]:
    return got.status, None if got.status == 200 else got.body["code"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "schlüssel"])
async def test_a_header_that_is_no_key_is_refused_by_name(
    place: Replica, upstream: WireUpstream, key: str
) -> None:
    """Before anything is asked or stored, and without showing what was sent."""
    got = await place.chat(key)

    assert (400, "invalid_request") == outcome(got)
    assert ["Idempotency-Key"] == [fault["path"] for fault in got.body["errors"]]
    assert [] == upstream.received


async def test_two_keys_are_none(place: Replica, upstream: WireUpstream) -> None:
    """Even where both are the same."""
    headers = [("Idempotency-Key", KEY), ("Idempotency-Key", KEY)]
    async with place.client.post(f"{place.url}/chat", json=dict(BODY), headers=headers) as response:
        problem = await response.json()

    assert (response.status, problem["errors"][0]["path"]) == (400, "Idempotency-Key")
    assert [] == upstream.received


async def test_a_replay_is_the_same_answer_in_the_form_that_is_asked_for(
    place: Replica, upstream: WireUpstream
) -> None:
    """The order of fields makes no difference, nor whether the answer is wanted as a stream by its header."""
    first = await place.chat(KEY, metadata={"a": "1", "b": "2"})
    again = await place.chat(KEY, metadata={"b": "2", "a": "1"})
    body = {**BODY, "metadata": {"a": "1", "b": "2"}}
    headers = {"Idempotency-Key": KEY, "Accept": "text/event-stream"}
    async with place.client.post(f"{place.url}/chat", json=body, headers=headers) as response:
        events = parse_events(await response.read())

    assert first.body == again.body
    assert (first.is_replay, again.is_replay) == (False, True)
    assert response.headers["Idempotency-Replayed"] == "true"
    assert ["start", "done"] == [events[0][0], events[-1][0]]
    assert first.body == events[-1][1]
    assert first.body["output"] == "".join(data["text"] for kind, data in events if kind == "delta")
    assert len(upstream.received) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_whoever_could_not_read_the_one_form_may_ask_for_the_other(
    place: Replica, upstream: WireUpstream, stream: bool
) -> None:
    """By the body's own field, which is no part of what was asked."""
    first = await place.chat(KEY, stream=stream)
    again = await place.chat(KEY, stream=not stream, on_disconnect="cancel")

    assert (200, 200, True) == (first.status, again.status, again.is_replay)
    assert len(upstream.received) == 1


async def test_a_replay_adds_nothing_to_its_thread(place: Replica, upstream: WireUpstream) -> None:
    """A continued thread grows by one exchange, however often the request is sent."""
    thread_id = (await place.chat(None)).body["thread_id"]
    got = [await place.chat(KEY, thread_id=thread_id, prompt="And now?") for _ in range(4)]

    assert [False, True, True, True] == [each.is_replay for each in got]
    assert len({each.raw for each in got[1:]}) == 1
    assert await length(place, thread_id) == 4
    assert len(upstream.received) == 2


async def test_answers_outlive_the_process(database_url: str, upstream: WireUpstream, place: Replica) -> None:
    """Another one gives them again."""
    first = await place.chat(KEY)
    async with replica(database_url, upstream) as another:
        again = await another.chat(KEY)

    assert again.is_replay
    assert first.body == again.body
    assert len(upstream.received) == 1


@pytest.mark.parametrize(("stream", "again"), [(False, False), (False, True), (True, False)])
async def test_a_second_request_meanwhile_is_told_at_once(
    place: Replica, upstream: WireUpstream, may_answer: asyncio.Event, stream: bool, again: bool
) -> None:
    """409 as a problem unless both are streams, even in a thread whose chats would queue."""
    thread_id = (await place.chat(None)).body["thread_id"]
    may_answer.clear()
    upstream.received.clear()
    events = {"Accept": "text/event-stream"}
    first = asyncio.ensure_future(place.chat(KEY, thread_id=thread_id, headers=events if stream else None))
    await asked(upstream)
    async with asyncio.timeout(30):
        second = await place.chat(KEY, thread_id=thread_id, headers=events if again else None)
        other = await place.chat(KEY, thread_id=thread_id, headers=events if again else None, prompt="No")
    may_answer.set()

    assert (409, "idempotency_key_in_flight") == outcome(second)
    assert second.headers["Content-Type"].startswith("application/problem+json")
    assert second.body["retryable"] is True
    assert 1 <= int(second.headers["Retry-After"]) <= 2
    assert (422, "idempotency_key_reused") == outcome(other)
    assert (await first).status == 200
    assert KEY.encode() not in second.raw + other.raw


async def test_a_second_stream_meanwhile_is_the_first_one(
    place: Replica, upstream: WireUpstream, may_answer: asyncio.Event
) -> None:
    """Whether it comes before the first event or later: one call, and all events for both, byte for byte."""
    may_answer.clear()
    first = asyncio.ensure_future(place.chat(KEY, stream=True))
    await asked(upstream)
    second = asyncio.ensure_future(place.chat(KEY, stream=True))
    other = await place.chat(KEY, stream=True, prompt="No")
    may_answer.set()
    one, two = await first, await second

    assert (200, 200) == (one.status, two.status)
    assert one.raw == two.raw
    assert one.headers["x-lor3-message-id"] == one.body["message_id"] == two.headers["x-lor3-message-id"]
    assert (422, "idempotency_key_reused") == outcome(other)
    assert len(upstream.received) == 1


async def test_a_caller_who_left_finds_the_answer(
    place: Replica, upstream: WireUpstream, may_answer: asyncio.Event
) -> None:
    """The chat goes on without its caller, and so does its key."""
    may_answer.clear()
    leaving = asyncio.ensure_future(place.chat(KEY))
    await asked(upstream)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (409, "idempotency_key_in_flight") == outcome(await place.chat(KEY))
    may_answer.set()

    async with asyncio.timeout(10):
        while (got := await place.chat(KEY)).status == 409:  # noqa: ASYNC110 - it is told to come again
            await asyncio.sleep(0.05)
    assert got.is_replay
    assert len(upstream.received) == 1


async def test_a_chat_that_its_caller_cuts_frees_its_key(
    long_lease: None, place: Replica, upstream: WireUpstream, may_answer: asyncio.Event
) -> None:
    """With `on_disconnect: cancel`: the same request is answered anew."""
    may_answer.clear()
    leaving = asyncio.ensure_future(place.chat(KEY, on_disconnect="cancel"))
    await asked(upstream)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    may_answer.set()

    async with asyncio.timeout(30):  # the lease is far longer
        while (got := await place.chat(KEY, on_disconnect="cancel")).status == 409:  # noqa: ASYNC110 - it is told to come again
            await asyncio.sleep(0.05)
    assert (200, False) == (got.status, got.is_replay)
    assert len(upstream.received) == 2


async def test_a_request_that_cannot_be_served_leaves_its_key_free(
    place: Replica, upstream: WireUpstream
) -> None:
    """Mended, it may be sent with the same key: nothing came of the first."""
    refused = [
        await place.chat(KEY, temperature="warm"),
        await place.chat(KEY, thread_id="0193a2c4-7d1e-7000-8000-000000000001"),
        await place.chat(KEY, model="nobody:nothing"),
    ]
    got = await place.chat(KEY)

    assert all(400 <= each.status < 500 and each.status not in (409, 422) for each in refused)
    assert (200, False) == (got.status, got.is_replay)
    assert len(upstream.received) == 1
