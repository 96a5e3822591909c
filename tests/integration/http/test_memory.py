"""Memory over HTTP, on both databases and both wires, down to the bodies that an upstream gets."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.summary_turn import SUMMARY_LABEL
from tests.support.gateway import HEALTHY_COST
from tests.support.memory_bench import MemoryBench, memory_bench
from tests.support.thread_api import ABSENT

TEXT = "Hello from upstream."
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
SUMMARY = f"{SUMMARY_LABEL}\n\n{TEXT}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """None for a file."""
    if request.param == "sqlite":
        return None
    found: str = request.getfixturevalue("postgres_url")
    return found


def roles(turns: list[Any]) -> list[str]:
    return [turn["role"] for turn in turns]


def texts(turns: list[Any]) -> list[str]:
    return [turn["content"] for turn in turns]


async def test_last_messages_are_on_the_wire_in_order(tmp_path: Path, database_url: str | None) -> None:
    """As many as the depth says, whole exchanges, and the answer says how many."""
    async with memory_bench(tmp_path, database_url=database_url, context_depth=4) as bench:
        answer = [await bench.chat(f"question {number}") for number in range(4)][-1]
        shallow = await bench.chat("last", context_depth=3)

    assert texts(bench.sent("ok")[3]) == ["question 1", TEXT, "question 2", TEXT, "question 3"]
    assert answer["context"] == {
        "injected": 4, "dropped": 0, "pinned": 0, "summarised": 0, "left_out": [],
    }  # fmt: skip
    assert texts(bench.sent("ok")[4]) == ["question 3", TEXT, "last"]
    assert shallow["context"]["left_out"] == [{"reason": "cut_by_depth", "messages": 1}]


async def test_summary_is_on_the_wire_stored_and_charged(tmp_path: Path, database_url: str | None) -> None:
    """One call when the window overflows, at its price; the next request begins with what it wrote."""
    async with memory_bench(
        tmp_path,
        database_url=database_url,
        context_depth=4,
        memory="summary",
        summary_model="spare:ok-other",
    ) as bench:
        answers = [await bench.chat(f"question {number}") for number in range(5)]
        preview = await bench.api.get(f"/threads/{bench.thread_id}/memory")
        stored = await bench.api.get(f"/messages/{answers[3]['message_id']}")
        window = await bench.chat("plain", memory="window")

    (asked,) = bench.sent("ok-other")
    told = json.loads(asked[1]["content"])
    assert (roles(asked), len(told["messages"])) == (["system", "user"], 4)
    assert texts(bench.sent("ok")[3]) == [SUMMARY, "question 2", TEXT, "question 3"]
    assert texts(bench.sent("ok")[4])[0] == SUMMARY
    assert [len(answer["attempts"]) for answer in answers] == [1, 1, 1, 2, 1]
    assert answers[3]["attempts"][0]["purpose"] == "summary"
    assert Decimal(answers[3]["cost_usd"]) == 2 * HEALTHY_COST
    assert answers[3]["context"]["summarised"] == 4
    assert [each["purpose"] for each in stored.body["attempts"]] == ["summary", "answer"]
    assert preview.body["summary"]["text"] == TEXT
    assert (preview.body["summary"]["up_to"], preview.body["summary"]["model"]) == (3, "spare:ok-other")
    assert texts(bench.sent("ok")[5])[0] == "question 3"
    assert window["context"]["summarised"] == 0


@pytest.mark.parametrize("model", ["anthropic:ok", "openai:ok"])
async def test_both_wires_take_the_summary(tmp_path: Path, model: str) -> None:
    """It is the user's, not the system's, and turns stay in the order that each vendor wants."""
    async with memory_bench(
        tmp_path, primary=model, context_depth=2, memory="summary", summary_model="spare:ok-other"
    ) as bench:
        for number in range(3):
            await bench.chat(f"question {number}")

    body = bench.upstream.seen("ok")[2].body
    first = body["messages"][0]
    assert first["role"] == "user"
    assert SUMMARY_LABEL in json.dumps(first, ensure_ascii=False)
    assert SUMMARY_LABEL not in json.dumps(body.get("system", ""), ensure_ascii=False)
    if model.startswith("anthropic"):
        assert roles(body["messages"]) == ["user", "assistant", "user"]


async def test_failing_summary_model_leaves_the_window(tmp_path: Path) -> None:
    """The chat is answered, with a warning and the failed attempt."""
    async with memory_bench(
        tmp_path, context_depth=2, memory="summary", summary_model="openai:f06-500"
    ) as bench:
        answers = [await bench.chat(f"question {number}") for number in range(3)]

    assert "could not be summarised" in answers[2]["warnings"][0]
    assert texts(bench.sent("ok")[2]) == ["question 1", TEXT, "question 2"]
    assert answers[2]["attempts"][0]["outcome"] == "server_error"
    assert Decimal(answers[2]["cost_usd"]) == HEALTHY_COST


async def test_two_chats_at_once_have_one_memory(tmp_path: Path) -> None:
    """They take turns in their thread, so one summary is made."""
    async with memory_bench(
        tmp_path, context_depth=4, memory="summary", summary_model="spare:ok-other"
    ) as bench:
        for number in range(3):
            await bench.chat(f"question {number}")
        await asyncio.gather(*(bench.chat(f"at once {number}") for number in range(2)))

    assert len(bench.sent("ok-other")) == 1
    assert all(turns[0]["content"] == SUMMARY for turns in bench.sent("ok")[3:])


async def test_pinned_messages_are_on_the_wire_whatever_their_age(
    tmp_path: Path, database_url: str | None
) -> None:
    """The route pins the exchange; the budget keeps it."""
    async with memory_bench(tmp_path, database_url=database_url, context_depth=2) as bench:
        first = await bench.chat("my name is Ada")
        for number in range(3):
            await bench.chat(f"question {number}")
        await bench.api.patch(f"/messages/{first['message_id']}", {"pinned": True})
        answer = await bench.chat("who am I?")
        preview = await bench.api.get(f"/threads/{bench.thread_id}/memory")

    assert texts(bench.sent("ok")[4]) == ["my name is Ada", TEXT, "question 2", TEXT, "who am I?"]
    assert (answer["context"]["injected"], answer["context"]["pinned"]) == (4, 2)
    assert [(each["position"], each["pinned"]) for each in preview.body["messages"]] == [
        (0, True), (1, True), (8, False), (9, False),
    ]  # fmt: skip


async def test_failed_and_superseded_messages_stay_out_and_are_named(
    tmp_path: Path, database_url: str | None
) -> None:
    """The preview lists each with its reason; explain says the same in notes."""
    async with memory_bench(tmp_path, database_url=database_url) as bench:
        first = await bench.chat("one")
        await bench.api.post(
            "/chat", {"prompt": "fails", "thread_id": bench.thread_id, "model": "openai:f06-500"}
        )
        second = await bench.chat("two")
        again = await bench.api.post(f"/messages/{second['message_id']}/regenerate", {})
        answer = await bench.chat("three")
        preview = await bench.api.get(f"/threads/{bench.thread_id}/memory?context_depth=10")
        explained = await bench.api.post(
            "/chat/explain", {"prompt": "four", "thread_id": bench.thread_id, "context_depth": 10}
        )

    assert again.status == 200
    assert texts(bench.sent("ok")[2]) == ["one", TEXT, "two"]
    assert texts(bench.sent("ok")[3]) == ["one", TEXT, "two", TEXT, "three"]
    left_out = [{"reason": "superseded", "messages": 1}, {"reason": "unanswered", "messages": 1}]
    assert answer["context"]["left_out"] == left_out
    assert [(each["position"], each["reason"]) for each in preview.body["left_out"]] == [
        (2, "unanswered"),
        (5, "superseded"),
    ]
    assert explained.body["context"]["left_out"] == left_out
    notes = next(each["notes"] for each in explained.body["passes"] if each["name"] == "memory-lane")
    assert notes[0] == "Put in 6 messages of the thread."
    assert any("(`superseded`)" in note for note in notes)
    assert first["context"]["left_out"] == []


async def test_failed_sends_and_regenerations_use_up_no_depth(
    tmp_path: Path, database_url: str | None
) -> None:
    """As much is remembered behind them as before; what was passed over is counted."""
    async with memory_bench(tmp_path, database_url=database_url, context_depth=4) as bench:
        for number in range(2):
            await bench.chat(f"question {number}")
        for _ in range(10):
            await bench.api.post(
                "/chat", {"prompt": "fails", "thread_id": bench.thread_id, "model": "openai:f12-400"}
            )
        failed = await bench.chat("question 2")
        last = failed["message_id"]
        for _ in range(9):
            again = await bench.api.post(f"/messages/{last}/regenerate", {})
            last = again.body["message_id"]
        regenerated = await bench.chat("question 3")
        summarised = await bench.api.get(f"/threads/{bench.thread_id}/memory?memory=summary")

    assert texts(bench.sent("ok")[2]) == ["question 0", TEXT, "question 1", TEXT, "question 2"]
    assert (failed["context"]["injected"], failed["warnings"]) == (4, [])
    assert failed["context"]["left_out"] == [{"reason": "unanswered", "messages": 10}]
    assert texts(bench.sent("ok")[-1]) == ["question 1", TEXT, "question 2", TEXT, "question 3"]
    assert regenerated["context"]["left_out"] == [
        {"reason": "superseded", "messages": 9},
        {"reason": "unanswered", "messages": 10},
    ]
    assert [each["position"] for each in summarised.body["messages"]] == [24, 34, 35, 36]


async def test_thread_that_gives_nothing_is_a_warning(tmp_path: Path, database_url: str | None) -> None:
    """It has messages and a depth was asked for; a thread without messages has nothing to give."""
    async with memory_bench(tmp_path, database_url=database_url) as bench:
        first = await bench.chat("one")
        shallow = await bench.chat("two", context_depth=1)
        forgetful = await bench.chat("three", context_depth=0)
        deep = await bench.chat("four")

    assert [len(answer["warnings"]) for answer in (first, shallow, forgetful, deep)] == [0, 1, 0, 0]
    assert shallow["warnings"] == [
        "nothing of the thread is remembered: of its last messages, the depth ends inside their exchange (1)"
    ]


async def test_results_go_on_from_the_calls_that_the_thread_holds(
    tmp_path: Path, database_url: str | None
) -> None:
    """The question and the calls are put before them, and the memory before those; all is one exchange then."""
    result = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    async with memory_bench(tmp_path, database_url=database_url) as bench:
        await bench.chat("hello")
        called = await bench.chat("weather?", model="spare:f30-tools", tools=[WEATHER])
        body = {"messages": [result], "thread_id": bench.thread_id, "tools": [WEATHER]}
        explained = await bench.api.post("/chat/explain", body)
        failed = await bench.api.post("/chat", {**body, "model": "openai:f12-400"})
        answered = await bench.api.post("/chat", body)
        later = await bench.chat("and now?")
        none = await bench.api.post("/chat", body)

    assert called["tool_calls"][0]["id"] == "call_1"
    assert (explained.status, failed.status, answered.status) == (200, 400, 200)
    sent = bench.sent("ok")[1]
    assert roles(sent) == ["user", "assistant", "user", "assistant", "tool"]
    assert answered.body["context"]["injected"] == 2
    assert roles(bench.sent("ok")[2]) == [
        "user",
        "assistant",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert (later["context"]["injected"], later["warnings"]) == (6, [])
    assert (none.status, none.paths) == (400, ["messages[0].tool_call_id"])
    assert "nor of the thread's last answer" in none.body["errors"][0]["message"]


async def test_user_turn_may_follow_the_results(tmp_path: Path) -> None:
    """It belongs to the exchange."""
    result = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    also = {"role": "user", "content": "in two words"}
    async with memory_bench(tmp_path) as bench:
        await bench.chat("weather?", model="spare:f30-tools", tools=[WEATHER])
        answered = await bench.api.post(
            "/chat", {"messages": [result, also], "thread_id": bench.thread_id, "tools": [WEATHER]}
        )
        later = await bench.chat("and now?")

    assert answered.status == 200
    assert roles(bench.sent("ok")[0]) == ["user", "assistant", "tool", "user"]
    assert (later["context"]["injected"], later["context"]["left_out"]) == (5, [])


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "tool", "tool_call_id": "other", "content": "sunny"}],
        [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}],
        [
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "assistant", "content": "x"},
            {"role": "user", "content": "y"},
        ],
    ],
)
async def test_results_of_no_call_are_refused(tmp_path: Path, messages: list[dict[str, str]]) -> None:
    """Calls of the thread are answered first of all, and by callers who send no history of their own."""
    async with memory_bench(tmp_path) as bench:
        await bench.chat("weather?", model="spare:f30-tools", tools=[WEATHER])
        refused = await bench.api.post("/chat", {"messages": messages, "thread_id": bench.thread_id})
        new = await bench.api.post("/chat", {"messages": messages})

    assert (refused.status, new.status) == (400, 400)
    assert refused.paths[0].endswith("tool_call_id")


async def test_budget_trims_and_says_so(tmp_path: Path, database_url: str | None) -> None:
    """Oldest first; counts are stored, which the preview shows."""
    words = " word" * 150
    async with memory_bench(tmp_path, database_url=database_url, windows={"spare:ok": 600}) as bench:
        answer = [await bench.chat(f"{number}{words}", max_tokens=20) for number in range(4)][-1]
        await _until_counted(bench)
        preview = await bench.api.get(f"/threads/{bench.thread_id}/memory")

    assert answer["context"]["left_out"] == [{"reason": "token_budget", "messages": 2}]
    assert "2 of 6 earlier messages were left out" in answer["warnings"][0]
    assert texts(bench.sent("ok")[3])[0].startswith("1 word")
    assert all(each["token_count"] for each in preview.body["messages"][:6])


async def _until_counted(bench: MemoryBench) -> None:
    """The counts are written in the background."""
    for _ in range(1_500):
        preview = await bench.api.get(f"/threads/{bench.thread_id}/memory")
        if all(each["token_count"] for each in preview.body["messages"][:6]):
            return
        await asyncio.sleep(0.02)


async def test_preview_asks_and_stores_nothing(tmp_path: Path) -> None:
    """It says what would be summarised."""
    async with memory_bench(
        tmp_path, context_depth=2, memory="summary", summary_model="spare:ok-other"
    ) as bench:
        await bench.chat("one")
        await bench.chat("two")
        before = len(bench.upstream.attempts)
        preview = await bench.api.get(f"/threads/{bench.thread_id}/memory")
        nothing = await bench.api.get(f"/threads/{bench.thread_id}/memory?context_depth=0")

    assert len(bench.upstream.attempts) == before
    assert (preview.body["would_summarise_up_to"], preview.body["summary"]) == (1, None)
    assert preview.body["memory"] == "summary"
    assert [each["position"] for each in preview.body["messages"]] == [2, 3]
    assert nothing.body["messages"] == []


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("?context_depth=201", ["context_depth"]),
        ("?memory=all&context_depth=x", ["context_depth", "memory"]),
        ("?depth=3", ["depth"]),
    ],
)
async def test_faults_of_a_preview_are_named_at_once(tmp_path: Path, query: str, paths: list[str]) -> None:
    """As everywhere."""
    async with memory_bench(tmp_path) as bench:
        await bench.chat("one")
        refused = await bench.api.get(f"/threads/{bench.thread_id}/memory{query}")

    assert (refused.status, sorted(refused.paths)) == (400, paths)


@pytest.mark.parametrize("thread_id", [ABSENT, "nonsense"])
async def test_memory_of_an_absent_thread_is_not_found(tmp_path: Path, thread_id: str) -> None:
    """The same as for any other route of threads."""
    async with memory_bench(tmp_path) as bench:
        answered = await bench.api.get(f"/threads/{thread_id}/memory")

    assert (answered.status, answered.code) == (404, "not_found")
