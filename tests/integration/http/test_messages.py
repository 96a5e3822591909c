"""Messages over HTTP: read either way, sent back, pinned."""

import asyncio
from pathlib import Path

import attrs
import pytest

from domain.message import ImagePart, Message, TextPart, ToolCall
from tests.support.http import serving
from tests.support.thread_api import ThreadAPI, stored_thread, stored_turns

FIELDS = [
    "id", "thread_id", "position", "role", "content", "status", "error_code", "format", "model", "prompt_version",
    "prompt_label", "finish_reason", "tool_calls", "tool_call_id", "usage", "cost_usd", "latency_ms", "parent_id",
    "pinned", "copied_from", "rating", "feedback", "metadata", "created_at",
]  # fmt: skip


async def test_a_message_shows_how_it_came_to_be(database_url: str, tmp_path: Path) -> None:
    """The answer with its model, tokens and attempts; the caller's turn without."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        answer = await api.chat("Hello", metadata={"channel": "web"}, format="markdown")
        asked, answered = await api.messages(answer["thread_id"])
        shown = (await api.get(f"/messages/{answer['message_id'].upper()}")).body
        turn = (await api.get(f"/messages/{asked['id']}")).body

    assert FIELDS == list(asked) == list(answered)
    assert {**answered, "attempts": shown["attempts"]} == shown
    assert {**asked, "attempts": []} == turn
    assert ("user", "Hello", 0, None, None) == (
        asked["role"], asked["content"], asked["position"], asked["model"], asked["usage"],
    )  # fmt: skip
    assert (answer["message_id"], answer["output"], 1, "complete", asked["id"]) == (
        answered["id"], answered["content"], answered["position"], answered["status"], answered["parent_id"],
    )  # fmt: skip
    for name in ("format", "model", "usage", "cost_usd", "finish_reason", "tool_calls", "prompt_version"):
        assert answer[name] == answered[name], name
    assert {"channel": "web"} == answered["metadata"]
    assert [each["model"] for each in answer["attempts"]] == [each["model"] for each in shown["attempts"]]


async def test_messages_are_paged_either_way(database_url: str, tmp_path: Path) -> None:
    """None is left out and none comes twice, while the thread grows."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        thread = (await stored_thread(server.application, turns=6)).thread.id
        seen: dict[str, list[int]] = {"asc": [], "desc": []}
        cursors: dict[str, str] = {}
        for order, positions in seen.items():
            page = {"next_cursor": ""}
            while page["next_cursor"] is not None:
                cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
                path = f"/threads/{thread}/messages?limit=4&order={order}{cursor}"
                page = (await api.get(path)).body
                positions += [each["position"] for each in page["items"]]
                cursors.setdefault(order, page["next_cursor"])
                if order == "desc":
                    await api.chat("More", thread_id=thread)
        crossed = await api.get(f"/threads/{thread}/messages?order=desc&cursor={cursors['asc']}")
        unnamed = await api.get(f"/threads/{thread}/messages?cursor={cursors['desc']}")

    assert list(range(12)) == seen["asc"]
    assert list(range(11, -1, -1)) == seen["desc"]
    assert [(400, ["cursor"])] * 2 == [(each.status, each.paths) for each in (crossed, unnamed)]


async def test_a_message_can_be_sent_back_as_it_came(database_url: str, tmp_path: Path) -> None:
    """Texts, parts, images, calls of tools and their results."""
    call = ToolCall(id="call_1", name="look", arguments='{"at": "it"}')
    image = ImagePart(data="iVBORw0KGgo=", media_type="image/png", detail="low")
    turns = (
        Message.of("user", "Look at it"),
        Message(role="assistant", tool_calls=(call,)),
        attrs.evolve(Message.of("tool", ""), tool_call_id="call_1"),
        Message.of("assistant", "Done."),
        Message(
            role="user",
            parts=(
                TextPart(text="And "),
                TextPart(text="this?"),
                image,
                ImagePart(url="https://example.com/a.png"),
            ),
        ),
    )
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        stored = await stored_turns(server.application, *((turn, "complete") for turn in turns))
        shown = await api.messages(stored[0].thread_id)
        fields = ("role", "content", "tool_calls", "tool_call_id")
        sent = [{name: each[name] for name in fields} for each in shown]
        again = await api.post("/chat", {"messages": sent})
        back = await api.messages(again.body["thread_id"])

    assert ["Look at it", None, "", "Done."] == [each["content"] for each in shown[:4]]
    assert [
        {"type": "text", "text": "And "},
        {"type": "text", "text": "this?"},
        {"type": "image", "data": "iVBORw0KGgo=", "media_type": "image/png", "detail": "low"},
        {"type": "image", "url": "https://example.com/a.png"},
    ] == shown[4]["content"]
    assert 200 == again.status, again.raw
    assert shown[4]["content"] == back[-2]["content"]


