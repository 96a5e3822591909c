"""Sessions and threads over HTTP: opened, listed, changed, forked, deleted and continued."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.http import serving
from tests.support.thread_api import ThreadAPI, stored_thread

THREAD_FIELDS = ["id", "session_id", "title", "tags", "forked_from", "messages", "created_at", "updated_at"]


async def test_a_thread_is_opened_continued_and_shown(database_url: str, tmp_path: Path) -> None:
    """An empty one is continued by a chat, which remembers what was said in it."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        made = await api.post("/threads", {"user": "ada", "title": "Plans", "tags": ["b", "a", "b"]})
        thread = made.body
        first = await api.chat("My name is Ada.", thread_id=thread["id"])
        second = await api.chat("What is it?", thread_id=thread["id"].upper())
        shown = await api.get(f"/threads/{thread['id']}")
        session = await api.get(f"/sessions/{thread['session_id']}")

    assert (201, f"/threads/{thread['id']}") == (made.status, made.headers["Location"])
    assert THREAD_FIELDS == list(thread)
    assert ("Plans", ["a", "b"], None, 0) == (
        thread["title"], thread["tags"], thread["forked_from"], thread["messages"],
    )  # fmt: skip
    assert thread["session_id"] == first["session_id"] == second["session_id"]
    assert (0, 2) == (first["context"]["injected"], second["context"]["injected"])
    assert {**thread, "messages": 4, "updated_at": shown.body["updated_at"]} == shown.body
    assert made.etag != shown.etag
    assert {
        "id": thread["session_id"],
        "user": "ada",
        "created_at": session.body["created_at"],
    } == session.body


async def test_sessions_and_threads_are_listed_page_by_page(database_url: str, tmp_path: Path) -> None:
    """Newest first, none left out and none twice, whatever is made meanwhile."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        session = (await api.post("/sessions", {"user": "ada"})).body
        other = (await api.post("/sessions", {})).body
        made = [(await api.thread(session_id=session["id"]))["id"] for _ in range(5)]
        await api.thread(session_id=other["id"])
        seen: list[str] = []
        page: dict[str, Any] = {"next_cursor": ""}
        while page["next_cursor"] is not None:
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
            page = (await api.get(f"/sessions/{session['id']}/threads?limit=2{cursor}")).body
            seen += [each["id"] for each in page["items"]]
            await api.thread(session_id=session["id"])
        all_of_them = (await api.get("/threads")).body
        of_one = (await api.get(f"/threads?session_id={other['id']}")).body
        of_ada = (await api.get("/sessions?user=ada")).body
        first_page = (await api.get("/sessions?limit=1")).body
        second_page = (await api.get(f"/sessions?limit=1&cursor={first_page['next_cursor']}")).body

    assert made[::-1] == seen
    assert (9, None) == (len(all_of_them["items"]), all_of_them["next_cursor"])
    assert [other["id"]] == [each["session_id"] for each in of_one["items"]]
    assert {"items": [session], "next_cursor": None} == of_ada
    assert [other, session] == first_page["items"] + second_page["items"]
    assert second_page["next_cursor"] is None


async def test_threads_are_found_by_user_tag_and_last_activity(database_url: str, tmp_path: Path) -> None:
    """What an app shows of one user: where something was said last comes first."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        made = [(await api.thread(user="ada", tags=["a", f"n{n}"]))["id"] for n in range(4)]
        theirs = (await api.thread(user="bob", tags=["a"]))["id"]
        await api.chat("Hi", thread_id=made[1], user="ada")
        await api.patch(f"/threads/{made[0]}", {"tags": ["b"]})
        session = (await api.get(f"/threads/{made[2]}")).body["session_id"]

        async def ids(query: str) -> list[str]:
            seen: list[str] = []
            cursor: str | None = ""
            while cursor is not None:
                page = await api.get(f"{query}&limit=2" + (cursor and f"&cursor={cursor}"))
                assert page.status == 200, page.raw
                seen += [each["id"] for each in page.body["items"]]
                cursor = page.body["next_cursor"]
            return seen

        of_ada, by_activity = await ids("/threads?user=ada"), await ids("/threads?user=ada&order=updated")
        tagged, of_ada_tagged = (
            await ids("/threads?tag=a"),
            await ids("/threads?tag=a&user=ada&order=updated"),
        )
        moved, of_nobody = await ids("/threads?tag=b"), await ids("/threads?user=carol")
        of_session = await ids(f"/sessions/{session}/threads?order=updated&tag=n2")

    assert made[::-1] == of_ada
    assert [made[0], made[1], made[3], made[2]] == by_activity
    assert [theirs, made[3], made[2], made[1]] == tagged
    assert [made[1], made[3], made[2]] == of_ada_tagged
    assert ([made[0]], [], [made[2]]) == (moved, of_nobody, of_session)


