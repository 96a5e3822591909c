"""What comes on one connection: where requests end, and what answers them with another release of aiohttp."""

import asyncio
from pathlib import Path

import pytest

from entrypoints.http import connection
from entrypoints.settings import ServerSettings
from tests.support.http import events_of, serving
from tests.support.waiting import HANGS_S

_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
_BODY = b'{"prompt":"hi"}'
_CHAT = b"POST /chat HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
"""Whole, and as well the rest of a head that ends in a header's name."""


@pytest.mark.parametrize(
    "before",
    [
        (_HEALTH + b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Rest: ",),
        (_HEALTH, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Rest: "),
        (_HEALTH[:20], _HEALTH[20:-1], _HEALTH[-1:] + b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Rest: "),
    ],
)
async def test_the_rest_of_a_head_is_no_request_of_its_own(before: tuple[bytes, ...], tmp_path: Path) -> None:
    """However it is cut, and though it looks like a chat that a busy server refuses unread."""
    async with serving(tmp_path, server=ServerSettings(max_in_flight=1)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(HANGS_S):
            for piece in before:
                writer.write(piece)
                await asyncio.sleep(0.02)  # or pieces would come as one
            assert b"200 OK" in await reader.readuntil(b"}")
            server.state.in_flight += 1
            writer.write(_CHAT)
            answer = await reader.readuntil(b"}")
            assert b"200 OK" in answer
            assert b'{"status":"ok"}' in answer
        writer.close()
        server.state.in_flight -= 1


async def test_what_ends_with_a_request_is_refused_unread_after_it(tmp_path: Path) -> None:
    """Also on a connection that had a head in two pieces before: it is known anew where requests begin."""
    async with serving(tmp_path, server=ServerSettings(max_in_flight=1)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(HANGS_S):
            for piece in (_HEALTH[:20], _HEALTH[20:]):
                writer.write(piece)
                await asyncio.sleep(0.02)
            await reader.readuntil(b"}")
            served = len(server.telemetry.served)
            server.state.in_flight += 1
            writer.write(_CHAT)
            answer = await reader.readuntil(b"}")
        writer.close()
        server.state.in_flight -= 1

        assert b" 503 " in answer
        assert len(server.telemetry.served) == served  # the boundary has not seen it


async def test_another_release_of_aiohttp_answers_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole answers, streams, refusals and broken requests, several on a connection."""
    monkeypatch.setattr(connection, "_IS_KNOWN", False)
    async with serving(tmp_path) as server:
        for _ in range(2):
            async with server.client.post("/chat", json={"prompt": "hi"}) as response:
                answer = await response.json()
            assert (response.status, answer["finish_reason"]) == (200, "stop")
            assert response.headers["Server"] == "lor3"
            assert response.headers["X-Request-ID"]
        async with server.client.post("/chat", json={"prompt": "hi", "stream": True}) as response:
            events = events_of(await response.read())
        assert events[-1][1] == "done"
        async with server.client.post("/chat", json={"promt": "hi"}) as response:
            assert (response.status, (await response.json())["code"]) == (400, "invalid_request")
        async with server.client.head("/healthz") as response:
            assert response.status == 200
        status, problem = await server.post_raw(_BODY, b"Content-Length: 3")

    assert (status, problem["code"]) == (400, "malformed_request")
