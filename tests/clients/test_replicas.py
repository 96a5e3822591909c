"""Two replicas on one PostgreSQL and one Redis: what one began, a client goes on reading at the other."""

import json

import pytest

from tests.support.client_servers import Replicas
from tests.support.client_upstream import HALF, TEXT
from tests.support.curl_process import LAST_OF_HALF, chat, curl, text_of, whole_events
from tests.support.http import events_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_curl_goes_on_at_the_other_replica(replicas: Replicas) -> None:
    """Its connection to the first is cut while that answers; the two parts are the provider's text."""
    here, there = replicas.here, replicas.there
    async with curl(*chat(here.url, "hold curl-moves")) as first:
        await first.read_until(LAST_OF_HALF)
        await first.kill()
    before = whole_events(first.seen)
    message_id = before[0][2]["message_id"]
    url = f"{there.url}/chat/{message_id}/stream"
    async with curl("-s", "-N", "-H", f"Last-Event-ID: {before[-1][0]}", url) as second:
        await second.read_until(b"\n")
        here.upstream.open("curl-moves")
        after = events_of(await second.read_on())
    message = await there.message(message_id)

    assert TEXT == text_of(before) + text_of(after)
    assert ("done", TEXT) == (after[-1][1], after[-1][2]["output"])
    assert ("complete", TEXT) == (message["status"], message["content"])
    assert 1 == len(here.upstream.asked("hold curl-moves"))


async def test_curl_stops_what_the_other_replica_makes(replicas: Replicas) -> None:
    """What was said so far is stored, and whoever reads is told."""
    here, there = replicas.here, replicas.there
    async with curl(*chat(here.url, "hold curl-stops")) as running:
        await running.read_until(LAST_OF_HALF)
        message_id = whole_events(running.seen)[0][2]["message_id"]
        async with curl("-s", "-X", "POST", f"{there.url}/chat/{message_id}/stop") as other:
            stopped = json.loads(await other.read_on())
        events = events_of(await running.read_on())
    message = await there.message(message_id)

    assert message_id == stopped["message_id"]
    assert ("stopped", HALF) == (events[-1][2]["finish_reason"], text_of(events))
    assert ("incomplete", HALF) == (message["status"], message["content"])


@pytest.mark.parametrize("major", ["7", "6", "5"])
async def test_page_goes_on_at_the_other_replica(replicas: Replicas, major: str) -> None:
    """The AI SDK, loaded again: its messages and its stream come from the replica that does not answer."""
    name = f"moves{major}"
    found = await replicas.here.run("ui", major, "reload", name, replicas.there.url)

    assert ("assistant", TEXT) == tuple(found["after"]["messages"][-1][each] for each in ("role", "text"))
    assert ("ready", None) == (found["after"]["status"], found["after"]["error"])
    assert TEXT == found["again"]["messages"][-1]["text"]
    assert 1 == len(replicas.here.upstream.asked(f"hold {name}"))


async def test_page_stops_what_the_other_replica_makes(replicas: Replicas) -> None:
    """By the client's own id of the chat."""
    found = await replicas.here.run("ui", "7", "stop", "stops7", replicas.there.url)

    assert found["stopped"]["http"] in (200, 202)
    assert HALF == found["after"]["messages"][1]["text"]
    assert [] == found["after"]["errors"]
