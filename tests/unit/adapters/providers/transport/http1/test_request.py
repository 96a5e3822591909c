"""Requests as bytes."""

import pytest

from adapters.providers.transport.http1.request import Origin, prepare
from domain.errors import ProviderFailure


def test_a_request_is_one_piece_of_bytes() -> None:
    """Path and query as given, Host without a default port, headers in order, then the length."""
    request = prepare("POST", "https://api.example.com:443/v1/x%2Fy?a=%20b", [("X-A", "1"), ("x-b", "é")])

    assert Origin(host="api.example.com", port=443, is_tls=True) == request.origin
    assert (
        "POST /v1/x%2Fy?a=%20b HTTP/1.1\r\nHost: api.example.com\r\nX-A: 1\r\nx-b: é\r\nContent-Length: 2\r\n\r\n{}"
    ).encode() == request.with_body(b"{}")


@pytest.mark.parametrize(
    ("url", "host_line", "host", "port"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", "127.0.0.1", 8000),
        ("http://[::1]:8000/", "[::1]:8000", "::1", 8000),
        ("http://localhost", "localhost", "localhost", 80),
        ("https://Example.COM./x", "example.com", "example.com", 443),
        ("http://bücher.example", "xn--bcher-kva.example", "xn--bcher-kva.example", 80),
    ],
)
def test_hosts(url: str, host_line: str, host: str, port: int) -> None:
    """The Host header names the port unless it is the scheme's own."""
    request = prepare("POST", url, [])

    assert f"\r\nHost: {host_line}\r\n".lower().encode() in request.with_body(b"").lower()
    assert (host, port) == (request.origin.host.lower(), request.origin.port)


def test_a_get_without_a_body_has_no_length() -> None:
    """A POST without one says 0."""
    get, post = (prepare(method, "http://h/", []).with_body(b"") for method in ("GET", "POST"))

    assert b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" == get
    assert b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" == post


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("ftp://host/", ("X", "y")),
        ("/path", ("X", "y")),
        ("http://host:99999/", ("X", "y")),
        ("http://host/a b", ("X", "y")),
        ("http://host/a\r\nX: y", ("X", "y")),
        ("http://host/", ("X", "CANARY\r\nEvil: 1")),
        ("http://host/", ("X", "CANARY\n")),
        ("http://host/", ("X", "CANARY\x00")),
        ("http://host/", ("X:", "y")),
        ("http://host/", ("", "y")),
    ],
)
def test_what_can_not_be_sent_is_refused(url: str, header: tuple[str, str]) -> None:
    """Nothing may add a line to a request; the value that tried is not repeated."""
    with pytest.raises(ProviderFailure) as caught:
        prepare("POST", url, [header])

    assert ("connect", False) == (caught.value.kind, caught.value.should_retry)
    assert "CANARY" not in str(caught.value)
