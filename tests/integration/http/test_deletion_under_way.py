"""A thread that is deleted while a chat of it is being answered, on both databases."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.keyed_chats import Replica, answering_after, replica
from tests.support.wire_upstream import wire_upstream


@pytest.fixture
async def may_answer() -> asyncio.Event:
    """Set; clear it, and the upstream waits."""
    event = asyncio.Event()
    event.set()
    return event


@pytest.fixture
async def place(database_url: str, may_answer: asyncio.Event) -> AsyncIterator[Replica]:
    async with wire_upstream(answering_after(may_answer)) as upstream:
        async with replica(database_url, upstream) as running:
            yield running


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("purge", [False, True])
async def test_chat_of_a_thread_that_is_deleted_meanwhile(
    place: Replica, may_answer: asyncio.Event, stream: bool, purge: bool
) -> None:
    """It is answered and counted, and unseen; of a purged thread nothing can be stored, and the chat says so."""
    thread_id = (await place.chat(None)).body["thread_id"]
    may_answer.clear()
    chat = asyncio.ensure_future(place.chat(None, thread_id=thread_id, stream=stream))
    await asyncio.sleep(0.3)
    query = "?purge=true" if purge else ""
    async with place.client.delete(f"{place.url}/threads/{thread_id}{query}") as deleted:
        pass
    may_answer.set()
    got = await chat
    async with place.client.get(f"{place.url}/threads/{thread_id}") as shown:
        pass
    async with place.client.get(f"{place.url}/usage?group_by=model") as report:
        counted = [row["requests"] for row in (await report.json())["items"]]

    assert (204, 404) == (deleted.status, shown.status)
    if purge:
        # A stream's 200 has gone out where its first event came before the answer was to be stored.
        assert (404, "not_found") == (got.body["status"], got.body["code"])
        assert [1] == counted  # the books keep what was answered before
    else:
        assert (200, thread_id) == (got.status, got.body["thread_id"])
        assert [2] == counted
