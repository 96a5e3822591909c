"""Rating answers, reading and exporting what was said, on both databases."""

import asyncio
import datetime
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from application.use_cases.rate_message import RateMessageCommand
from domain.ids import Tenant
from tests.support.http import serving
from tests.support.prompt_api import Answered
from tests.support.thread_api import ABSENT, ThreadAPI, stored_thread


@pytest.fixture(params=["sqlite", "postgresql"])
async def api(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ThreadAPI]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    async with serving(tmp_path, database_url=url) as server:
        yield ThreadAPI(server)


async def _rate(api: ThreadAPI, message_id: str, rating: Any = "thumbs_up", **fields: Any) -> Answered:
    return await api.call("PUT", f"/messages/{message_id}/feedback", {"rating": rating, **fields})


async def _exported(api: ThreadAPI, query: str = "") -> list[dict[str, Any]]:
    answered = await api.get(f"/feedback/export{query}")
    assert answered.status == 200, answered.raw
    assert answered.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answered.raw.splitlines()]


async def test_feedback_is_given_shown_and_taken_back(api: ThreadAPI) -> None:
    """By PUT, GET and DELETE; the message shows it too."""
    answer = await api.chat("Hi")
    message_id, thread_id = answer["message_id"], answer["thread_id"]
    path = f"/messages/{message_id}/feedback"
    before = await api.get(path)
    given = await _rate(api, message_id, 4, comment="why", tags=["b", "a", "b"], user="u-1")
    shown = await api.get(path)
    message = await api.get(f"/messages/{message_id}")
    listed = await api.get(f"/threads/{thread_id}/feedback")
    gone = await api.delete(path)
    again = await api.delete(path)
    after = await api.get(path)

    assert (before.status, before.body["feedback"], before.body["history"]) == (200, None, [])
    assert (given.status, given.body["message_id"]) == (200, message_id)
    word = {key: value for key, value in given.body.items() if key != "message_id"}
    assert {**word, "given_at": None} == {
        "rating": 4,
        "comment": "why",
        "tags": ["a", "b"],
        "user": "u-1",
        "given_at": None,
    }
    assert shown.body["feedback"] == word
    assert shown.body["history"] == [{"position": 1, "at": word["given_at"], "feedback": word}]
    assert (message.body["rating"], message.body["feedback"]) == (4, word)
    assert listed.body == {
        "items": [{"message_id": message_id, "position": 1, **word}],
        "next_cursor": None,
    }
    assert [(204, b"")] * 2 == [(each.status, each.raw) for each in (gone, again)]
    assert after.body["feedback"] is None
    assert [(2, None), (1, word)] == [
        (change["position"], change["feedback"]) for change in after.body["history"]
    ]
    assert (await api.get(f"/threads/{thread_id}/feedback")).body["items"] == []


async def test_same_feedback_again_changes_nothing(api: ThreadAPI) -> None:
    """The second answer is the first one's, its time too."""
    answer = await api.chat("Hi")
    first = await _rate(api, answer["message_id"], "thumbs_down", comment="no")
    second = await _rate(api, answer["message_id"], "thumbs_down", comment="no")
    shown = await api.get(f"/messages/{answer['message_id']}/feedback")

    assert first.body == second.body
    assert len(shown.body["history"]) == 1


async def _rate_in_the_end(api: ThreadAPI, message_id: str, rating: Any, **fields: Any) -> Answered:
    """As a client does: what found no connection to the database was not stored, and is sent again."""
    while True:
        answered = await _rate(api, message_id, rating, **fields)
        if answered.status != 503:
            return answered
        assert answered.body["retryable"] is True
        await asyncio.sleep(0.2)


async def test_fifty_ratings_at_once_leave_one_feedback_and_a_whole_history(api: ThreadAPI) -> None:
    """Of as many raters: the last one stands."""
    message_id = (await api.chat("Hi"))["message_id"]
    given = await asyncio.gather(
        *(_rate_in_the_end(api, message_id, number % 5 + 1, user=f"u-{number}") for number in range(50))
    )
    shown = await api.get(f"/messages/{message_id}/feedback")

    assert {200} == {each.status for each in given}
    history = shown.body["history"]
    assert list(range(50, 0, -1)) == [change["position"] for change in history]
    assert {f"u-{number}" for number in range(50)} == {change["feedback"]["user"] for change in history}
    assert shown.body["feedback"] == history[0]["feedback"]


async def test_only_answers_are_rated(api: ThreadAPI) -> None:
    """A question is refused, and what is not there is not found, in the same words for all of it."""
    answer = await api.chat("Hi")
    question, _ = await api.messages(answer["thread_id"])
    refused = await _rate(api, question["id"])
    deleted = await api.chat("Hi")
    await _rate(api, deleted["message_id"], comment="CANARY")
    await api.delete(f"/threads/{deleted['thread_id']}")

    assert (refused.status, refused.paths) == (400, ["message_id"])
    assert "only answers" in refused.body["detail"]
    told = set()
    for message_id in (ABSENT, deleted["message_id"], "x", "%00"):
        for method, body in (("PUT", {"rating": 1}), ("GET", None), ("DELETE", None)):
            absent = await api.call(method, f"/messages/{message_id}/feedback", body)
            assert (absent.status, absent.code) == (404, "not_found"), absent.raw
            assert b"CANARY" not in absent.raw
            told.add(absent.body["detail"].replace(message_id, "").replace("�", ""))
    assert len(told) == 1
    for thread_id in (ABSENT, deleted["thread_id"], "x"):
        assert (await api.get(f"/threads/{thread_id}/feedback")).status == 404
    assert await _exported(api) == []


