"""The native stream as a shell has it: curl, a kill, and curl again."""

import json
from typing import Any

import pytest

from tests.support.client_servers import Place
from tests.support.client_upstream import HALF, TEXT
from tests.support.curl_process import LAST_OF_HALF, Curl, chat, curl, text_of, whole_events
from tests.support.http import events_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def resumed(url: str, events: list[tuple[int, str, Any]]) -> Curl:
    """Reads on from the last of these events, to the end."""
    message_id = events[0][2]["message_id"]
    header = ("-H", f"Last-Event-ID: {events[-1][0]}")
    async with curl("-s", "-N", *header, f"{url}/chat/{message_id}/stream") as running:
        await running.read_on()
    return running


async def test_answer_streams(place: Place) -> None:
    """A start, the text, and the answer that is stored; ids rise."""
    async with curl(*chat(place.url, "say curl")) as running:
        events = events_of(await running.read_on())
    ids = [event_id for event_id, _, _ in events]

    assert TEXT == text_of(events)
    assert ("start", "done") == (events[0][1], events[-1][1])
    assert TEXT == events[-1][2]["output"]
    assert sorted(set(ids)) == ids


async def test_killed_curl_is_continued_by_another(place: Place) -> None:
    """From `Last-Event-ID`, byte for byte: while it is live, and once it is stored."""
    async with curl(*chat(place.url, "hold curl-killed")) as first:
        await first.read_until(LAST_OF_HALF)
        await first.kill()
    before = whole_events(first.seen)
    url = f"{place.url}/chat/{before[0][2]['message_id']}/stream"
    async with curl("-s", "-N", "-H", f"Last-Event-ID: {before[-1][0]}", url) as second:
        place.upstream.open("curl-killed")
        live = events_of(await second.read_on())
    stored = events_of((await resumed(place.url, before)).seen)

    assert TEXT == text_of(before) + text_of(live)
    assert TEXT == text_of(before) + text_of(stored)
    assert live[-1][1:] == stored[-1][1:]
    assert 1 == len(place.upstream.asked("hold curl-killed"))


async def test_resuming_at_every_event_loses_and_doubles_nothing(place: Place) -> None:
    """Wherever a reader was cut off."""
    async with curl(*chat(place.url, "say curl everywhere")) as running:
        events = events_of(await running.read_on())
    for at in range(0, len(events) - 1, 6):
        seen = events[: at + 1]
        rest = events_of((await resumed(place.url, seen)).seen)

        assert TEXT == text_of(seen) + text_of(rest)
        assert "done" == rest[-1][1]


async def test_stop_from_another_shell_ends_the_stream(place: Place) -> None:
    """The one that reads is told `stopped`, with the text so far; that is stored."""
    async with curl(*chat(place.url, "hold curl-stopped")) as running:
        await running.read_until(LAST_OF_HALF)
        message_id = whole_events(running.seen)[0][2]["message_id"]
        async with curl("-s", "-X", "POST", f"{place.url}/chat/{message_id}/stop") as other:
            stopped = json.loads(await other.read_on())
        events = events_of(await running.read_on())
    message = await place.message(message_id)

    assert message_id == stopped["message_id"]
    assert stopped["status"] in ("incomplete", "stopping")  # the latter where the end takes long to come
    assert (HALF, "done") == (text_of(events), events[-1][1])
    assert ("stopped", HALF) == (events[-1][2]["finish_reason"], events[-1][2]["output"])
    assert ("incomplete", HALF) == (message["status"], message["content"])
