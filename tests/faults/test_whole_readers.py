"""Rows 58 and 78 of whole answers: who reads none of one is cut off, and a server that stops waits for who does."""

import asyncio
import os
import signal
from pathlib import Path

import attrs
import pytest

from domain.answer import ChatDone
from domain.telemetry import ServerStopping
from entrypoints.http import paced_writing
from entrypoints.http.server import serve
from entrypoints.settings import ServerSettings
from tests.support.http import ScriptedSendChat, an_answer, serving
from tests.support.servers import free_port
from tests.support.unread import Client, chat, transports
from tests.support.waiting import HANGS_S, eventually

_LONG = 3_000_000


def _says(size: int) -> ScriptedSendChat:
    return ScriptedSendChat(script=[ChatDone(an_answer(output="x" * size))])


@pytest.mark.parametrize(
    ("size", "headers", "version"),
    [
        (_LONG, (), b"HTTP/1.1"),
        (_LONG, (), b"HTTP/1.0"),  # which aiohttp writes
        (60_000, ("Connection: close",), b"HTTP/1.1"),  # below what makes a writer wait
    ],
)
async def test_row_58_who_reads_no_whole_answer_is_cut_off(
    size: int, headers: tuple[str, ...], version: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the time that a stream's reader has."""
    monkeypatch.setattr(paced_writing, "WRITE_S", 0.2)
    seen = transports(monkeypatch)
    async with serving(tmp_path, send_chat=_says(size)) as server, asyncio.timeout(HANGS_S):
        client = Client(server.port)
        client.send(chat(*headers).replace(b"HTTP/1.1", version))
        await eventually(lambda: bool(seen) and seen[0].get_write_buffer_size() > 0)
        await eventually(lambda: seen[0].is_closing() and not seen[0].get_write_buffer_size())
        _, body = await client.answer()
        client.close()

    assert len(body) < size


async def test_row_58_who_shuts_its_side_down_and_reads_nothing_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection ends with the answer, of which little is left."""
    monkeypatch.setattr(paced_writing, "WRITE_S", 0.2)
    seen = transports(monkeypatch)
    async with serving(tmp_path, send_chat=_says(60_000)) as server:
        client = Client(server.port)
        client.send(chat())
        await eventually(lambda: bool(seen) and seen[0].get_write_buffer_size() > 0)
        client.end()
        await eventually(lambda: seen[0].is_closing() and not seen[0].get_write_buffer_size())
        client.close()


async def test_row_58_who_reads_a_whole_answer_slowly_gets_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes: the time is that in which nothing is taken."""
    monkeypatch.setattr(paced_writing, "WRITE_S", 1.0)
    seen = transports(monkeypatch)
    async with serving(tmp_path, send_chat=_says(_LONG)) as server, asyncio.timeout(HANGS_S):
        client = Client(server.port)
        client.send(chat())
        loop = asyncio.get_running_loop()
        begun = loop.time()
        read = 0
        while loop.time() < begun + 1.5:
            await asyncio.sleep(0.02)
            read += len(await client.read(8192))
        while read < _LONG:
            read += len(await client.read(65536))
        client.send(chat())
        again = await client.read(8)
        client.close()

    assert again
    assert len(seen) == 1


@pytest.mark.parametrize("reads", [True, False])
async def test_row_78_answer_on_its_way_is_part_of_the_drain(
    reads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reader has `drain_s` to take it, and no longer; the log counts it as under way."""
    monkeypatch.setattr("entrypoints.http.runner.CLOSE_S", 600.0)
    seen = transports(monkeypatch)
    port = free_port()
    drain_s = 600.0 if reads else 0.3
    async with serving(tmp_path, send_chat=_says(_LONG)) as server, asyncio.TaskGroup() as group:
        settings = attrs.evolve(server.application.settings, server=ServerSettings(drain_s=drain_s))
        application = attrs.evolve(server.application, settings=settings)
        serving_task = group.create_task(serve(application, host="127.0.0.1", port=port))
        async with asyncio.timeout(HANGS_S):
            client = await _connected(port)
            client.send(chat())
            await eventually(lambda: any(each.get_write_buffer_size() for each in seen))
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.1)
            assert not serving_task.done()
            if not reads:
                await serving_task
            head, body = await client.answer()
            await serving_task
            client.close()
    (stopping,) = [event for event in server.telemetry.events if isinstance(event, ServerStopping)]

    assert stopping.under_way == 1
    assert head.startswith(b"HTTP/1.1 200 ")
    assert (len(body) > _LONG) == reads


async def _connected(port: int) -> Client:
    while True:
        try:
            return Client(port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
