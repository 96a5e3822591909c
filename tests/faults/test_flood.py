"""Fault 87: one caller sends all it can, without any limit of its own."""

import asyncio
import re
from pathlib import Path
from typing import Final

import pytest

from domain.access import ANYBODY
from domain.answer import ChatDone
from entrypoints.settings import ServerSettings
from tests.support.callers import CallersByName
from tests.support.http import ScriptedSendChat, Server, an_answer, serving, started
from tests.support.rate_limiters import keyed_caller
from tests.support.waiting import eventually

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
    """One key sends all it can: it is refused as soon as it has its part, and another never is."""
    chat = ScriptedSendChat(script=[started(), 0.05, ChatDone(an_answer())])
    counts = {200: 0, 503: 0}
    stop = asyncio.Event()
    settings = ServerSettings(max_in_flight=16)
    async with serving(tmp_path, change=RING.instead, send_chat=chat, server=settings) as server:

        async def flood() -> None:
            while not stop.is_set():
                status = await _status(server, "flood", stream=streams)
                counts[status] += 1
                if status == 503:
                    await asyncio.sleep(0.1)  # the clients share this process with the server

        async with asyncio.TaskGroup() as floods:
            for _ in range(40):
                floods.create_task(flood())
            await eventually(lambda: min(counts.values()) > 0)
            found = [await _status(server, "other") for _ in range(12)]
            await eventually(lambda: min(counts.values()) > 16)
            stop.set()

    assert [200] * 12 == found


async def test_row_87_others_are_answered_while_a_flood_waits(tmp_path: Path) -> None:
    """Of forty chats none ends, as the model says nothing; the other key's are answered one after the other."""
    answer, gate = ChatDone(an_answer()), asyncio.Event()
    chat = ScriptedSendChat(script=[started(), gate, answer])
    settings = ServerSettings(max_in_flight=16)
    async with serving(tmp_path, change=RING.instead, send_chat=chat, server=settings) as server:
        floods = [asyncio.create_task(_status(server, "flood")) for _ in range(40)]
        await eventually(lambda: sum(each.done() for each in floods) == 26)
        chat.script = [started(), answer]
        found = [await _status(server, "other") for _ in range(12)]
        gate.set()
        flooded = await asyncio.gather(*floods)

    assert [200] * 12 == found
    assert [200] * 14 + [503] * 26 == sorted(flooded)


async def test_row_87_requests_whose_bodies_are_on_the_way_take_no_others_room(tmp_path: Path) -> None:
    """Thirty heads of one key arrive in one moment, more than can be served, and then a chat of another's."""
    chat = ScriptedSendChat(script=[started(), ChatDone(an_answer())])
    settings = ServerSettings(max_in_flight=16)
    async with serving(tmp_path, change=RING.instead, send_chat=chat, server=settings) as server:
        opened = [await _connection(server) for _ in range(31)]
        for _, writer in opened[:30]:
            writer.write(_head("flood"))
        opened[30][1].write(_head("other") + _BODY)
        found = await _answered(opened[30][0])
        for _, writer in opened[:30]:
            writer.write(_BODY)
        flooded = [await _answered(reader) for reader, _ in opened[:30]]
        for _, writer in opened:
            writer.close()

    assert 200 == found
    assert {200, 503} == set(flooded)


_BODY: Final = b'{"prompt":"x"}'


def _head(key: str) -> bytes:
    lines = (
        "POST /chat HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
    )
    return "\r\n".join((*lines, f"Content-Length: {len(_BODY)}", "", "")).encode()


async def _connection(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """One on which the server waits for the next request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert 200 == await _answered(reader)
    for _ in range(10):  # turns of the loop that both share
        await asyncio.sleep(0)
    return reader, writer


async def _answered(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, which is read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    assert length is not None
    await reader.readexactly(int(length[1]))
    return int(head.split(b" ", 2)[1])


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
