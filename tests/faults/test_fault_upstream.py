"""The fault upstream does what its tests rely on, seen through raw sockets."""

import asyncio
import gzip
import json
import socket
import ssl

import pytest

from tests.support.fault_upstream import wire
from tests.support.fault_upstream.certificates import Authority, TLSFault
from tests.support.fault_upstream.listeners import full_backlog, garbage_port, refused_port
from tests.support.fault_upstream.resolver import ABSENT_HOST, HANGING_HOST, broken_resolver
from tests.support.fault_upstream.server import FAULTS, FaultUpstream, fault_upstream
from tests.support.fault_upstream.wire import Wire

WIRES: tuple[Wire, ...] = ("openai", "anthropic")


def request(wire_name: Wire, model: str, *, stream: bool = False, close: bool = True) -> bytes:
    path = "/v1/chat/completions" if wire_name == "openai" else "/v1/messages"
    body = json.dumps({"model": model, "stream": stream, "messages": []}).encode()
    connection = "close" if close else "keep-alive"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: k\r\nConnection: {connection}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def converse(upstream: FaultUpstream, data: bytes, *, within_s: float = 30.0) -> bytes:
    """Sends `data` on a new connection and reads until the server ends it, or for `within_s`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    writer.write(data)
    received = bytearray()
    try:
        async with asyncio.timeout(within_s):
            while piece := await reader.read(65536):
                received += piece
    except TimeoutError:
        pass
    finally:
        writer.transport.abort()
    return bytes(received)


def split(response: bytes) -> tuple[str, bytes]:
    """The status line and the body."""
    head, _, body = response.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), body


@pytest.mark.parametrize("wire_name", WIRES)
async def test_ok_model_is_answered_well_and_logged(wire_name: Wire) -> None:
    """A request for `ok…` gets the wire's own answer, and all of it stands in the log."""
    async with fault_upstream() as upstream:
        status, body = split(await converse(upstream, request(wire_name, "ok-1")))

    assert status == "HTTP/1.1 200 Fault"
    assert json.loads(body) == wire.answer(wire_name, "ok-1")
    (attempt,) = upstream.attempts
    assert (attempt.wire, attempt.model, attempt.method) == (wire_name, "ok-1", "POST")
    assert attempt.headers["x-api-key"] == "k"
    assert attempt.body["messages"] == []
    assert not attempt.reused


@pytest.mark.parametrize("wire_name", WIRES)
async def test_stream_is_chunked_and_terminated(wire_name: Wire) -> None:
    """A request with `stream` gets all frames and the last chunk."""
    async with fault_upstream() as upstream:
        response = await converse(upstream, request(wire_name, "ok", stream=True))

    assert response.endswith(b"\r\n0\r\n\r\n")
    for frame in wire.stream(wire_name, "ok"):
        assert frame in response


async def test_once_fails_the_first_time_only() -> None:
    """`-once` and `-twice` count the requests for that very model."""
    async with fault_upstream() as upstream:
        once = [
            split(await converse(upstream, request("openai", "f06-500-once")))[0].split()[1] for _ in range(2)
        ]
        twice = [
            split(await converse(upstream, request("openai", "f06-500-twice")))[0].split()[1]
            for _ in range(3)
        ]

    assert once == ["500", "200"]
    assert twice == ["500", "500", "200"]
    assert [attempt.number for attempt in upstream.seen("f06-500-once")] == [0, 1]
    assert len(upstream.gaps_s("f06-500-twice")) == 2


async def test_connection_is_kept_and_reuse_is_logged() -> None:
    """Two requests on one connection are both answered; the second is marked as reused and dropped by f22."""
    async with fault_upstream() as upstream:
        response = await converse(
            upstream, request("openai", "ok", close=False) + request("openai", "f22-stale")
        )

    assert response.count(b"HTTP/1.1 200") == 1
    assert [attempt.reused for attempt in upstream.attempts] == [False, True]


