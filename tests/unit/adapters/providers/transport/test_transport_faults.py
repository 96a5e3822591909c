"""What goes wrong on the way, rows 17-33 of the fault list, over both transports."""

import asyncio
import datetime
import gzip
import json
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.providers.anthropic.provider import create as create_anthropic
from adapters.providers.openai.provider import create
from adapters.testing.chat_provider_suite import call_for, events_of, text_of
from application.ports.chat_provider import ChatProvider, ProviderConfig, Timeouts, TransportName
from domain.chat import AnswerFinished, ProviderEvent, TextDelta
from domain.errors import ProviderFailure
from domain.secret import Secret
from tests.support import wire_upstream as wire

Make = Callable[[str], ChatProvider]
JSON = ("Content-Type", "application/json")
WHOLE = json.dumps(wire.openai_answer("Fine.")).encode()


@pytest.fixture(params=["direct", "sdk"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    made: list[ChatProvider] = []
    transport: TransportName = request.param

    def provider(url: str) -> ChatProvider:
        config = ProviderConfig(
            name="openai",
            kind="openai",
            api_key=Secret("sk-CANARY"),
            base_url=url,
            transport=transport,
            timeouts=Timeouts(connect_s=0.5),
        )
        made.append(create(config))
        return made[-1]

    yield provider
    for each in made:
        await each.aclose()


async def _failure(provider: ChatProvider, *, stream: bool = False) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as caught:
        await asyncio.wait_for(events_of(provider, call_for(stream=stream)), 10)
    for secret in ("CANARY", "127.0.0.1", "Say hello"):
        assert secret not in str(caught.value)
    return caught.value


async def test_a_redirect_is_not_followed(make: Make) -> None:
    """Row 17: the other host sees nothing."""
    async with wire.wire_upstream() as other:
        location = ("Location", f"{other.url}/v1/chat/completions")
        async with wire.wire_upstream(wire.raw(wire.head(307, location, length=0), then="keep")) as upstream:
            failure = await _failure(make(upstream.url))

    assert (failure.kind, failure.status) == ("redirect", 307)
    assert other.received == []


async def test_a_refused_connection(make: Make) -> None:
    """Row 19."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    failure = await _failure(make(f"http://127.0.0.1:{port}"))

    assert (failure.kind, failure.stale_connection) == ("connect", False)


async def test_failures_keep_their_kind_through_anthropics_sdk() -> None:
    """That SDK wraps what its HTTP layer raises; the failure inside is what counts."""
    async with wire.wire_upstream() as upstream:
        provider = create_anthropic(
            ProviderConfig(
                name="anthropic",
                kind="anthropic",
                api_key=Secret("sk-CANARY"),
                base_url=upstream.url,
                transport="sdk",
            )
        )
        await events_of(provider, call_for())
        upstream.reply = wire.raw(then="reset")
        lost = await _failure(provider)
        upstream.reply = wire.raw(b"HTTP/1.1 banana\r\n\r\n")
        garbled = await _failure(provider)
        await provider.aclose()

    assert (lost.kind, lost.stale_connection, garbled.kind) == ("connection_lost", True, "bad_body")


async def test_no_such_host(make: Make) -> None:
    """Row 18."""
    assert (await _failure(make("http://no-such-host.invalid"))).kind == "connect"


async def test_the_connect_limit_covers_the_handshake(make: Make) -> None:
    """Rows 18-20: a server that accepts and then keeps silent in TLS is cut at the connect limit."""
    async with wire.wire_upstream() as upstream:
        failure = await _failure(make(upstream.url.replace("http:", "https:")))

    assert failure.kind == "connect"


def _certificate(path: Path, *, name: str, expired: bool) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    end = now + datetime.timedelta(days=-1 if expired else 1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize(
    ("name", "expired"), [("localhost", False), ("localhost", True), ("other.example", False)]
)
async def test_certificates_are_verified(make: Make, tmp_path: Path, name: str, expired: bool) -> None:
    """Row 20: self-signed, expired, wrong name."""
    context = _certificate(tmp_path / "server.pem", name=name, expired=expired)
    async with wire.wire_upstream(ssl=context) as upstream:
        failure = await _failure(make(f"https://localhost:{upstream.port}"))

    assert failure.kind == "tls"
    assert upstream.received == []


async def test_garbage_in_place_of_tls(make: Make) -> None:
    """Row 20: a server that speaks no TLS."""

    async def garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.0 400 This is no TLS at all\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(garbage, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    failure = await _failure(make(f"https://127.0.0.1:{port}"))
    server.close()

    assert failure.kind == "tls"


@pytest.mark.parametrize("then", ["reset", "close"])
async def test_a_new_connection_lost_before_the_head_is_not_stale(make: Make, then: str) -> None:
    """Row 21."""
    async with wire.wire_upstream(wire.raw(then=then)) as upstream:
        failure = await _failure(make(upstream.url))

    assert (failure.kind, failure.stale_connection) == ("connection_lost", False)


@pytest.mark.parametrize("then", ["reset", "close"])
async def test_a_reused_connection_lost_before_a_byte_is_stale(make: Make, then: str) -> None:
    """Row 22: one silent retry is safe, and it then works on a new connection."""
    async with wire.wire_upstream() as upstream:
        provider = make(upstream.url)
        await events_of(provider, call_for())
        upstream.reply = wire.raw(then=then)
        failure = await _failure(provider)
        upstream.reply = wire.faithful("Again")
        events = await events_of(provider, call_for())

    assert (failure.kind, failure.stale_connection) == ("connection_lost", True)
    assert text_of(events) == "Again"
    assert upstream.connections == 2


async def test_a_reused_connection_lost_inside_the_head_is_not_stale(make: Make) -> None:
    """The vendor has begun to answer: it may have charged."""
    async with wire.wire_upstream() as upstream:
        provider = make(upstream.url)
        await events_of(provider, call_for())
        upstream.reply = wire.raw(b"HTTP/1.1 200 OK\r\nContent-Type: appl")
        failure = await _failure(provider)

    assert (failure.kind, failure.stale_connection) == ("connection_lost", False)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 banana\r\n\r\n",
        b"Hello there\r\n\r\n",
        wire.head(200, ("X-Big", "x" * 9000), length=0),
        wire.head(200, *((f"X-{number}", "x") for number in range(200)), length=0),
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_heads_that_are_not_http(make: Make, head: bytes) -> None:
    """Row 24."""
    async with wire.wire_upstream(wire.raw(head, then="keep")) as upstream:
        assert (await _failure(make(upstream.url))).kind == "bad_body"


async def test_interim_heads_are_skipped(make: Make) -> None:
    """Row 24: 100 and 103 come before the answer."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    answer = wire.raw(interim, wire.head(200, JSON, length=len(WHOLE)) + WHOLE, then="keep")
    async with wire.wire_upstream(answer) as upstream:
        assert text_of(await events_of(make(upstream.url), call_for())) == "Fine."


@pytest.mark.parametrize("stream", [False, True])
async def test_a_short_body(make: Make, stream: bool) -> None:
    """Row 25: never a partial answer."""
    async with wire.wire_upstream(
        wire.raw(wire.head(200, JSON, length=5000), b"{" + b" " * 2000)
    ) as upstream:
        assert (await _failure(make(upstream.url), stream=stream)).kind == "connection_lost"


async def test_half_a_json_with_a_clean_end(make: Make) -> None:
    """Row 26."""
    async with wire.wire_upstream(
        wire.raw(wire.head(200, JSON, ("Connection", "close")), WHOLE[:50])
    ) as upstream:
        assert (await _failure(make(upstream.url))).kind == "bad_body"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (wire.answer(b""), 200),
        (wire.raw(wire.head(204), then="keep"), 204),
        (wire.answer(b"<html>CANARY</html>", kind="text/html"), 200),
        (wire.answer(b"null"), 200),
        (wire.answer(b"[]"), 200),
        (wire.answer(b"[" * 100_000), 200),
    ],
)
async def test_bodies_that_are_no_answer(make: Make, reply: wire.Reply, status: int, stream: bool) -> None:
    """Row 27."""
    async with wire.wire_upstream(reply) as upstream:
        failure = await _failure(make(upstream.url), stream=stream)

    assert ("bad_body", status) == (failure.kind, failure.status)