async def test_a_thread_is_renamed_and_tagged(database_url: str, tmp_path: Path) -> None:
    """What is left out stays, null takes away, and whoever read an older state is told."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        path = f"/threads/{(await api.thread(title='Old', tags=['a']))['id']}"
        etag = (await api.get(path)).etag
        renamed = await api.patch(path, {"title": "New \N{SNOWMAN}"}, **{"If-Match": etag})
        late = await api.patch(path, {"title": "Late"}, **{"If-Match": etag})
        tagged = await api.patch(path, {"tags": ["c", "b"]})
        same = await api.patch(path, {"tags": ["b", "c"]}, **{"If-Match": tagged.etag})
        cleared = await api.patch(path, {"title": None, "tags": None})
        shown = await api.get(path)
        unchanged = await api.get(path, **{"If-None-Match": shown.etag})

    assert (200, "New \N{SNOWMAN}", ["a"]) == (renamed.status, renamed.body["title"], renamed.body["tags"])
    assert (412, "precondition_failed") == (late.status, late.code)
    assert ("New \N{SNOWMAN}", ["b", "c"]) == (tagged.body["title"], tagged.body["tags"])
    assert (tagged.body, tagged.etag) == (same.body, same.etag)
    assert (None, []) == (cleared.body["title"], cleared.body["tags"])
    assert cleared.body == shown.body
    assert (304, b"") == (unchanged.status, unchanged.raw)


async def test_a_thread_is_forked_and_both_go_on(database_url: str, tmp_path: Path) -> None:
    """The fork holds what was said up to the message, and its chats remember that."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        source = await api.thread(user="ada", title="Talk", tags=["a"])
        for prompt in ("One", "Two"):
            await api.chat(prompt, thread_id=source["id"])
        originals = await api.messages(source["id"])
        made = await api.post(f"/threads/{source['id']}/fork", {"message_id": originals[1]["id"]})
        fork = made.body
        on = await api.chat("Another two", thread_id=fork["id"])
        also = await api.chat("Three", thread_id=source["id"])
        copies = await api.messages(fork["id"])
        named = await api.post(
            f"/threads/{fork['id']}/fork", {"message_id": on["message_id"], "title": "Branch"}
        )

    assert (201, f"/threads/{fork['id']}") == (made.status, made.headers["Location"])
    assert (source["session_id"], "Talk", ["a"], originals[1]["id"], 2) == (
        fork["session_id"], fork["title"], fork["tags"], fork["forked_from"], fork["messages"],
    )  # fmt: skip
    assert (2, 4) == (on["context"]["injected"], also["context"]["injected"])
    assert [0, 1, 2, 3] == [each["position"] for each in copies]
    own = ("id", "thread_id", "parent_id", "copied_from")
    for copy, original in zip(copies[:2], originals, strict=False):
        assert original["id"] == copy["copied_from"]
        assert {**original, **{name: copy[name] for name in own}} == copy
    assert copies[0]["id"] == copies[1]["parent_id"]
    assert [None, None] == [each["copied_from"] for each in copies[2:]]
    assert ("Branch", 4) == (named.body["title"], named.body["messages"])


