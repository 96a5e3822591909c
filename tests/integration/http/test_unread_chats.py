"""What a busy server answers at the connection: which requests, and with what."""

import asyncio
import math
from pathlib import Path

import pytest
import uvloop

from domain.answer import ChatDone
from entrypoints.http.shedding import Shedding
from entrypoints.settings import ServerSettings
from tests.support.http import ScriptedSendChat, Server, an_answer, serving
from tests.support.unread import Client, chat, transports
from tests.support.waiting import HANGS_S, eventually

_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
_LATE_S = 77.0
"""How late the loop is said to be: what the connection answers itself counts as having taken so long."""


def _be_overloaded(server: Server) -> Shedding:
    """From now on, however late the loop is in truth."""
    shedding, overload = server.state.shedding, server.state.overload
    assert shedding is not None
    shedding.stop()
    overload.limit = 0
    overload.late_s = _LATE_S
    return shedding


def test_first_requests_of_a_connection_are_answered_unread(tmp_path: Path) -> None:
    """With uvloop, which reads them in the turn in which it makes the connection; and those that follow."""

    async def scenario() -> None:
        async with serving(tmp_path) as server:
            shedding = _be_overloaded(server)
            for _ in range(3):
                client = Client(server.port)
                for _ in range(3):
                    assert client.send(chat())  # before the loop goes on, and so with the connection itself
                    head, _ = await client.answer()
                    assert head.startswith(b"HTTP/1.1 503 ")
                client.close()
                client = Client(server.port)
                assert client.send(_HEALTH)
                head, _ = await client.answer()
                assert head.startswith(b"HTTP/1.1 200 ")
                client.close()
            assert shedding._shed == {"/chat": 9}
            assert [event.duration_s for event in server.telemetry.served] == [_LATE_S] * 3

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(scenario(), HANGS_S))


async def test_chat_is_refused_unread_after_one_that_came_early(tmp_path: Path) -> None:
    """Before the answer to the last one: it was a whole request, and what comes next is the beginning of one."""
    gate = asyncio.Event()
    send_chat = ScriptedSendChat(script=[gate, ChatDone(an_answer())])
    async with serving(tmp_path, send_chat=send_chat) as server, asyncio.timeout(HANGS_S):
        client = Client(server.port)
        client.send(chat())
        await send_chat.called.wait()
        client.send(chat())
        await asyncio.sleep(0.02)
        gate.set()
        statuses = [(await client.answer())[0][9:12]]
        await eventually(lambda: len(send_chat.ended) == 2)
        shedding = _be_overloaded(server)
        client.send(chat())
        await eventually(lambda: server.state.refused == 1)
        unread = dict(shedding._shed)  # which is told of, and then forgotten
        client.close()

    assert statuses == [b"200"]
    assert unread == {"/chat": 1}


async def test_the_rest_of_an_early_head_is_no_request_of_its_own(tmp_path: Path) -> None:
    """A head that begins before the last answer is parsed to its end, whatever the rest of it looks like."""
    gate = asyncio.Event()
    send_chat = ScriptedSendChat(script=[gate, ChatDone(an_answer())])
    async with serving(tmp_path, send_chat=send_chat) as server, asyncio.timeout(HANGS_S):
        client = Client(server.port)
        client.send(chat())
        await send_chat.called.wait()
        client.send(chat() + b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Rest: ")
        await asyncio.sleep(0.02)
        gate.set()
        await eventually(lambda: len(send_chat.ended) == 2)
        await asyncio.sleep(0.02)
        shedding = _be_overloaded(server)
        client.send(chat())
        await asyncio.sleep(0.02)
        unread = dict(shedding._shed)
        client.close()

    assert unread == {}


async def test_refusal_unread_has_the_headers_of_one_by_the_boundary(tmp_path: Path) -> None:
    """Date, the caller's own request id and what tells caches of origins among them; and so has health."""
    settings = ServerSettings(cors_origins=("https://app.example",))
    async with serving(tmp_path, server=settings) as server, asyncio.timeout(HANGS_S):
        shedding = _be_overloaded(server)
        found = []
        for request in (chat("X-Request-ID: mine-1"), _HEALTH):
            for pieces in ((request,), (request[:30], request[30:])):
                client = Client(server.port)
                for piece in pieces:
                    client.send(piece)
                    await asyncio.sleep(0.02)
                found.append(await client.answer())
                client.close()
        refused = dict(shedding._shed)
    unread, read, alive, alive_read = (_headers(head) for head, _ in found)

    assert refused == {"/chat": 1}
    assert unread == read
    assert unread["x-request-id"] == "mine-1"
    assert b'"mine-1"' in found[0][1]
    assert unread["vary"] == "Origin"
    assert alive == alive_read
    assert alive["vary"] == "Origin"


def _headers(head: bytes) -> dict[str, str]:
    """Without the values that differ from one answer to the next."""
    named = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    found = {name.lower(): value for name, value in named.items()}
    found["date"] = f"{len(found['date'])} characters"
    found.pop("content-length")
    if found["x-request-id"] != "mine-1":
        found["x-request-id"] = f"{len(found['x-request-id'])} characters"
    return found


async def test_who_reads_no_refusals_is_sent_no_more_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each further chat waits for its reader, as an answer does: what is held for it has a bound."""
    seen = transports(monkeypatch)
    async with serving(tmp_path) as server, asyncio.timeout(HANGS_S):
        _be_overloaded(server)
        client = Client(server.port)
        held = 0
        for _ in range(500):
            client.send(chat())
            for _ in range(3):
                await asyncio.sleep(0)
            held = max([held, *(each.get_write_buffer_size() for each in seen)])
        refused = server.state.refused
        server.state.overload.limit = math.inf
        client.close()

    assert refused > 20
    assert 0 < held < 80_000
