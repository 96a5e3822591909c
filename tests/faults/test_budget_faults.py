"""Budgets where many chats, and processes, and faults come together: security row 25, fault rows 74 and 79."""

import asyncio
import signal
from collections import Counter
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from tests.support.budgeted_lor3 import COST, BudgetBooks, budgeted, lor3_processes
from tests.support.wire_upstream import (
    Received,
    Reply,
    faithful,
    json_answer,
    openai_answer,
    openai_chunk,
    sse,
    wire_upstream,
)

CROWD = 1_000
LIMIT_USD = "0.015"
"""A fraction of what the crowd would cost."""
USAGE = {"prompt_tokens": 9, "completion_tokens": 80, "total_tokens": 89}
"""Of a whole answer, most of what it may have; a streamed one has less."""


def _upstream() -> Reply:
    """Answers, fails and breaks off, as the prompt says."""
    streamed, whole = faithful("Hello from upstream."), json_answer(openai_answer("Hello", usage=USAGE))
    failing = json_answer({"error": {"message": "no"}}, status=500)
    cut = sse([openai_chunk({"content": "Half an"})], then="cut")

    async def reply(request: Received, writer: asyncio.StreamWriter) -> bool:
        said = request.json["messages"][-1]["content"]
        if said == "fail":
            return await failing(request, writer)
        if said == "cut" and request.json.get("stream"):
            return await cut(request, writer)
        if said == "slow":
            await asyncio.sleep(0.05)
        return await (streamed if request.json.get("stream") else whole)(request, writer)

    return reply


async def test_security_25_thousand_chats_over_four_processes_never_overshoot(
    tmp_path: Path, postgres_url: str
) -> None:
    """Streams, failures and clients that leave among them: all that cost anything is counted, to the last digit; what
    was reserved is free afterwards."""
    books = BudgetBooks(postgres_url)
    got: Counter[int] = Counter()
    said = ("hi", "hi", "hi", "slow", "slow", "fail", "cut")
    async with wire_upstream(_upstream()) as upstream:
        config = budgeted(upstream.url, tenant=f"{LIMIT_USD}/day", wait_s=0.3)
        async with (
            lor3_processes(tmp_path, postgres_url, config, workers=4) as (url, _),
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client,
        ):

            async def chat(number: int) -> None:
                body = {
                    "prompt": said[number % len(said)],
                    "max_tokens": 100,
                    "stream": number % 2 == 0,
                    "on_disconnect": "cancel",
                }
                within_s = 0.5 if number % 11 == 0 else 30.0
                try:
                    async with (
                        asyncio.timeout(within_s),
                        client.post(f"{url}/chat", json=body) as response,
                    ):
                        await response.read()
                        got[response.status] += 1
                except TimeoutError:
                    got[0] += 1

            for number in range(len(said)):  # one of each kind finds money, whoever is quickest afterwards
                await chat(number + len(said))
            await asyncio.gather(*(chat(number) for number in range(CROWD)))
            await books.until_nothing_is_held()
            stored, spent = books.stored_usd, books.spent_usd

    statuses = books.statuses()
    assert sum(got.values()) == len(said) + CROWD
    assert got[402] > 0
    assert statuses["complete"] > 20
    assert statuses["failed"] > 0
    assert statuses["incomplete"] > 0
    assert stored == spent
    assert COST * statuses["complete"] <= spent <= Decimal(LIMIT_USD)


async def test_row_79_what_a_killed_process_had_reserved_is_free_after_its_lease(
    tmp_path: Path, postgres_url: str
) -> None:
    """It is as if the chat had never been; its client was told nothing."""
    books = BudgetBooks(postgres_url)
    asked = asyncio.Event()

    async def never(_request: Received, _writer: asyncio.StreamWriter) -> bool:
        asked.set()
        await asyncio.sleep(60)
        return False

    async with wire_upstream(never) as upstream, aiohttp.ClientSession() as client:
        config = budgeted(upstream.url, tenant=f"{LIMIT_USD}/day", wait_s=0)
        async with lor3_processes(tmp_path, postgres_url, config) as (url, process):
            killed = asyncio.create_task(_chat(client, url))
            async with asyncio.timeout(10):
                await asked.wait()
            assert books.held_usd > 0
            process.send_signal(signal.SIGKILL)
            with pytest.raises(aiohttp.ClientError):
                await killed
        held, after = books.held_usd, books.after_the_leases()

    assert held > 0
    assert after == 0
    assert books.spent_usd == 0


async def _chat(client: aiohttp.ClientSession, url: str) -> int:
    async with client.post(f"{url}/chat", json={"prompt": "hi", "max_tokens": 100}) as response:
        await response.read()
        return response.status
