"""Budgets as clients see them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.persistence.sqlite_budget_ledger import SQLiteBudgetLedger
from domain.errors import StorageUnavailable
from tests.support.operations import Served, config, served
from tests.support.wire_upstream import (
    Received,
    Reply,
    faithful,
    json_answer,
    openai_chunk,
    sse,
    wire_upstream,
)

RULES = {"tenant": ["0.001/day", "soft 0.00003/month"], "thread": ["1/total"], "wait_s": 0}


@pytest.fixture
async def lor3(tmp_path: Path) -> AsyncIterator[Served]:
    """An answer costs 0.000015 there, and may cost 0.00006 and 0.000002 for each token of `max_tokens`."""
    async with (
        wire_upstream(faithful("Hello!")) as upstream,
        served(tmp_path, config(f"{upstream.url}/v1", budgets=RULES)) as running,
    ):
        yield running


def left(budget: dict[str, Any]) -> dict[str, str]:
    return {
        each["subject"] + (" soft" if each["soft"] else ""): each["left_usd"] for each in budget["budgets"]
    }


async def test_answer_says_what_is_left(lor3: Served) -> None:
    """Also in the `done` of a stream, on OpenAI's wire and in the configuration, which knows no thread."""
    _, answer = await lor3.chat(max_tokens=10)
    async with lor3.client.post("/chat", json={"prompt": "hi", "max_tokens": 10, "stream": True}) as response:
        events = (await response.read()).decode()
    done = json.loads(events.rpartition("event: done\ndata: ")[2].split("\n")[0])
    body = {"messages": [{"role": "user", "content": "hi"}], "model": "local:ok", "max_tokens": 10}
    async with lor3.client.post("/v1/chat/completions", json=body) as response:
        completion = await response.json()
    async with lor3.client.get("/config") as response:
        described = await response.json()

    assert answer["budget"]["left_usd"] == "0.000985"
    assert left(answer["budget"]) == {"tenant": "0.000985", "tenant soft": "0.000015", "thread": "0.999985"}
    assert answer["budget"]["resets_at"] == answer["budget"]["budgets"][0]["resets_at"]
    assert answer["budget"]["budgets"][0]["resets_at"].endswith("T00:00:00Z")
    assert answer["budget"]["budgets"][2]["resets_at"] is None
    assert left(done["budget"]) == {"tenant": "0.00097", "tenant soft": "0", "thread": "0.999985"}
    assert completion["lor3"]["budget"]["left_usd"] == "0.000955"
    assert "of the tenant is used up" in completion["lor3"]["warnings"][0]
    assert left(described["budget"]) == {"tenant": "0.000955", "tenant soft": "0"}


async def test_used_up_budget_is_a_402_that_clients_do_not_retry(lor3: Served) -> None:
    """With what is left; nobody was asked."""
    async with lor3.client.post("/chat", json={"prompt": "hi", "max_tokens": 5000}) as response:
        problem = await response.json()
        assert (response.status, "Retry-After" in response.headers) == (402, False)

    assert (problem["code"], problem["retryable"]) == ("budget_exceeded", False)
    assert problem["budget"]["left_usd"] == "0.001"
    assert "`max_tokens` of 4" in problem["detail"]


async def test_openai_clients_find_the_budget_in_the_error(lor3: Served) -> None:
    """Beside the four fields, which their SDKs hand out as they are."""
    body = {"messages": [{"role": "user", "content": "hi"}], "model": "local:ok", "max_tokens": 5000}
    async with lor3.client.post("/v1/chat/completions", json=body) as response:
        answer = await response.json()
        assert response.status == 402

    assert list(answer["error"]) == ["message", "type", "param", "code", "lor3"]
    assert answer["error"]["lor3"]["budget"]["left_usd"] == "0.001"


async def test_answer_that_is_told_again_says_what_is_left_now(lor3: Served) -> None:
    """Also as a stream; it costs nothing."""
    headers, body = {"Idempotency-Key": "k-1"}, {"prompt": "hi", "max_tokens": 10}
    async with lor3.client.post("/chat", json=body, headers=headers) as response:
        first = await response.json()
    await lor3.chat(max_tokens=10)
    left = first["budget"]["left_usd"]
    async with asyncio.timeout(30):
        # What is stored while the database is asked may be counted twice until it is asked again.
        while left != "0.00097":
            async with lor3.client.post("/chat", json=body, headers=headers) as response:
                again = await response.json()
            left = again["budget"]["left_usd"]
            assert again["message_id"] == first["message_id"]


