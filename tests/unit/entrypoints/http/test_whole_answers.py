"""Whole answers as bytes: the same ones that aiohttp writes."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http import StreamWriter
from aiohttp.test_utils import make_mocked_request

from entrypoints.http.whole_answers import as_bytes


class _Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def is_closing(self) -> bool:
        return False


def _asked(method: str = "POST", **how: Any) -> tuple[web.Request, _Wire]:
    wire = _Wire()
    protocol: Any = SimpleNamespace(transport=wire, _paused=False)
    writer = StreamWriter(protocol, asyncio.get_running_loop())
    return make_mocked_request(method, "/chat", writer=writer, **how), wire


def _answer(**changes: Any) -> web.Response:
    given: dict[str, Any] = {
        "body": b'{"a":1}',
        "headers": {"x-lor3-model": "demo:demo", "Content-Type": "application/json", "Server": "lor3"},
    }
    return web.Response(**(given | changes))


@pytest.mark.parametrize("status", [200, 400, 429, 503])
@pytest.mark.parametrize("keeps_alive", [True, False])
async def test_bytes_are_those_of_aiohttp(status: int, keeps_alive: bool) -> None:
    """Head and body, and whether the connection goes on."""
    request, wire = _asked()
    theirs = _answer(status=status)
    if not keeps_alive:
        theirs.force_close()
    await theirs.prepare(request)
    await theirs.write_eof()

    assert as_bytes(request, _answer(status=status), keeps_alive=keeps_alive) == wire.sent


@pytest.mark.parametrize(
    "response",
    [
        _answer(headers={"x-lor3-model": "a\r\nSet-Cookie: b", "Content-Type": "a/b", "Server": "lor3"}),
        _answer(headers={"x-lor3-model": "a\x00", "Content-Type": "a/b", "Server": "lor3"}),
        _answer(headers={"Server": "lor3"}),
        _answer(body=b""),
        _answer(status=204),
        _answer(status=304),
        web.StreamResponse(),
    ],
)
async def test_what_is_no_plain_answer_is_left_to_aiohttp(response: web.StreamResponse) -> None:
    """Among that a header with a line break in it, which aiohttp refuses to send."""
    request, _ = _asked()

    assert as_bytes(request, response, keeps_alive=True) is None


@pytest.mark.parametrize(
    ("method", "version"), [("HEAD", HttpVersion11), ("GET", HttpVersion10), ("POST", HttpVersion10)]
)
async def test_other_requests_are_left_to_aiohttp(method: str, version: Any) -> None:
    """HEAD has no body, and HTTP/1.0 says that it keeps a connection."""
    request, _ = _asked(method, version=version)

    assert as_bytes(request, _answer(), keeps_alive=True) is None
