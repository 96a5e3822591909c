"""Fault 87: one caller sends all it can, without any limit of its own."""

import asyncio
import statistics
import time
from pathlib import Path
from typing import Final

import pytest

from domain.access import ANYBODY
from domain.answer import ChatDone
from entrypoints.settings import ServerSettings
from tests.support.callers import CallersByName
from tests.support.http import ScriptedSendChat, Server, an_answer, serving, started
from tests.support.rate_limiters import keyed_caller

RING: Final = CallersByName(ANYBODY, flood=keyed_caller("flood"), other=keyed_caller("other"))


async def _status(server: Server, key: str, *, stream: bool = False) -> int:
    body = {"prompt": "x", "stream": stream}
    headers = {"Authorization": f"Bearer {key}"}
    async with server.client.post("/chat", json=body, headers=headers) as response:
        await response.read()
        if response.status == 503:
            assert response.headers["Retry-After"] == "1"
        return response.status


@pytest.mark.parametrize("streams", [False, True])
async def test_row_87_a_flood_leaves_others_room(tmp_path: Path, streams: bool) -> None:
    """One key sends all it can: it is refused at once, another is never, and waits at the median less than twice as long."""
    chat = ScriptedSendChat(script=[started(), 0.05, ChatDone(an_answer())])
    counts = {200: 0, 503: 0}
    stop = asyncio.Event()
    refused: list[bool] = []
    settings = ServerSettings(max_in_flight=16)
    async with serving(tmp_path, change=RING.instead, send_chat=chat, server=settings) as server:

        async def flood() -> None:
            while not stop.is_set():
                status = await _status(server, "flood", stream=streams)
                counts[status] += 1
                if status == 503:
                    await asyncio.sleep(0.1)  # the clients share this process with the server

        async def quiet(count: int) -> float:
            waited = []
            for _ in range(count):
                before = time.perf_counter()
                refused.append(await _status(server, "other") != 200)
                waited.append(time.perf_counter() - before)
            return statistics.median(waited)

        await quiet(2)
        alone = await quiet(8)
        floods = [asyncio.create_task(flood()) for _ in range(40)]
        await asyncio.sleep(0.2)
        flooded = await quiet(12)
        stop.set()
        await asyncio.gather(*floods)

    assert sum(refused) == 0
    assert counts[200] > 16
    assert counts[503] > 16
    assert flooded < 2 * alone + 0.1  # the flood's clients share a busy core with the server


async def test_row_87_a_burst_in_one_moment_leaves_others_room(tmp_path: Path) -> None:
    """Forty requests of one key arrive, and then two of another's, before any of them is answered."""
    chat = ScriptedSendChat(script=[started(), 0.2, ChatDone(an_answer())])
    settings = ServerSettings(max_in_flight=16)
    async with serving(tmp_path, change=RING.instead, send_chat=chat, server=settings) as server:
        found = await asyncio.gather(
            *(_status(server, "flood") for _ in range(40)), *(_status(server, "other") for _ in range(2))
        )

    assert found[-2:] == [200, 200]
    assert found.count(503) >= 24