async def test_explanation_says_that_a_budget_is_used_up(lor3: Served) -> None:
    """A chat that is explained would be refused."""
    async with lor3.client.post("/chat/explain", json={"prompt": "hi"}) as response:
        before = await response.json()
    await lor3.chat(max_tokens=10)
    await lor3.reload(config("http://127.0.0.1:9/v1", budgets={"tenant": "0.000015/day"}))
    async with lor3.client.post("/chat/explain", json={"prompt": "hi"}) as response:
        after = await response.json()

    assert before["warnings"] == []
    assert "a budget of the tenant is used up" in after["warnings"][0]


async def test_chat_that_asks_for_no_length_is_kept_short(lor3: Served) -> None:
    """To what the budget leaves, with a warning."""
    status, answer = await lor3.chat()

    assert status == 200
    assert "tokens at most" in answer["warnings"][0]


def _by_model(**replies: Reply) -> Reply:
    async def reply(received: Received, writer: asyncio.StreamWriter) -> bool:
        return await replies[received.json["model"]](received, writer)

    return reply


def _priced(base_url: str, **models: int) -> dict[str, Any]:
    """Models in the order in which they are asked, each with the price of a million tokens of an answer."""
    first, *rest = [f"local:{name}" for name in models]
    prices = {
        f"local:{name}": {"input_per_mtok": 0, "output_per_mtok": price} for name, price in models.items()
    }
    return config(
        base_url,
        primary=first,
        fallbacks=rest,
        prices=prices,
        budgets={"tenant": "0.001/total", "wait_s": 20},
        routing={"retries": 0},
    )


async def test_dearer_fallback_does_not_turn_a_passing_failure_into_a_402(tmp_path: Path) -> None:
    """The class is the one of the model that was wanted, and what it had reserved is free; where its breaker is open,
    too."""
    failing = json_answer({"error": {"message": "no"}}, ("Retry-After", "7"), status=429)
    async with wire_upstream(_by_model(cheap=failing)) as upstream:
        written = _priced(f"{upstream.url}/v1", cheap=1, dear=100)
        async with served(tmp_path, written) as lor3, asyncio.timeout(15):
            problems = []
            for _ in range(3):
                async with lor3.client.post("/chat", json={"prompt": "hi", "max_tokens": 100}) as response:
                    assert int(response.headers["Retry-After"]) > 0
                    problems.append(await response.json())
            async with lor3.client.get("/config") as response:
                described = await response.json()

    assert [(503, "upstream_rate_limited")] * 3 == [(each["status"], each["code"]) for each in problems]
    assert "local:dear was not asked, as a budget does not hold what it may cost" in problems[-1]["detail"]
    assert described["budget"]["left_usd"] == "0.001"


async def test_model_that_does_not_fit_is_passed_over_for_one_that_does(tmp_path: Path) -> None:
    """With a warning; where none fits it is a 402, and at once."""
    async with wire_upstream(_by_model(cheap=faithful("Hi"))) as upstream:
        async with (
            served(tmp_path, _priced(f"{upstream.url}/v1", dear=100, cheap=1)) as lor3,
            asyncio.timeout(15),
        ):
            status, answer = await lor3.chat(max_tokens=100)
            refused, problem = await lor3.chat(max_tokens=5000)

    assert (status, answer["model"]) == (200, "local:cheap")
    assert answer["warnings"][0].startswith("local:dear was passed over: the budget of 0.001 USD")
    assert (refused, problem["code"], problem["retryable"]) == (402, "budget_exceeded", False)


async def test_cut_stream_leaves_its_fallback_what_it_has_not_said(tmp_path: Path) -> None:
    """It keeps what its words may cost, not all that they might have come to."""
    cut = sse([openai_chunk({"content": "Half an"})], then="cut")
    async with wire_upstream(_by_model(one=cut, two=faithful("Hi"))) as upstream:
        async with (
            served(tmp_path, _priced(f"{upstream.url}/v1", one=10, two=10)) as lor3,
            asyncio.timeout(15),
        ):
            body = {"prompt": "hi", "max_tokens": 80, "stream": True}
            async with lor3.client.post("/chat", json=body) as response:
                events = (await response.read()).decode()

    assert "event: done" in events
    assert "event: error" not in events


