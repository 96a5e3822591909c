"""All faults at once, on one gateway."""

import asyncio
import random

from application.ports.chat_provider import Timeouts
from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.bodies import bomb
from tests.support.fault_upstream.server import FAULTS, FaultUpstream

REQUESTS = 200
CONCURRENT = 16
EXPECTED = {200, 400, 502, 503, 504}
LEFT_OUT = {"f21-reset", "f22-stale", "f22-stale-reset", "f04-quota"}
"""A reset of a reused connection is retried silently and not counted; an empty account closes a whole wire."""
HEAVY = {"f43-bytes", "f44-huge", "f50-text", "f50-comments"}
"""Streams of many megabytes or segments, which would have the loop for themselves."""


async def test_mixture_of_all_faults_never_shows_a_500(start: StartGateway, upstream: FaultUpstream) -> None:
    """Whatever fails together: a plain answer or error for each, one row each, at most 3 attempts each."""
    chance = random.Random(20261122)  # noqa: S311 - a repeatable mixture, no secret
    names = sorted(FAULTS.keys() - LEFT_OUT - HEAVY)
    bomb("openai")
    bomb("anthropic")  # made once; later it would block the loop that all of this runs on
    limits = Timeouts(connect_s=2.0, first_token_s=0.7, idle_s=0.7, content_idle_s=0.7, total_s=3.0)
    statuses: list[int] = []
    gate_limit = asyncio.Semaphore(CONCURRENT)
    async with start(timeouts=limits, next_models=["spare:ok-next"]) as gate:

        async def one() -> None:
            wire, other = chance.choice([("openai", "anthropic"), ("anthropic", "openai")])
            name = chance.choice(names) + chance.choice(["", "", "-once", "-twice"])
            fallbacks = chance.choice([[], ["spare:ok-fallback"], [f"{other}:{chance.choice(names)}"]])
            stream = chance.random() < 0.5
            async with gate_limit:
                reply = await gate.chat(f"{wire}:{name}", fallbacks, stream=stream)
            statuses.append(reply.status)
            assert reply.status in EXPECTED, (name, reply.raw)
            if reply.status == 200:
                assert len(reply.outcomes) <= 3
                assert reply.outcomes[-1] == "ok"

        async with asyncio.TaskGroup() as group:
            for _ in range(REQUESTS):
                group.create_task(one())

        assert len(statuses) == REQUESTS
        answers = [row for row in gate.rows("messages") if row["role"] == "assistant"]
        assert {row["status"] for row in answers} <= {"complete", "incomplete", "failed"}
        assert len([row for row in answers if row["status"] == "complete"]) == statuses.count(200)
        made = [row for row in gate.rows("attempts") if not row["outcome"].startswith("skipped_")]
        assert len(made) == len(upstream.attempts)
