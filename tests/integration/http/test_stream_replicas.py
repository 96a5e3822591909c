"""Two servers on one Redis and one database: an answer that one makes can be read on, stopped and found on the other."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import redis.asyncio

from adapters.cache import event_reader
from adapters.cache.live_answer_keys import LEASE_S
from tests.support.dripping import Drip, StreamClient, streaming
from tests.support.keyed_chats import BODY, Replica, replica, served
from tests.support.waiting import eventually
from tests.support.wire_upstream import WireUpstream, wire_upstream


@attrs.frozen(kw_only=True)
class Two:
    """One that answers are made on, and another."""

    here: Replica
    there: Replica
    upstream: WireUpstream
    drip: Drip

    def chat(self, at: Replica, *texts: str, **headers: str) -> AbstractAsyncContextManager[StreamClient]:
        """One that is answered with these texts, and does not end yet."""
        self.drip.say(*texts)
        body = BODY | {"stream": True}
        return streaming(at.client, "POST", f"{at.url}/chat", json=body, headers=headers)

    def resume(self, at: Replica, message_id: str, seen: int) -> AbstractAsyncContextManager[StreamClient]:
        url = f"{at.url}/chat/{message_id}/stream"
        return streaming(at.client, "GET", url, headers={"Last-Event-ID": str(seen)})

    async def stored(self, message_id: str) -> dict[str, Any]:
        async with self.there.client.get(f"{self.there.url}/messages/{message_id}") as response:
            found: dict[str, Any] = await response.json()
            return found


@pytest.fixture
async def two(postgres_url: str, redis_url: str) -> AsyncIterator[Two]:
    async with replicas(postgres_url, redis_url) as found:
        yield found


@asynccontextmanager
async def replicas(postgres_url: str, redis_url: str) -> AsyncIterator[Two]:
    drip = Drip()
    async with (
        wire_upstream(drip) as upstream,
        replica(postgres_url, upstream, redis_url=redis_url) as here,
        replica(postgres_url, upstream, redis_url=redis_url) as there,
    ):
        yield Two(here=here, there=there, upstream=upstream, drip=drip)


async def begun(client: StreamClient) -> str:
    """The id of the answer, once it has begun."""
    await client.until(lambda events: bool(events))
    message_id: str = client.events[0][2]["message_id"]
    return message_id


async def test_a_stream_is_read_on_at_the_other_replica(two: Two) -> None:
    """Its connection was cut in the middle: the text is the same, byte for byte, and ids go on."""
    pieces = [f"{number} wörd\n\n\U0001f600 " for number in range(40)]
    async with two.chat(two.here, *pieces[:10]) as first:
        message_id = await begun(first)
        await first.until_text("".join(pieces[:10]))
        first.cut()
    two.drip.say(*pieces[10:20])
    async with two.resume(two.there, message_id, seen=first.events[-1][0]) as second:
        await second.until_text("".join(pieces[10:20]))
        two.drip.say(*pieces[20:], None)
        await second.rest()
    ids = [number for number, _, _ in (*first.events, *second.events)]
    stored = await two.stored(message_id)

    assert "".join(pieces) == first.text + second.text
    assert sorted(set(ids)) == ids
    assert "done" == second.events[-1][1]
    assert "".join(pieces) == second.events[-1][2]["output"]
    assert ("complete", "".join(pieces)) == (stored["status"], stored["content"])


async def test_every_place_to_resume_from_gives_the_same(two: Two) -> None:
    """While the answer grows, at both replicas, and when it has ended."""
    async with two.chat(two.here, "Hello", ", wörld", "!") as first:
        message_id = await begun(first)
        await first.until_text("Hello, wörld!")
        async with (
            two.resume(two.here, message_id, 4) as own,
            two.resume(two.there, message_id, 4) as foreign,
            two.resume(two.there, message_id, 0) as whole,
        ):
            await asyncio.gather(
                own.until_text("lo, wörld!"),
                foreign.until_text("lo, wörld!"),
                whole.until_text("Hello, wörld!"),
            )
            two.drip.say(" Bye.", None)
            ended = [await each.rest() for each in (first, own, foreign, whole)]
    async with two.resume(two.there, message_id, 4) as late:
        ended.append(await late.rest())

    assert 1 == len({repr(each[-1]) for each in ended})
    assert ended[0] == ended[3]
    assert ["lo, wörld! Bye."] * 3 == [own.text, foreign.text, late.text]


async def test_a_stop_at_the_other_replica_ends_the_upstream(two: Two) -> None:
    """At once, and what there is is kept as incomplete."""
    async with two.chat(two.here, "Hello") as first:
        message_id = await begun(first)
        await first.until_text("Hello")
        leaves = asyncio.create_task(eventually(two.upstream.clients_are_gone))
        async with two.there.client.post(f"{two.there.url}/chat/{message_id}/stop") as response:
            said = (response.status, await response.json())
        await leaves
        events = await first.rest()
    stored = await two.stored(message_id)

    assert (200, {"message_id": message_id, "status": "incomplete", "stopped": True}) == said
    assert ("done", "stopped") == (events[-1][1], events[-1][2]["finish_reason"])
    assert ("incomplete", "Hello") == (stored["status"], stored["content"])


async def test_a_second_request_with_the_key_reads_the_first_ones_stream(two: Two) -> None:
    """At the other replica, from its beginning; the provider is asked once."""
    async with two.chat(two.here, "Hello", **{"Idempotency-Key": "k"}) as first:
        await first.until_text("Hello")
        async with two.chat(two.there, **{"Idempotency-Key": "k"}) as second:
            await second.until_text("Hello")
            two.drip.say(", world", None)
            both = await asyncio.gather(first.rest(), second.rest())

    assert both[0] == both[1]
    assert "Hello, world" == second.text


async def test_readers_of_a_replica_that_was_killed_are_told(
    postgres_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an error, once its lease is over: never with silence, and never as if the answer were whole."""
    monkeypatch.setattr(event_reader, "GONE_S", 0.5)
    monkeypatch.setattr(event_reader, "_SURE_S", 0.2)
    drip = Drip()
    async with (
        wire_upstream(drip) as upstream,
        served(tmp_path, postgres_url, upstream, redis_url=redis_url) as (here, process),
        replica(postgres_url, upstream, redis_url=redis_url) as there,
        redis.asyncio.Redis.from_url(redis_url) as client,
    ):
        both = Two(here=here, there=there, upstream=upstream, drip=drip)
        async with both.chat(here, "Hello") as first:
            message_id = await begun(first)
            await first.until_text("Hello")
            async with both.resume(there, message_id, 0) as second:
                await second.until_text("Hello")
                process.send_signal(signal.SIGKILL)
                first.cut()
                for key in await client.keys("lor3:live:*"):
                    assert 0 < await client.pttl(key) <= LEASE_S * 1000
                    await client.pexpire(key, 200)  # the rest of the lease, at once
                events = await second.rest()

    assert "Hello" == second.text
    assert ("error", "answer_interrupted") == (events[-1][1], events[-1][2]["code"])
