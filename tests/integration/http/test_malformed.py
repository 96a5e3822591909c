"""Requests that are broken on purpose: the answer is a 4xx problem that quotes nothing, and the server lives."""

import asyncio
from pathlib import Path

import pytest

from tests.support.http import parse, serving
from tests.support.waiting import eventually

CANARY = b"CANARY"
BODY = b'{"prompt":"hi"}'


def chat(
    *headers: bytes, body: bytes = BODY, target: bytes = b"/chat", version: bytes = b"HTTP/1.1"
) -> bytes:
    head = b"\r\n".join([b"POST " + target + b" " + version, b"Content-Type: application/json", *headers])
    return head + b"\r\n\r\n" + body


HOST = b"Host: localhost"
LENGTH = b"Content-Length: 15"
CLOSE = b"Connection: close"

SMUGGLING = {
    "two lengths": chat(HOST, LENGTH, b"Content-Length: 16"),
    "the same length twice": chat(HOST, LENGTH, LENGTH),
    "a list of lengths": chat(HOST, b"Content-Length: 15, 15"),
    "length and chunks": chat(HOST, LENGTH, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunks and length": chat(HOST, b"Transfer-Encoding: chunked", LENGTH, body=b"0\r\n\r\n"),
    "chunks not last": chat(HOST, b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"),
    "an unknown coding": chat(HOST, b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "chunks twice": chat(HOST, b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "a signed length": chat(HOST, b"Content-Length: +15"),
    "a negative length": chat(HOST, b"Content-Length: -1"),
    "a hexadecimal length": chat(HOST, b"Content-Length: 0xf"),
    "bare line feeds": chat(HOST, LENGTH).replace(b"\r\n", b"\n"),
    "one bare line feed": b"POST /chat HTTP/1.1\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    "a bare carriage return": chat(HOST, b"X-A: CANARY\rX-B: 1", LENGTH),
    "a folded header": chat(HOST, b"X-A: 1\r\n CANARY", LENGTH),
    "NUL in a value": chat(HOST, b"X-A: CAN\x00CANARY", LENGTH),
    "NUL in Authorization": chat(HOST, b"Authorization: Bearer \x00CANARY", LENGTH),
    "a space before the colon": chat(HOST, b"Content-Length : 15"),
    "a header without a name": chat(HOST, b": CANARY", LENGTH),
    "a header without a colon": chat(HOST, b"CANARY", LENGTH),
    "two hosts": chat(HOST, b"Host: CANARY", LENGTH),
    "no method": b"/CANARY HTTP/1.1\r\nHost: x\r\n\r\n",
    "an odd method": b"G@T /CANARY HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown version": chat(HOST, LENGTH, version=b"HTTP/9.9"),
    "TLS to a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03CANARY\r\n\r\n",
    "a header of 10 KB": chat(HOST, b"X-A: " + b"CANARY" * 2000, LENGTH),
    "a line of 10 KB": chat(HOST, LENGTH, target=b"/" + b"CANARY" * 2000),
    "300 headers": chat(HOST, *[b"X-%d: CANARY" % number for number in range(300)], LENGTH),
}


@pytest.mark.parametrize("request_bytes", SMUGGLING.values(), ids=SMUGGLING.keys())
async def test_a_broken_request_is_a_400_without_echo(
    request_bytes: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A problem of ours, the connection closed, nothing quoted in the answer or the log, nothing served."""
    async with serving(tmp_path) as server:
        answered = await server.raw(request_bytes)
        status, problem = parse(answered)

        assert (status, problem["code"]) == (400, "malformed_request")
        assert answered.count(b"HTTP/1.") == 1
        assert CANARY not in answered
        assert b"application/problem+json" in answered
        assert b"X-Request-ID: " + problem["request_id"].encode() in answered
        assert CANARY.decode() not in caplog.text + "".join(capfd.readouterr())
        assert [(event.route, event.method, event.status) for event in server.telemetry.served] == [
            ("unmatched", "OTHER", 400)
        ]
        assert parse(await server.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")) == (
            200,
            {"status": "ok"},
        )


async def test_a_broken_chunk_is_a_400(tmp_path: Path) -> None:
    """The head is fine, the body is not."""
    async with serving(tmp_path) as server:
        status, problem = parse(
            await server.raw(chat(HOST, b"Transfer-Encoding: chunked", CLOSE, body=b"zz\r\nCANARY\r\n"))
        )

    assert status == 400
    assert "CANARY" not in str(problem)


async def test_a_cr_lf_in_the_request_id_makes_no_header(tmp_path: Path) -> None:
    """Neither raw, where it ends the header, nor encoded."""
    async with serving(tmp_path) as server:
        request = (
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: a%0d%0aX-Evil: 1\r\n\r\n"
        )
        encoded = await server.raw(request)
        raw = await server.raw(request.replace(b"%0d%0a", b"\r\n"))

    assert b"Evil" not in encoded
    assert b"Evil" not in raw
    assert b"X-Request-ID: a\r\n" in raw


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        (b"/healthz", b"evil/?", 200),
        (b"/healthz", b"evil/healthz?x=", 200),
        (b"http://evil/healthz", b"localhost", 200),
        (b"/%61dmin", b"localhost", 404),
        (b"/nope", b"localhost/healthz?", 404),
        (b"/healthz/..%2fmetrics", b"localhost", 404),
        (b"//healthz", b"localhost", 404),
        (b"/healthz;x=1", b"localhost", 404),
        (b"/chat/../healthz", b"localhost", 404),
        (b"/healthz?api_key=CANARY", b"localhost", 200),
        (b"/HEALTHZ", b"localhost", 404),
    ],
)
async def test_only_the_path_of_the_target_decides_the_route(
    target: bytes, host: bytes, status: int, tmp_path: Path
) -> None:
    """Host, scheme and query choose nothing (security 3); telemetry has the template (16)."""
    async with serving(tmp_path) as server:
        answered = await server.raw(
            b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (target, host)
        )

        assert (status, b"evil" in answered, CANARY in answered) in (
            (status, False, False),
            (400, False, False),
        )
        assert parse(answered)[0] in ((status, 400) if host != b"localhost" else (status,))
        routes = {event.route for event in server.telemetry.served}
        assert routes <= {"/healthz", "unmatched"}


async def test_an_odd_expectation_is_refused_without_echo(tmp_path: Path) -> None:
    """Also where no route is: aiohttp would quote it."""
    async with serving(tmp_path) as server:
        for target in (b"/chat", b"/nope"):
            answered = await server.raw(
                chat(HOST, b"Expect: CANARY", b"Content-Length: 0", target=target, body=b"")
            )

            assert (parse(answered)[0], CANARY in answered) == (417, False)


async def test_another_method_is_a_405_that_names_those_allowed(tmp_path: Path) -> None:
    """A problem like any other."""
    async with serving(tmp_path) as server:
        async with server.client.patch("/chat") as response:
            problem = await response.json()

    assert (response.status, problem["code"], response.headers["Allow"]) == (
        405,
        "method_not_allowed",
        "POST",
    )


async def test_unknown_methods_and_paths_make_one_label(tmp_path: Path) -> None:
    """Telemetry has closed sets only (security 30)."""
    async with serving(tmp_path) as server:
        for target in (b"BREW /chat", b"PROPFIND /a", b"SUBSCRIBE /b"):
            await server.raw(target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        served = {(event.route, event.method) for event in server.telemetry.served}

    assert served == {("unmatched", "OTHER")}


@pytest.mark.parametrize("reset", [False, True])
async def test_who_leaves_amid_a_body_is_no_fault_of_ours(
    tmp_path: Path, reset: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """It counts as a client that went away, and nobody is paged."""
    async with serving(tmp_path) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(chat(HOST, b"Content-Length: 1000"))
        await eventually(lambda: server.state.in_flight == 1)
        if reset:
            writer.transport.abort()
        else:
            writer.close()
            await writer.wait_closed()
        await eventually(lambda: bool(server.telemetry.served))

    assert [499] == [served.status for served in server.telemetry.served]
    assert "unexpected" not in caplog.text