async def test_an_error_page_of_any_size_keeps_its_class(make: Make) -> None:
    """Rows 7 and 32 together: the page is cut, the status says enough."""
    async with wire.wire_upstream(
        wire.answer(b"<html>" * 2_000_000, status=502, kind="text/html")
    ) as upstream:
        failure = await _failure(make(upstream.url))

    assert (failure.kind, failure.status) == ("server_error", 502)


async def _endless_json(_request: wire.Received, writer: asyncio.StreamWriter) -> bool:
    writer.write(wire.head(200, JSON, length=200_000_000))
    for _ in range(200_000_000 // 65536):
        writer.write(b" " * 65536)
        await writer.drain()
    return False


def _gzip_bomb() -> wire.Reply:
    packed = gzip.compress(b" " * 200_000_000)
    return wire.answer(packed, ("Content-Encoding", "gzip"))


@pytest.mark.parametrize("bomb", [lambda: _endless_json, _gzip_bomb], ids=["200 MB", "gzip"])
async def test_answers_above_the_cap_are_cut_off(make: Make, bomb: Callable[[], wire.Reply]) -> None:
    """Row 32: 8 MiB decompressed, and memory stays flat."""
    reply = bomb()
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with wire.wire_upstream(reply) as upstream:
        failure = await _failure(make(upstream.url))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib

    assert failure.kind == "too_large"
    assert grown_kib < 64 * 1024


async def test_a_body_that_does_not_decompress(make: Make) -> None:
    """The header says gzip, the body does not."""
    async with wire.wire_upstream(wire.answer(b"not gzip at all", ("Content-Encoding", "gzip"))) as upstream:
        assert (await _failure(make(upstream.url))).kind == "bad_body"


async def test_gzip_is_understood(make: Make) -> None:
    """Not asked for, but some proxies send it anyway."""
    async with wire.wire_upstream(
        wire.answer(gzip.compress(WHOLE), ("Content-Encoding", "gzip"))
    ) as upstream:
        assert text_of(await events_of(make(upstream.url), call_for())) == "Fine."


async def test_a_whole_answer_where_a_stream_was_asked_for(make: Make) -> None:
    """The type of the answer decides how it is read."""
    async with wire.wire_upstream(wire.answer(WHOLE)) as upstream:
        assert text_of(await events_of(make(upstream.url), call_for(stream=True))) == "Fine."


async def test_a_stream_where_a_whole_answer_was_asked_for(make: Make) -> None:
    """And the other way round."""
    async with wire.wire_upstream(wire.sse(wire.openai_frames("Fine."))) as upstream:
        events = await events_of(make(upstream.url), call_for())

    assert text_of(events) == "Fine."
    assert isinstance(events[-1], AnswerFinished)


async def _read(provider: ChatProvider) -> tuple[list[ProviderEvent], ProviderFailure | None]:
    seen: list[ProviderEvent] = []
    try:
        async with provider.open(call_for(stream=True)) as batches:
            async for batch in batches:
                seen.extend(batch)
    except ProviderFailure as failure:
        return seen, failure
    return seen, None


async def test_a_stream_cut_in_its_chunks(make: Make) -> None:
    """Row 37: the text so far, then a failure."""
    async with wire.wire_upstream(wire.sse(wire.openai_frames("Never whole")[:3], then="cut")) as upstream:
        seen, failure = await _read(make(upstream.url))

    assert text_of(seen) == "Never wh"
    assert failure is not None
    assert failure.kind == "connection_lost"


@pytest.mark.parametrize("then", ["end", "cut", "hang"])
async def test_a_finish_reason_makes_the_answer_whole(make: Make, then: str) -> None:
    """Row 39: however the stream ends after it, and within a second."""
    frames = wire.openai_frames("Whole")[:-2]
    async with wire.wire_upstream(wire.sse(frames, then=then)) as upstream:
        seen, failure = await asyncio.wait_for(_read(make(upstream.url)), 2)

    assert failure is None
    assert AnswerFinished(reason="stop") == seen[-1]


async def test_single_bytes_on_the_wire(make: Make) -> None:
    """Row 43: text is the same however it is cut."""
    text = "ünïcödé 😀\n\nend"
    body = b"".join(wire.openai_frames(text))
    async with wire.wire_upstream(wire.sse([body[at : at + 1] for at in range(len(body))])) as upstream:
        assert text == text_of(await events_of(make(upstream.url), call_for(stream=True)))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the other end of a socket sets no event
            await asyncio.sleep(0.01)


async def test_cancelling_before_the_head_closes_the_connection(make: Make) -> None:
    """A caller's first-token limit ends the upstream."""
    async with wire.wire_upstream(wire.raw(then="hang")) as upstream:
        task = asyncio.create_task(events_of(make(upstream.url), call_for()))
        await _until(lambda: bool(upstream.received))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await _peer_has_closed(upstream)


async def test_leaving_a_stream_closes_the_connection(make: Make) -> None:
    """Nobody pays for words that nobody reads."""
    async with wire.wire_upstream(wire.sse(wire.openai_frames("Never whole")[:3], then="hang")) as upstream:
        async with make(upstream.url).open(call_for(stream=True)) as batches:
            async for batch in batches:
                if any(isinstance(event, TextDelta) for event in batch):
                    break
        assert await _peer_has_closed(upstream)


async def _peer_has_closed(upstream: wire.WireUpstream) -> bool:
    await _until(upstream.clients_are_gone)
    return True


async def test_connections_are_reused(make: Make) -> None:
    """Whole answers, refusals and streams read to their end all give the connection back."""
    async with wire.wire_upstream() as upstream:
        provider = make(upstream.url)
        for _ in range(3):
            await events_of(provider, call_for())
            await events_of(provider, call_for(stream=True))
        upstream.reply = wire.json_answer({"error": {}}, status=429)
        await _failure(provider)
        upstream.reply = wire.faithful("Fine.")
        await events_of(provider, call_for())

    assert upstream.connections == 1


async def test_a_stream_whose_body_ends_after_its_end_mark_keeps_the_connection(make: Make) -> None:
    """The terminating chunk often comes in a segment of its own."""
    async with wire.wire_upstream(wire.sse(wire.openai_frames("Fine."), then="late")) as upstream:
        provider = make(upstream.url)
        await events_of(provider, call_for(stream=True))
        await events_of(provider, call_for(stream=True))

    assert upstream.connections == 1


async def test_a_server_that_waits_after_its_end_mark_delays_nobody(make: Make) -> None:
    """Row 46: the answer is whole, the connection is closed."""
    async with wire.wire_upstream(wire.sse(wire.openai_frames("Fine."), then="hang")) as upstream:
        events = await asyncio.wait_for(events_of(make(upstream.url), call_for(stream=True)), 1)
        assert await _peer_has_closed(upstream)

    assert text_of(events) == "Fine."


async def test_a_closed_provider_fails_calls(make: Make) -> None:
    """Nothing is opened behind the caller's back."""
    async with wire.wire_upstream() as upstream:
        provider = make(upstream.url)
        await events_of(provider, call_for())
        await provider.aclose()

        assert (await _failure(provider)).kind == "connection_lost"


async def test_answers_can_not_set_cookies(make: Make) -> None:
    """One caller's answer must not mark another's request."""
    reply: Callable[..., Awaitable[bool]] = wire.json_answer(
        wire.openai_answer("x"), ("Set-Cookie", "a=b; Path=/")
    )
    async with wire.wire_upstream(reply) as upstream:
        provider = make(upstream.url)
        await events_of(provider, call_for())
        await events_of(provider, call_for())

    assert "cookie" not in upstream.received[1].headers