@pytest.fixture
def ledger_is_away(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set it, and budgets can't be looked at."""
    exchange, is_away = SQLiteBudgetLedger.exchange, asyncio.Event()

    async def unless_away(ledger: SQLiteBudgetLedger, *given: Any, **named: Any) -> Any:
        if is_away.is_set():
            raise StorageUnavailable("the database is away")
        return await exchange(ledger, *given, **named)

    monkeypatch.setattr(SQLiteBudgetLedger, "exchange", unless_away)
    return is_away


@pytest.mark.parametrize("stream", [True, False])
async def test_what_was_said_is_stored_where_budgets_cant_be_looked_at_for_the_rest(
    tmp_path: Path, stream: bool, ledger_is_away: asyncio.Event
) -> None:
    """A cut stream as far as it was shown, and a failure as one: the failure is what the caller is told of."""
    cut = sse([openai_chunk({"content": "Half an"})], then="cut")
    failing = json_answer({"error": {"message": "no"}}, status=500)

    async def one(request: Received, writer: asyncio.StreamWriter) -> bool:
        ledger_is_away.set()
        return await (cut if stream else failing)(request, writer)

    async with wire_upstream(_by_model(one=one, two=faithful("Hi"))) as upstream:
        async with (
            served(tmp_path, _priced(f"{upstream.url}/v1", one=1, two=5)) as lor3,
            asyncio.timeout(30),
        ):
            body = {"prompt": "hi", "max_tokens": 80, "stream": stream}
            async with lor3.client.post("/chat", json=body) as response:
                told = (await response.read()).decode()
            ledger_is_away.clear()
            async with lor3.client.get("/threads") as response:
                (thread,) = (await response.json())["items"]
            async with lor3.client.get(f"/threads/{thread['id']}/messages") as response:
                question, answer = (await response.json())["items"]

    assert "local:two was not asked, as what budgets have left can't be looked at" in told
    assert "storage_unavailable" not in told
    assert ("user", "hi") == (question["role"], question["content"])
    assert (("incomplete", "Half an") if stream else ("failed", "")) == (answer["status"], answer["content"])


async def test_what_was_paid_is_stored_where_budgets_cant_be_looked_at_for_a_second_ask(
    tmp_path: Path, ledger_is_away: asyncio.Event
) -> None:
    """An answer that is no JSON is paid for, whatever keeps it from being asked for once more."""

    async def prose(request: Received, writer: asyncio.StreamWriter) -> bool:
        ledger_is_away.set()
        return await faithful("no JSON at all")(request, writer)

    async with wire_upstream(prose) as upstream:
        written = _priced(f"{upstream.url}/v1", one=1)
        async with served(tmp_path, written) as lor3, asyncio.timeout(30):
            body = {"prompt": "hi", "max_tokens": 990, "format": "json", "schema": {"type": "object"}}
            async with lor3.client.post("/chat", json=body) as response:
                problem = await response.json()
            ledger_is_away.clear()
            async with lor3.client.get("/threads") as response:
                (thread,) = (await response.json())["items"]
            async with lor3.client.get(f"/threads/{thread['id']}/messages") as response:
                _, answer = (await response.json())["items"]

    assert (503, "storage_unavailable") == (problem["status"], problem["code"])
    assert ("failed", "0.000003") == (answer["status"], answer["cost_usd"])


async def test_without_budgets_there_is_none(tmp_path: Path) -> None:
    """The field is there and null."""
    async with wire_upstream(faithful("Hi")) as upstream:
        async with served(tmp_path, config(f"{upstream.url}/v1")) as plain:
            _, answer = await plain.chat()
            assert answer["budget"] is None
            # A budget that comes with a reload counts from then on.
            await plain.reload(config(f"{upstream.url}/v1", budgets={"tenant": "0.0001/day"}))
            _, answer = await plain.chat(max_tokens=4)
            status, problem = await plain.chat(max_tokens=40)

    assert answer["budget"]["left_usd"] == "0.000085"
    assert (status, problem["code"]) == (402, "budget_exceeded")


async def test_refusal_of_a_chat_that_asks_for_no_length_names_what_a_short_answer_may_cost(
    tmp_path: Path,
) -> None:
    """It would have been kept short, had the budget held that."""
    async with wire_upstream(faithful("Hi")) as upstream:
        written = config(f"{upstream.url}/v1", budgets={"tenant": "0.00003/total"})
        async with served(tmp_path, written) as lor3:
            status, problem = await lor3.chat()

    assert (402, "The budget does not hold this") == (status, problem["title"])
    assert "even with a short answer; have the budget raised" in problem["detail"]