async def test_unknown_fault_fails_the_test() -> None:
    """A model name that stands for no fault is an error of the test, not a silent answer."""
    with pytest.raises(ExceptionGroup, match="fault upstream itself"):
        async with fault_upstream() as upstream:
            await converse(upstream, request("openai", "f99-typo"))


async def test_reset_is_a_rst() -> None:
    """A reset reaches the client as ECONNRESET, before any byte."""
    async with fault_upstream() as upstream:
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        writer.write(request("openai", "f21-reset"))
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
        writer.transport.abort()


async def test_short_body_lacks_what_it_promised() -> None:
    """Content-Length says 5000, 2000 bytes come, then the end."""
    async with fault_upstream() as upstream:
        response = await converse(upstream, request("openai", "f25-short"))

    assert b"content-length: 5000" in response
    assert len(split(response)[1]) == 2000


async def test_gzip_bomb_is_small_and_unpacks_to_an_answer() -> None:
    """About 200 KB unpack to 200 MB."""
    async with fault_upstream() as upstream:
        _, body = split(await converse(upstream, request("openai", "f32-gzip")))

    assert len(body) < 300_000
    assert len(gzip.decompress(body)) > 199_000_000


async def test_trickle_sends_a_byte_at_a_time() -> None:
    """Within 0.3 s no more than the first byte of the head has come."""
    async with fault_upstream() as upstream:
        assert await converse(upstream, request("openai", "f24-trickle"), within_s=0.3) == b"H"


@pytest.mark.parametrize("wire_name", WIRES)
@pytest.mark.parametrize(
    "name", sorted(name for name in FAULTS if name not in ("f32-huge", "f32-gzip", "f24-endless-headers"))
)
async def test_every_fault_runs_on_both_wires(name: str, wire_name: Wire) -> None:
    """No fault breaks the upstream itself, streamed or not."""
    async with fault_upstream() as upstream:
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        for stream in (False, True):
            writer.write(request(wire_name, name, stream=stream, close=False))
        try:
            await asyncio.wait_for(reader.read(100), 0.03)
        except (TimeoutError, ConnectionResetError):
            pass  # silence and a reset are what some of them are for
        writer.transport.abort()

    assert upstream.attempts


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("expired", "certificate has expired"),
        ("self_signed", "self-signed certificate"),
        ("wrong_name", "IP address mismatch"),
    ],
)
async def test_each_certificate_has_just_its_fault(fault: TLSFault, reason: str) -> None:
    """A client that trusts the authority refuses each certificate for the one reason it was made for."""
    authority = Authority.make()
    client = ssl.create_default_context(cadata=authority.pem)
    async with fault_upstream(authority.server_context(fault)) as upstream:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            await asyncio.open_connection("127.0.0.1", upstream.port, ssl=client)


async def test_faultless_certificate_is_trusted() -> None:
    """The same authority's good certificate passes, so the faults above are the only ones."""
    authority = Authority.make()
    client = ssl.create_default_context(cadata=authority.pem)
    async with fault_upstream(authority.server_context("none")) as upstream:
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port, ssl=client)
        writer.write(request("openai", "ok"))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.transport.abort()


async def test_dead_addresses_are_dead_in_their_way() -> None:
    """One port refuses, one never answers, one talks nonsense."""
    with refused_port() as port, pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    with full_backlog() as port, pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 0.3)
    async with garbage_port() as port:
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())


async def test_broken_resolver_fails_or_hangs_and_lets_go() -> None:
    """One name does not exist, the other keeps its caller waiting until the test ends."""
    with broken_resolver() as asked:
        with pytest.raises(socket.gaierror):
            await asyncio.get_running_loop().getaddrinfo(ABSENT_HOST, 80)
        hanging = asyncio.ensure_future(asyncio.get_running_loop().getaddrinfo(HANGING_HOST, 80))
        await asyncio.sleep(0.1)
        assert not hanging.done()
    with pytest.raises(socket.gaierror):
        await hanging

    assert asked == [ABSENT_HOST, HANGING_HOST]
