"""Two servers on one PostgreSQL: what one does to a thread, the other keeps to."""

import asyncio
from pathlib import Path

from tests.support.http import serving
from tests.support.thread_api import ThreadAPI, stored_thread


async def test_a_thread_goes_on_on_either_replica(postgres_url: str, tmp_path: Path) -> None:
    """What one answers the other remembers, lists, forks and deletes at once."""
    async with (
        serving(tmp_path, database_url=postgres_url) as first,
        serving(tmp_path, database_url=postgres_url) as second,
    ):
        here, there = ThreadAPI(first), ThreadAPI(second)
        thread = await here.thread(user="ada")
        path = f"/threads/{thread['id']}"
        answer = await there.chat("One", thread_id=thread["id"])
        again = await here.chat("Two", thread_id=thread["id"])
        renamed = await there.patch(path, {"title": "Talk"})
        shown = await here.get(path)
        fork = (await here.post(f"{path}/fork", {"message_id": answer["message_id"]})).body
        forked = await there.chat("Other", thread_id=fork["id"])
        gone = await there.delete(path)
        absent = await here.get(path)
        refused = await here.post("/chat", {"prompt": "Three", "thread_id": thread["id"]})

    assert (2, 2) == (again["context"]["injected"], forked["context"]["injected"])
    assert (renamed.body, renamed.etag) == (shown.body, shown.etag)
    assert [204, 404, 404] == [gone.status, absent.status, refused.status]


async def test_of_two_that_change_a_thread_one_is_told(postgres_url: str, tmp_path: Path) -> None:
    """With the same ETag, on two replicas; without one, both change it and nothing is lost."""
    async with (
        serving(tmp_path, database_url=postgres_url) as first,
        serving(tmp_path, database_url=postgres_url) as second,
    ):
        apis = (ThreadAPI(first), ThreadAPI(second))
        path = f"/threads/{(await apis[0].thread())['id']}"
        for number in range(6):
            etag = (await apis[0].get(path)).etag
            answers = await asyncio.gather(
                *(
                    api.patch(path, {"title": f"{number} {index}"}, **{"If-Match": etag})
                    for index, api in enumerate(apis)
                )
            )

            assert [200, 412] == sorted(each.status for each in answers)
        both = await asyncio.gather(
            apis[0].patch(path, {"title": "both"}), apis[1].patch(path, {"tags": ["both"]})
        )
        shown = (await apis[0].get(path)).body

    assert [200, 200] == [each.status for each in both]
    assert ("both", ["both"]) == (shown["title"], shown["tags"])


async def test_a_fork_is_whole_while_its_source_grows(postgres_url: str, tmp_path: Path) -> None:
    """It holds exactly what came up to its message, however many chats and forks there are at once."""
    async with (
        serving(tmp_path, database_url=postgres_url) as first,
        serving(tmp_path, database_url=postgres_url) as second,
    ):
        here, there = ThreadAPI(first), ThreadAPI(second)
        record = await stored_thread(first.application, turns=60)
        path = f"/threads/{record.thread.id}"
        last = {"message_id": record.messages[-1].id}

        async def grow() -> None:
            for number in range(5):
                await there.chat(f"More {number}", thread_id=record.thread.id)

        forks, _ = await asyncio.gather(
            asyncio.gather(here.post(f"{path}/fork", last), there.post(f"{path}/fork", last)), grow()
        )
        lengths = [
            [each["position"] for each in await here.messages(fork.body["id"], "?order=desc&limit=100")]
            for fork in forks
        ]
        grown = (await here.get(path)).body

    assert [201, 201] == [fork.status for fork in forks]
    assert [list(range(119, 19, -1))] * 2 == lengths
    assert 130 == grown["messages"]


async def test_a_thread_is_deleted_once(postgres_url: str, tmp_path: Path) -> None:
    """Of two that delete or purge it at the same time one finds it absent, and chats meanwhile break nothing."""
    async with (
        serving(tmp_path, database_url=postgres_url) as first,
        serving(tmp_path, database_url=postgres_url) as second,
    ):
        here, there = ThreadAPI(first), ThreadAPI(second)
        for query in ("", "?purge=true"):
            thread = (await here.chat("One"))["thread_id"]
            path = f"/threads/{thread}{query}"
            here_gone, there_gone, chat = await asyncio.gather(
                here.delete(path),
                there.delete(path),
                there.post("/chat", {"prompt": "Two", "thread_id": thread}),
            )

            assert [204, 404] == sorted((here_gone.status, there_gone.status))
            assert chat.status in (200, 404)
            assert 404 == (await here.get(f"/threads/{thread}")).status
