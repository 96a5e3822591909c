"""Heads of responses: what is read from good ones, and which are refused."""

import pytest

from adapters.providers.transport.http1.failures import NotHTTP
from adapters.providers.transport.http1.head import MAX_HEAD_BYTES, MAX_LINE_BYTES, find_end, parse_head


def _head(*lines: str, start: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([start, *lines, "", ""]).encode("latin-1")


def test_fields_are_read_by_lower_case_name() -> None:
    """Blanks around values go, the first of several values stays, bytes above ASCII survive."""
    head = parse_head(
        _head("Content-TYPE:\t text/plain ", "X:", "Set-Cookie: a", "set-cookie: b", "Y: \xe9:z")
    )

    assert {"content-type": "text/plain", "x": "", "set-cookie": "a", "y": "\xe9:z"} == head.fields
    assert 200 == head.status


@pytest.mark.parametrize("start", ["HTTP/1.1 404", "HTTP/1.1 404 ", "HTTP/1.1 404 Not \xe9 Found"])
def test_a_reason_may_be_missing(start: str) -> None:
    """RFC 9112 lets it be empty; some servers drop the blank before it too."""
    assert 404 == parse_head(_head(start=start)).status


@pytest.mark.parametrize(
    ("lines", "status", "expected"),
    [
        (["Content-Length: 5"], 200, ("length", 5)),
        (["Content-Length: 5", "content-length: 5"], 200, ("length", 5)),
        (["Content-Length: 0"], 200, ("length", 0)),
        (["Transfer-Encoding: Chunked"], 200, ("chunked", 0)),
        ([], 200, ("until_close", 0)),
        ([], 204, ("length", 0)),
        (["Content-Length: 5"], 304, ("length", 0)),
        (["Transfer-Encoding: chunked"], 204, ("length", 0)),
        (["Content-Length: 5"], 103, ("length", 0)),
    ],
)
def test_framing(lines: list[str], status: int, expected: tuple[str, int]) -> None:
    """How the end of the body is told."""
    head = parse_head(_head(*lines, start=f"HTTP/1.1 {status} X"))

    assert expected == (head.framing, head.length)


@pytest.mark.parametrize(
    ("version", "lines", "keeps_alive"),
    [
        ("1.1", ["Content-Length: 1"], True),
        ("1.1", ["Content-Length: 1", "Connection: Close"], False),
        ("1.1", ["Content-Length: 1", "Connection: x, close ,y"], False),
        ("1.1", ["Content-Length: 1", "Connection: keep-alive", "Connection: close"], False),
        ("1.1", ["Content-Length: 1", "Connection: keep-alive"], True),
        ("1.0", ["Content-Length: 1"], False),
        ("1.0", ["Content-Length: 1", "Connection: Keep-Alive"], True),
        ("1.0", ["Transfer-Encoding: chunked", "Connection: keep-alive"], False),
        ("1.1", [], False),
    ],
)
def test_when_the_connection_may_be_used_again(version: str, lines: list[str], keeps_alive: bool) -> None:
    """Never after a body that ends with the connection."""
    assert keeps_alive is parse_head(_head(*lines, start=f"HTTP/{version} 200 OK")).keeps_alive


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(_head(start=start), id=start)
        for start in (
            "HTTP/1.1 banana",
            "HTTP/1.1 99 X",
            "HTTP/1.1 2000 X",
            "HTTP/1.1  200 OK",
            "HTTP/2.0 200 OK",
            "HTTP/1.2 200 OK",
            "http/1.1 200 OK",
            "HTTP/1.1 +20 OK",
            "HTTP/1.1 020 OK",
            "HTTP/1.1 200 O\x00K",
            " HTTP/1.1 200 OK",
            "ICY 200 OK",
            "",
        )
    ]
    + [
        pytest.param(_head(*lines), id=repr(lines))
        for lines in (
            ["Content-Length: -5"],
            ["Content-Length: +5"],
            ["Content-Length: 5 5"],
            ["Content-Length: 5, 5"],
            ["Content-Length: 0x5"],
            ["Content-Length: 5.0"],
            ["Content-Length: 1_0"],
            ["Content-Length: \xb2"],
            ["Content-Length:"],
            ["Content-Length: " + "9" * 19],
            ["Content-Length: 5", "Content-Length: 6"],
            ["Content-Length: 5", "Transfer-Encoding: chunked"],
            ["Transfer-Encoding: gzip, chunked"],
            ["Transfer-Encoding: chunked, chunked"],
            ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
            ["Transfer-Encoding: identity"],
            ["Transfer-Encoding: xchunked"],
            ["Transfer-Encoding:"],
            ["Transfer-Encoding : chunked"],
            ["X: folded", " over two lines"],
            [" X: folded at once"],
            ["X: a\nContent-Length: 5"],
            ["X: a\rContent-Length: 5"],
            ["X: a\x00b"],
            ["X: a\x7fb"],
            ["no colon"],
            [": no name"],
            ["X Y: blank in the name"],
            ["X\xe9: name beyond ASCII"],
            ["X: " + "x" * MAX_LINE_BYTES],
            [f"X-{number}: x" for number in range(129)],
        )
    ],
)
def test_heads_that_break_the_rules(head: bytes) -> None:
    """Each could hide where one answer ends and another begins, or is no HTTP/1.1 at all."""
    with pytest.raises(NotHTTP):
        parse_head(head)


def test_the_end_of_a_head_is_found_wherever_it_was_cut() -> None:
    """Only the last three bytes of what was scanned before are looked at again."""
    head = _head("Content-Length: 5")

    for cut in range(len(head)):
        assert -1 == find_end(head[:cut], 0)
        assert len(head) == find_end(head + b"12345", cut)


@pytest.mark.parametrize(
    "received",
    [
        b"Hello",
        b"\r\n",
        b"\x16\x03\x01",
        b"HTTP/2",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (MAX_LINE_BYTES + 1),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (MAX_HEAD_BYTES // 6 + 1),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * (MAX_HEAD_BYTES // 6 + 1) + b"\r\n",
    ],
)
def test_what_can_not_become_a_head_is_refused_at_once(received: bytes) -> None:
    """Without waiting for its end, and whatever its size."""
    with pytest.raises(NotHTTP):
        find_end(received, 0)
