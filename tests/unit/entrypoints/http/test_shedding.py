"""Which bytes are a chat that can be refused unread, and what is written then."""

import json

import pytest

from domain.errors import Overloaded
from entrypoints.http.shedding import chat_route, refusals
from tests.support.http import parse

BODY = b'{"prompt":"hi"}'


def request(*headers: bytes, target: bytes = b"/chat", method: bytes = b"POST", body: bytes = BODY) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: x", length, *headers, b"", body])


@pytest.mark.parametrize("target", ["/chat", "/v1/chat/completions", "/ui/chat"])
def test_whole_chat_is_known(target: str) -> None:
    """On each route, with whatever headers clients send."""
    headers = (b"content-type: application/json", b"Authorization: Bearer x", b"Connection: keep-alive")

    assert chat_route(request(*headers, target=target.encode())) == target


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request(target=b"/healthz"),
        request(target=b"/chat?x=1"),
        request(method=b"GET"),
        request()[:-1],
        request() + b"G",
        request()[:20],
        request(b"Content-Length: 15"),
        request(b"Transfer-Encoding: chunked"),
        request(b"Expect: 100-continue"),
        request(b"Origin: https://app.example"),
        request(b"Connection: close"),
        request(b"Upgrade: h2c"),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
        request().replace(b"Content-Length: 15", b"Content-Length: +15"),
        request().replace(b"Content-Length: 15", b"Content-Length : 15"),
        request().replace(b"\r\n", b"\n"),
    ],
)
def test_all_that_is_less_simple_is_not(data: bytes) -> None:
    """Other routes, framing that is not whole or not plain, pages of other origins."""
    assert chat_route(data) is None


@pytest.mark.parametrize("route", ["/chat", "/v1/chat/completions", "/ui/chat"])
def test_refusal_is_a_whole_answer(route: str) -> None:
    """503 with Retry-After, a length that fits, and the code that the boundary gives."""
    first, second, third = refusals()[route]
    request_id = b"01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01"
    answer = first + request_id + second + (request_id + third if third else b"")
    head, _, body = answer.partition(b"\r\n\r\n")
    status, said = parse(answer)

    assert status == 503
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Retry-After: 1" in head
    assert Overloaded.code in json.dumps(said)