async def test_a_long_thread_is_forked(database_url: str, tmp_path: Path) -> None:
    """In one piece, however many portions it is copied in."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        last = await stored_thread(server.application, turns=70)
        path = f"/threads/{last.thread.id}/fork"
        made = await api.post(path, {"message_id": last.messages[0].id})
        copies = await api.messages(made.body["id"], "?limit=100")
        rest = await api.messages(made.body["id"], "?limit=100&order=desc")

    assert (201, 139) == (made.status, made.body["messages"])
    assert list(range(100)) == [each["position"] for each in copies]
    assert list(range(138, 38, -1)) == [each["position"] for each in rest]
    assert "Question 70" == rest[0]["content"]


@pytest.mark.parametrize("purge", [False, True])
async def test_a_deleted_thread_is_absent_everywhere(database_url: str, tmp_path: Path, purge: bool) -> None:
    """For reads, chats, forks, pins and lists; its session stays, and its forks."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        answer = await api.chat("One")
        thread, message = f"/threads/{answer['thread_id']}", f"/messages/{answer['message_id']}"
        fork = (await api.post(f"{thread}/fork", {"message_id": answer["message_id"]})).body
        gone = await api.delete(f"{thread}{'?purge=true' if purge else ''}")
        answers = [
            await api.get(thread),
            await api.get(f"{thread}/messages"),
            await api.get(f"{thread}/export"),
            await api.patch(thread, {"title": "x"}),
            await api.post(f"{thread}/fork", {"message_id": answer["message_id"]}),
            await api.get(message),
            await api.patch(message, {"pinned": True}),
            await api.delete(thread),
            await api.post("/chat", {"prompt": "Two", "thread_id": answer["thread_id"]}),
        ]
        left = (await api.get(f"/sessions/{answer['session_id']}/threads")).body
        purged_later = await api.delete(f"{thread}?purge=true")

    assert (204, b"") == (gone.status, gone.raw)
    assert [(404, "not_found")] * len(answers) == [(each.status, each.code) for each in answers]
    assert [fork["id"]] == [each["id"] for each in left["items"]]
    assert (404 if purge else 204) == purged_later.status


async def test_what_is_answered_fits_its_schema(database_url: str, tmp_path: Path) -> None:
    """Nothing is missing and nothing is undocumented; the documented examples of bodies are taken."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        document = (await api.get("/openapi.json")).body
        answer = await api.chat("One", metadata={"a": "b"}, user="ada")
        thread, message = f"/threads/{answer['thread_id']}", f"/messages/{answer['message_id']}"
        rated = await api.call("PUT", f"{message}/feedback", {"rating": 4, "comment": "good"})
        await api.post(f"{thread}/fork", {"message_id": answer["message_id"]})
        answers = {
            "SessionPage": await api.get("/sessions"),
            "Session": await api.get(f"/sessions/{answer['session_id']}"),
            "ThreadPage": await api.get("/threads"),
            "Thread": await api.get(thread),
            "MessagePage": await api.get(f"{thread}/messages"),
            "MessageDetail": await api.get(message),
            "StoredMessage": await api.patch(message, {"pinned": True}),
            "ThreadExport": await api.get(f"{thread}/export"),
        }
        for path, method in (("/sessions", "post"), ("/threads", "post"), ("/threads/{id}", "patch"),
                             ("/messages/{id}", "patch")):  # fmt: skip
            content = document["paths"][path][method]["requestBody"]["content"]["application/json"]
            where = path.replace("/threads/{id}", thread).replace("/messages/{id}", message)
            for name, example in content["examples"].items():
                taken = await api.call(method.upper(), where, example["value"])
                assert taken.status in (200, 201), (path, name, taken.raw)

    assert 200 == rated.status
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    for name, answered in answers.items():
        jsonschema.validate(
            answered.body,
            {"$ref": f"#/components/schemas/{name}", "components": document["components"]},
        )
