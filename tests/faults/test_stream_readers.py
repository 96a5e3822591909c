"""Row 58: readers who stop. They cost little, are dropped, and hold up neither the answer nor its other readers."""

import asyncio
import json
import socket
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from application.services import answer_log
from entrypoints.http import event_stream, paced_writing
from tests.faults.conftest import StartGateway
from tests.support.fault_upstream.long_answers import LONG_TEXT
from tests.support.gateway import PROMPT, Gateway, parse_events

LONG: Final = "openai:f58-long"
BODY: Final = {"prompt": PROMPT, "model": LONG, "stream": True}
MANY: Final = 8
MOST_BYTES: Final = 256 * 1024
"""That a reader who has stopped may cost."""
KERNEL_BYTES: Final = 8192
"""On loopback the kernel takes megabytes for a reader who takes nothing; a network between the two does not."""


class Connections:
    """What lor3 holds for each connection: bytes that its transport keeps, and those of a write under way."""

    def __init__(self) -> None:
        self.transports: list[asyncio.Transport] = []
        self.in_hand: dict[asyncio.Transport | None, int] = {}

    def held(self) -> list[int]:
        """Of those that are open and have something to send."""
        sizes = [each.get_write_buffer_size() + self.in_hand.get(each, 0) for each in self.transports]
        return [size for size in sizes if size]


@pytest.fixture(name="connections")
def _connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    """Limits in seconds instead of half a minute, and little room in the kernel."""
    monkeypatch.setattr(paced_writing, "WRITE_S", 1.0)
    monkeypatch.setattr(answer_log, "STALL_S", 0.3)
    seen = Connections()
    made, write = RequestHandler.connection_made, paced_writing.write

    def connection_made(self: RequestHandler, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        seen.transports.append(transport)
        made(self, transport)

    async def counted(response: web.StreamResponse, data: bytes, **rest: Any) -> None:
        transport = rest.get("transport")
        seen.in_hand[transport] = len(data)
        try:
            await write(response, data, **rest)
        finally:
            del seen.in_hand[transport]

    monkeypatch.setattr(RequestHandler, "connection_made", connection_made)
    monkeypatch.setattr(event_stream, "write", counted)
    return seen


@contextmanager
def reader_who_stops(gate: Gateway, key: str) -> Iterator[socket.socket]:
    """Asks, and then reads nothing."""
    body = json.dumps(BODY).encode()
    head = (
        f"POST /chat HTTP/1.1\r\nHost: lor3\r\nContent-Type: application/json\r\n"
        f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    place = urllib.parse.urlsplit(gate.url)
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        client.connect((place.hostname, place.port))
        client.sendall(head.encode() + body)
        client.settimeout(0)
        yield client


async def rest_for(client: socket.socket) -> bytes:
    """What still comes to it, until the connection is cut."""
    loop = asyncio.get_running_loop()
    raw = b""
    try:
        async with asyncio.timeout(30):
            while block := await loop.sock_recv(client, 65536):
                raw += block
    except ConnectionResetError:
        return raw
    return raw


async def read_all(gate: Gateway, key: str) -> bytes:
    headers = {"Idempotency-Key": key}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{gate.url}/chat", json=BODY, headers=headers) as response,
    ):
        return await response.read()


async def test_row_58_readers_who_stop_cost_little_and_are_dropped(
    start: StartGateway, connections: Connections
) -> None:
    """Of one answer: a reader beside them is told all of it meanwhile, they are cut off, and each costs ≤ 256 KiB."""
    async with start() as gate:
        with ExitStack() as stack:
            stopped = [stack.enter_context(reader_who_stops(gate, "many")) for _ in range(MANY)]
            read = await read_all(gate, "many")
            held = connections.held()
            await asyncio.sleep(paced_writing.WRITE_S)
            rests = [await rest_for(client) for client in stopped]
        assert len(held) == MANY
        assert max(held) <= MOST_BYTES
        deltas = [data["text"] for name, data in parse_events(read) if name == "delta"]
        assert "".join(deltas) == LONG_TEXT
        assert gate.stored_text(await gate.settled("complete")) == LONG_TEXT
        assert all(rest.startswith(b"HTTP/1.1 200") and len(rest) < len(read) / 2 for rest in rests)
        assert not any(b"event: done" in rest for rest in rests)
        assert len(gate.upstream.attempts) == 1


@pytest.mark.usefixtures("connections")
async def test_row_58_answer_nobody_reads_is_finished_and_stored(start: StartGateway) -> None:
    """Its only reader has stopped: the answer waits for it for a while, and then goes on without it."""
    async with start() as gate:
        with reader_who_stops(gate, "alone") as client:
            row = await gate.settled("complete")
            assert gate.stored_text(row) == LONG_TEXT
            await asyncio.sleep(paced_writing.WRITE_S)
            assert b"event: done" not in await rest_for(client)


@pytest.mark.usefixtures("connections")
async def test_row_58_reader_who_goes_on_gets_all_of_it(start: StartGateway) -> None:
    """Stopping for a while, less than the limit, costs nothing but time."""
    async with start() as gate:
        with reader_who_stops(gate, "slow") as client:
            await gate.settled("complete")
            raw = b""
            while b"event: done" not in raw:
                raw += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 65536), 5.0)
    assert b"HTTP/1.1 200" in raw


def test_row_58_default_limits_are_the_promised_ones() -> None:
    """The tests above shorten them."""
    assert paced_writing.WRITE_S == 30
    assert answer_log.STALL_S <= 5
