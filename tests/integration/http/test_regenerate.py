"""`POST /messages/{id}/regenerate` over a real socket."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.http import serving
from tests.support.prompt_api import Answered, PromptAPI


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[PromptAPI]:
    async with serving(tmp_path) as server:
        yield PromptAPI(server)


async def chat(api: PromptAPI, prompt: str, **fields: object) -> Answered:
    answered = await api.call("POST", "/chat", {"prompt": prompt, **fields})
    assert answered.status == 200
    return answered


async def messages_of(api: PromptAPI, thread_id: str) -> list[dict[str, object]]:
    items: list[dict[str, object]] = (await api.get(f"/threads/{thread_id}/messages")).body["items"]
    return items


async def test_without_a_body_it_is_answered_as_configured(api: PromptAPI) -> None:
    """The new answer is added to the thread, with the same parent and the next position."""
    first = (await chat(api, "Hello?")).body
    second = await api.call("POST", f"/messages/{first['message_id']}/regenerate")

    assert second.status == 200
    assert second.body["thread_id"] == first["thread_id"]
    assert second.body["message_id"] != first["message_id"]
    turn, one, two = await messages_of(api, first["thread_id"])
    assert [message["position"] for message in (turn, one, two)] == [0, 1, 2]
    assert one["parent_id"] == two["parent_id"] == turn["id"]


async def test_it_takes_what_a_chat_takes(api: PromptAPI) -> None:
    """A format for one, and a stream."""
    first = (await chat(api, "Hello?")).body
    path = f"/messages/{first['message_id']}/regenerate"
    as_json = await api.call("POST", path, {"format": "json", "metadata": {"why": "shorter"}})
    streamed = await api.call("POST", f"/messages/{as_json.body['message_id']}/regenerate", {"stream": True})

    assert (as_json.status, as_json.body["format"]) == (200, "json")
    assert streamed.headers["Content-Type"].startswith("text/event-stream")
    assert b"event: done" in streamed.raw


@pytest.mark.parametrize("field", ["prompt", "messages", "thread_id", "session_id", "user"])
async def test_what_is_the_thread_s_own_can_not_be_given(api: PromptAPI, field: str) -> None:
    """The question, its thread and its user are those of the answer."""
    first = (await chat(api, "Hello?")).body
    refused = await api.call("POST", f"/messages/{first['message_id']}/regenerate", {field: "x"})

    assert (refused.status, refused.paths) == (400, [field])


async def test_every_fault_is_named_at_once(api: PromptAPI) -> None:
    """Those of the body and those that only the configuration knows."""
    first = (await chat(api, "Hello?")).body
    refused = await api.call(
        "POST", f"/messages/{first['message_id']}/regenerate", {"temperature": 9, "model": "nobody:x"}
    )

    assert sorted(refused.paths) == ["model", "temperature"]


async def test_earlier_answer_is_a_conflict_and_a_turn_no_answer(api: PromptAPI) -> None:
    """The first says to fork, the second which answer it has."""
    first = (await chat(api, "Hello?")).body
    await chat(api, "And?", thread_id=first["thread_id"])
    turn = (await messages_of(api, first["thread_id"]))[2]
    earlier = await api.call("POST", f"/messages/{first['message_id']}/regenerate")
    no_answer = await api.call("POST", f"/messages/{turn['id']}/regenerate")

    assert (earlier.status, earlier.code) == (409, "conflict")
    assert "fork" in earlier.body["detail"]
    assert no_answer.status == 400
    assert f"name {turn_after(await messages_of(api, first['thread_id']), turn)}" in no_answer.body["detail"]


def turn_after(messages: list[dict[str, object]], turn: dict[str, object]) -> object:
    return messages[messages.index(turn) + 1]["id"]


async def test_answer_that_was_made_again_names_the_one_in_its_place(api: PromptAPI) -> None:
    """Forking is not what a caller who holds the old id wants; a failed answer in its place is one too."""
    first = (await chat(api, "Hello?")).body
    path = f"/messages/{first['message_id']}/regenerate"
    await api.call("POST", path)
    last = (
        await api.call(
            "POST", f"/messages/{(await messages_of(api, first['thread_id']))[-1]['id']}/regenerate"
        )
    ).body
    conflict = await api.call("POST", path)
    again = await api.call("POST", f"/messages/{last['message_id']}/regenerate")

    assert (conflict.status, conflict.code) == (409, "conflict")
    assert (
        f"answer {last['message_id']} was made in its place; regenerate that one" in conflict.body["detail"]
    )
    assert again.status == 200


async def test_turn_at_the_end_of_a_fork_is_answered(api: PromptAPI) -> None:
    """With the memory from before it; the answer is its child, and then the turn has one."""
    first = (await chat(api, "Hello?")).body
    await chat(api, "And?", thread_id=first["thread_id"])
    turn = (await messages_of(api, first["thread_id"]))[2]
    fork = (await api.call("POST", f"/threads/{first['thread_id']}/fork", {"message_id": turn["id"]})).body
    waiting = (await messages_of(api, fork["id"]))[-1]
    answered = await api.call("POST", f"/messages/{waiting['id']}/regenerate")
    twice = await api.call("POST", f"/messages/{waiting['id']}/regenerate")

    assert (answered.status, answered.body["thread_id"]) == (200, fork["id"])
    assert answered.body["context"]["injected"] == 2
    assert [(each["role"], each["parent_id"]) for each in (await messages_of(api, fork["id"]))[2:]] == [
        ("user", None),
        ("assistant", waiting["id"]),
    ]
    assert twice.status == 400
    assert f"name {answered.body['message_id']}" in twice.body["detail"]


@pytest.mark.parametrize("message_id", ["01890a5d-ac96-774b-bcce-b302099a8057", "nonsense", "%2e%2e"])
async def test_unknown_message_is_not_found(api: PromptAPI, message_id: str) -> None:
    """Whatever its form."""
    answered = await api.call("POST", f"/messages/{message_id}/regenerate", {})

    assert answered.status == 404


async def test_same_key_gives_the_same_new_answer(api: PromptAPI) -> None:
    """A retry adds no third answer; the key of another message is another request."""
    first = (await chat(api, "Hello?")).body
    path = f"/messages/{first['message_id']}/regenerate"
    key = {"Idempotency-Key": "again-1"}
    once = await api.call("POST", path, {}, headers=key)
    twice = await api.call("POST", path, {}, headers=key)
    other = await api.call("POST", f"/messages/{once.body['message_id']}/regenerate", {}, headers=key)

    assert once.body == twice.body
    assert ("Idempotency-Replayed" in once.headers, twice.headers["Idempotency-Replayed"]) == (False, "true")
    assert (other.status, other.code) == (422, "idempotency_key_reused")
    assert len(await messages_of(api, first["thread_id"])) == 3