async def test_a_failed_answer_is_shown_as_one(database_url: str, tmp_path: Path) -> None:
    """With its code and without a text."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        stored = await stored_turns(
            server.application,
            (Message.of("user", "Hello"), "complete"),
            (Message(role="assistant"), "failed"),
        )
        _, failed = await api.messages(stored[0].thread_id)
        pinned = await api.patch(f"/messages/{failed['id']}", {"pinned": True})

    assert ("failed", "") == (failed["status"], failed["content"])
    assert (409, "conflict") == (pinned.status, pinned.code)


async def test_a_pinned_exchange_stays_in_the_memory(database_url: str, tmp_path: Path) -> None:
    """Whatever the depth, until it is let go."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        answer = await api.chat("My name is Ada.")
        thread = answer["thread_id"]
        for prompt in ("Two", "Three"):
            await api.chat(prompt, thread_id=thread)
        pinned = await api.patch(f"/messages/{answer['message_id']}", {"pinned": True})
        shown = [each["pinned"] for each in await api.messages(thread)]
        kept = await api.chat("Four", thread_id=thread, context_depth=2)
        let_go = await api.patch(f"/messages/{answer['message_id']}", {"pinned": False})
        lost = await api.chat("Five", thread_id=thread, context_depth=2)

    assert (200, True) == (pinned.status, pinned.body["pinned"])
    assert [True, True, False, False, False, False] == shown
    assert (4, 2) == (kept["context"]["injected"], lost["context"]["injected"])
    assert False is let_go.body["pinned"]


async def test_no_more_than_a_hundred_messages_are_pinned_at_once(postgres_url: str, tmp_path: Path) -> None:
    """By two replicas at the same time."""
    async with (
        serving(tmp_path, database_url=postgres_url) as first,
        serving(tmp_path, database_url=postgres_url) as second,
    ):
        apis = (ThreadAPI(first), ThreadAPI(second))
        thread = (await stored_thread(first.application, turns=55)).thread.id
        items = await apis[0].messages(thread, "?limit=100")
        items += await apis[0].messages(thread, "?limit=10&order=desc")
        answers = [each["id"] for each in items if each["role"] == "assistant"]
        pins = await asyncio.gather(
            *(
                apis[number % 2].patch(f"/messages/{message}", {"pinned": True})
                for number, message in enumerate(answers)
            )
        )
        busy = [message for message, each in zip(answers, pins, strict=True) if each.status == 503]
        pins += [await apis[0].patch(f"/messages/{message}", {"pinned": True}) for message in busy]
        pinned = [
            each["pinned"]
            for query in ("?limit=100", "?limit=10&order=desc")
            for each in await apis[1].messages(thread, query)
        ]

    assert 55 == len(answers)
    assert {200, 409, 503} >= {each.status for each in pins}
    assert 100 == sum(pinned)


@pytest.mark.parametrize("depth", [0, 4])
async def test_pinning_changes_no_position(depth: int, database_url: str, tmp_path: Path) -> None:
    """Nor the thread's ETag: nothing that it shows has changed."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        record = await stored_thread(server.application, turns=depth + 1)
        path = f"/threads/{record.thread.id}"
        before = await api.get(path)
        await api.patch(f"/messages/{record.messages[1].id}", {"pinned": True})
        after = await api.get(path)
        positions = [each["position"] for each in await api.messages(record.thread.id)]

    assert (before.etag, before.body) == (after.etag, after.body)
    assert list(range(2 * depth + 2)) == positions
