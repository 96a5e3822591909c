"""Which bytes are a chat that can be refused unread, and what is written then."""

import json

import pytest

from domain.errors import Overloaded
from entrypoints.http.shedding import PlainChat, alive, chat_in, is_health, refusals
from tests.support.http import parse

BODY = b'{"prompt":"hi"}'


def request(*headers: bytes, target: bytes = b"/chat", method: bytes = b"POST", body: bytes = BODY) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return b"\r\n".join([method + b" " + target + b" HTTP/1.1", b"Host: x", length, *headers, b"", body])


@pytest.mark.parametrize("target", ["/chat", "/v1/chat/completions", "/ui/chat"])
def test_whole_chat_is_known(target: str) -> None:
    """On each route, with whatever headers clients send."""
    headers = (b"content-type: application/json", b"Authorization: Bearer x", b"Connection: keep-alive")

    assert chat_in(request(*headers, target=target.encode())) == PlainChat(
        target, "Bearer x", len(BODY), None
    )


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ((b"x-request-id:  Mine.1-_ ",), b"Mine.1-_"),
        ((b"X-Request-ID: one", b"X-Request-ID: two"), b"one"),  # aiohttp's choice
        ((b"X-Request-ID: with space",), None),
        ((b"X-Request-ID: " + b"x" * 65,), None),
        ((b"X-Request-ID:",), None),
    ],
)
def test_request_id_is_the_callers_where_the_boundary_takes_it(
    headers: tuple[bytes, ...], request_id: bytes | None
) -> None:
    """Whatever its case; another one counts as none."""
    chat = chat_in(request(*headers))

    assert chat is not None
    assert chat.request_id == request_id


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
        request(b"Authorization: Bearer a", b"Authorization: Bearer b"),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
        request().replace(b"Content-Length: 15", b"Content-Length: +15"),
        request().replace(b"Content-Length: 15", b"Content-Length : 15"),
        request().replace(b"\r\n", b"\n"),
    ],
)
def test_all_that_is_less_simple_is_not(data: bytes) -> None:
    """Other routes, framing that is not whole or not plain, pages of other origins."""
    assert chat_in(data) is None


@pytest.mark.parametrize("route", ["/chat", "/v1/chat/completions", "/ui/chat"])
def test_refusal_is_a_whole_answer(route: str) -> None:
    """503 with Retry-After, a length that fits, and the code that the boundary gives."""
    answer = refusals()[route].of(b"mine", has_origins=False)
    head, _, body = answer.partition(b"\r\n\r\n")
    status, said = parse(answer)

    assert status == 503
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Retry-After: 1" in head
    assert Overloaded.code in json.dumps(said)


def test_plain_question_for_health_is_known() -> None:
    """And nothing else is."""
    plain = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
    others = (
        plain[:-2],
        plain + b"G",
        plain.replace(b"GET", b"HEAD"),
        plain.replace(b"keep-alive", b"close"),
        plain.replace(b"Host: x", b"Host: x\r\nX-Request-ID: mine"),
        plain.replace(b"Host: x", b"Host: x\r\nContent-Length: 1"),
        plain.replace(b"Host: x", b"Host: x\r\nOrigin: https://app.example"),
        plain.replace(b"/healthz", b"/readyz"),
    )

    assert is_health(plain)
    assert [is_health(each) for each in others] == [False] * len(others)


def test_answer_of_health_is_a_whole_one() -> None:
    """As its handler gives it."""
    status, said = parse(alive().of(b"mine", has_origins=False))

    assert (status, said) == (200, {"status": "ok"})