async def test_bodies_and_queries_are_read_strictly(api: ThreadAPI) -> None:
    """Every fault at once, with what is allowed."""
    message_id = (await api.chat("Hi"))["message_id"]
    for rating in (True, 3.0, "3", 0, 6, None, [1]):
        refused = await _rate(api, message_id, rating)
        assert (refused.status, refused.paths) == (400, ["rating"]), rating
    wrong = await api.call(
        "PUT",
        f"/messages/{message_id}/feedback?x=1",
        {"rating": 9, "comment": "x" * 4097, "tags": ["a"] * 17, "extra": 1},
    )
    assert (wrong.status, sorted(wrong.paths)) == (400, ["comment", "extra", "rating", "tags", "x"])
    for path, faults in (
        ("/usage?from=x&to=2026-02-30&group_by=colour", ["from", "to", "group_by"]),
        ("/usage?from=2026-11-02&to=2026-11-01", ["from"]),
        ("/usage?since=2026-11-02", ["since"]),
        (
            "/feedback/export?at_least=good&prompt=a%20b&model=gpt&limit=1",
            ["at_least", "prompt", "model", "limit"],
        ),
        ("/feedback/export?at_least=4&at_most=2", ["at_least"]),
        (f"/messages/{message_id}/feedback?limit=1", ["limit"]),
        (f"/threads/{ABSENT}/feedback?cursor=x&limit=0", ["limit"]),
    ):
        refused = await api.get(path)
        assert (refused.status, refused.paths) == (400, faults), path


async def test_feedback_of_a_thread_is_paged(api: ThreadAPI) -> None:
    """A cursor serves its own list alone."""
    record = await stored_thread(api.server.application, 5)
    thread_id = record.thread.id
    answers = [each for each in await api.messages(thread_id) if each["role"] == "assistant"]
    for answer in answers[1:]:
        await _rate(api, answer["id"])
    first = await api.get(f"/threads/{thread_id}/feedback?limit=3")
    cursor = first.body["next_cursor"]
    last = await api.get(f"/threads/{thread_id}/feedback?limit=3&cursor={cursor}")
    foreign = await api.get(f"/threads?cursor={cursor}")

    assert [3, 5, 7] == [each["position"] for each in first.body["items"]]
    assert ([9], None) == ([each["position"] for each in last.body["items"]], last.body["next_cursor"])
    assert (foreign.status, foreign.paths) == (400, ["cursor"])


async def test_rated_conversations_are_exported(api: ThreadAPI) -> None:
    """A line each, in OpenAI's shape, found by rating, time, prompt and model."""
    first = await api.chat("one")
    second = await api.chat("two", thread_id=first["thread_id"])
    await _rate(api, first["message_id"], "thumbs_up", comment="good\nline", tags=["x"])
    await _rate(api, second["message_id"], 2)

    good, bad = await _exported(api)
    message = (await api.get(f"/messages/{first['message_id']}")).body
    assert good == {
        "messages": [
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": first["output"]},
        ],
        "rating": "thumbs_up",
        "score": 1.0,
        "comment": "good\nline",
        "tags": ["x"],
        "model": "demo:demo",
        "prompt_version": None,
        "message_id": first["message_id"],
        "thread_id": first["thread_id"],
        "created_at": message["created_at"],
    }
    assert (bad["score"], [each["role"] for each in bad["messages"]]) == (0.25, ["user", "assistant"] * 2)
    day = datetime.timedelta(days=1)
    tomorrow = (datetime.datetime.now(datetime.UTC) + day).date().isoformat()
    for query, expected in (
        ("?at_least=4", [good]),
        ("?at_most=2", [bad]),
        ("?model=demo:demo", [good, bad]),
        ("?model=openai:gpt-4", []),
        ("?prompt=support_agent", []),
        (f"?from={tomorrow}", []),
        (f"?to={tomorrow}", [good, bad]),
    ):
        assert expected == await _exported(api, query), query


async def test_export_of_nothing_is_empty(api: ThreadAPI) -> None:
    """No line; HEAD answers as GET does."""
    head = await api.call("HEAD", "/feedback/export")

    assert await _exported(api) == []
    assert (head.status, head.headers["Content-Type"], head.raw) == (200, "application/x-ndjson", b"")


async def test_feedback_of_another_tenant_is_absent(api: ThreadAPI) -> None:
    """By every route; its usage counts for it alone."""
    other = Tenant("other")
    record = await stored_thread(api.server.application, tenant=other)
    answer = record.messages[-1].id
    command = RateMessageCommand(tenant=other, message_id=answer, rating=1)
    await api.server.application.rate_message.execute(command)

    assert [404] * 4 == [
        each.status
        for each in (
            await _rate(api, answer),
            await api.get(f"/messages/{answer}/feedback"),
            await api.delete(f"/messages/{answer}/feedback"),
            await api.get(f"/threads/{record.thread.id}/feedback"),
        )
    ]
    assert await _exported(api) == []
    (row,) = (await api.get("/usage")).body["items"]
    assert (row["requests"], row["ratings"]["count"]) == (0, 0)
    found = await api.server.application.read_feedback.of_thread(other, record.thread.id)
    assert [1] == [each.feedback.rating for each in found.items]
