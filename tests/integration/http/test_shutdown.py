"""SIGTERM while a chat is under way."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import aiohttp
import attrs
import pytest

from domain.answer import ChatDone
from entrypoints.http.server import serve
from entrypoints.settings import ServerSettings
from tests.support.http import ScriptedSendChat, an_answer, parse, serving


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def client_until_up(client: aiohttp.ClientSession) -> None:
    for _ in range(1_500):
        try:
            async with client.get("/healthz"):
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.02)


async def test_sigterm_finishes_what_is_under_way_and_refuses_the_rest(tmp_path: Path) -> None:
    """Readiness fails at once, the chat gets its answer, `serve` returns."""
    gate = asyncio.Event()
    chat = ScriptedSendChat(script=[gate, ChatDone(an_answer())])
    port = free_port()
    async with serving(tmp_path, send_chat=chat) as server, asyncio.TaskGroup() as group:
        serving_task = group.create_task(serve(server.application, host="127.0.0.1", port=port))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            await client_until_up(client)
            request = group.create_task(client.post("/chat", json={"prompt": "x"}))
            await chat.called.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.1)
            async with client.get("/readyz") as ready, client.post("/chat", json={"prompt": "y"}) as refused:
                pass
            gate.set()
            answered = await request
        async with asyncio.timeout(30):
            await serving_task

    assert (ready.status, refused.status, answered.status) == (503, 503, 200)
    assert chat.ended == ["done"]


async def test_what_is_not_done_within_the_drain_is_cut_with_shutting_down(tmp_path: Path) -> None:
    """503 `shutting_down` for a plain chat; `serve` returns in time."""
    chat = ScriptedSendChat(script=[60.0])
    port = free_port()
    async with serving(tmp_path, send_chat=chat) as server, asyncio.TaskGroup() as group:
        settings = attrs.evolve(server.application.settings, server=ServerSettings(drain_s=0.2))
        application = attrs.evolve(server.application, settings=settings)
        serving_task = group.create_task(serve(application, host="127.0.0.1", port=port))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            await client_until_up(client)
            request = group.create_task(client.post("/chat", json={"prompt": "x"}))
            await chat.called.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            answered = await request
            problem = await answered.json()
        async with asyncio.timeout(10):
            await serving_task

    assert (answered.status, problem["code"]) == (503, "shutting_down")
    assert chat.ended == ["cancelled"]


def _be_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would wait for a connection waits longer than any test."""
    monkeypatch.setattr("entrypoints.http.runner.CLOSE_S", 600.0)
    monkeypatch.setattr("entrypoints.http.connection._LINGER_S", 600.0)


async def test_an_idle_server_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever connections are open: fresh, kept alive, in the midst of a head or of a body that was refused."""
    _be_patient(monkeypatch)
    port = free_port()
    async with serving(tmp_path) as server, asyncio.TaskGroup() as group:
        settings = attrs.evolve(server.application.settings, server=ServerSettings(drain_s=600))
        application = attrs.evolve(server.application, settings=settings)
        serving_task = group.create_task(serve(application, host="127.0.0.1", port=port))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            await client_until_up(client)
            async with client.post("/chat", json={"prompt": "x"}) as answered:
                await answered.read()
            writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(3)]
            writers[1].write(b"POST /chat HTTP/1.1\r\nHost: x\r\n")
            writers[2].write(b"POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
            await asyncio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)
            async with asyncio.timeout(30):
                await serving_task
            for writer in writers:
                writer.close()

    assert answered.status == 200


async def test_a_body_that_never_ends_holds_the_stop_up_no_longer_than_the_drain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 `shutting_down`, and no time for the rest of the body."""
    _be_patient(monkeypatch)
    port = free_port()
    async with serving(tmp_path) as server, asyncio.TaskGroup() as group:
        settings = attrs.evolve(server.application.settings, server=ServerSettings(drain_s=0.2))
        application = attrs.evolve(server.application, settings=settings)
        serving_task = group.create_task(serve(application, host="127.0.0.1", port=port))
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
            await client_until_up(client)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
        )
        await asyncio.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(30):
            answered = await reader.read()
            await serving_task
        writer.close()

    status, problem = parse(answered)
    assert (status, problem["code"]) == (503, "shutting_down")
