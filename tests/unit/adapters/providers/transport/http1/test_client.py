"""The client against real servers, on asyncio's and uvloop's event loops."""

import asyncio
import gzip
import random
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import pytest
import uvloop

from adapters.providers.transport.http1.addresses import Addresses, Resolve
from adapters.providers.transport.http1.answer import HTTPAnswer
from adapters.providers.transport.http1.client import HTTP1Client
from adapters.providers.transport.http1.dialer import Dialer
from adapters.providers.transport.http1.pool import Pool
from adapters.providers.transport.http1.request import prepare
from adapters.providers.transport.port import MAX_BODY_BYTES
from domain.errors import ProviderFailure
from tests.support import wire_upstream as wire
from tests.support.fault_upstream.certificates import Authority, TLSFault

Scenario: TypeAlias = Coroutine[Any, Any, None]
Run: TypeAlias = Callable[[Scenario], None]
CHUNKED = ("Transfer-Encoding", "chunked")


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a scenario to its end; a task or an error that it leaves behind in the loop fails the test."""

    async def watched(scenario: Scenario) -> None:
        unhandled: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        await asyncio.wait_for(scenario, 20)
        await asyncio.sleep(0.01)

        assert [] == unhandled

    def run_scenario(scenario: Scenario) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(watched(scenario))

    return run_scenario


class Client:
    """The client under test, with requests made up on the way."""

    def __init__(
        self, *, authority: Authority | None = None, connect_s: float = 2.0, resolve: Resolve | None = None
    ) -> None:
        tls = None if authority is None else ssl.create_default_context(cadata=authority.pem)
        self.client = HTTP1Client(
            dialer=Dialer(connect_s=connect_s, tls=tls, addresses=Addresses(resolve=resolve))
        )

    async def send(self, url: str, body: bytes = b"{}") -> HTTPAnswer:
        return await self.client.send(prepare("POST", url + "/v1/chat", []), body)

    async def failure(self, url: str) -> ProviderFailure:
        try:
            await (await self.send(url)).read()
        except ProviderFailure as failure:
            return failure
        raise AssertionError("it went through")

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the other side has no event for it
            await asyncio.sleep(0.005)


async def _drain(answer: HTTPAnswer) -> None:
    while await answer.block():
        pass


def test_one_connection_serves_call_after_call(run: Run) -> None:
    """Bodies by length and in chunks, empty and not."""

    async def scenario() -> None:
        async with wire.wire_upstream() as upstream, Client() as client:
            for reply, expected in (
                (wire.answer(b"whole"), b"whole"),
                (wire.answer(b""), b""),
                (wire.sse([b"in ", b"chunks"]), b"in chunks"),
                (wire.raw(wire.head(204), then="keep"), b""),
                (wire.raw(wire.head(length=4), b"an", b"d.", then="keep"), b"and."),
            ):
                upstream.reply = reply
                answer = await client.send(upstream.url)

                assert expected == await answer.read()
            assert 1 == upstream.connections

    run(scenario())


@pytest.mark.parametrize(
    "pieces",
    [
        [wire.head(200, ("Connection", "close"), length=2) + b"ok"],
        [wire.head(200) + b"o", b"k"],
        [wire.head(length=2) + b"ok and more"],
        [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
    ],
    ids=["connection: close", "until close", "surplus", "HTTP/1.0"],
)
def test_a_connection_in_doubt_is_not_used_again(run: Run, pieces: list[bytes]) -> None:
    """The answer counts, the connection is closed."""

    async def scenario() -> None:
        async with wire.wire_upstream() as upstream, Client() as client:
            upstream.reply = wire.raw(*pieces)
            assert b"ok" == await (await client.send(upstream.url)).read()
            upstream.reply = wire.answer(b"next")
            assert b"next" == await (await client.send(upstream.url)).read()
            assert 2 == upstream.connections

    run(scenario())


@pytest.mark.parametrize("then", ["close", "reset", "speak"])
def test_an_idle_connection_that_changed_is_dropped(run: Run, then: str) -> None:
    """Closed by the server, or with bytes that nobody asked for: the next call takes a new one."""
    held: list[asyncio.StreamWriter] = []

    async def keep(request: wire.Received, writer: asyncio.StreamWriter) -> bool:
        held.append(writer)
        return await wire.answer(b"ok")(request, writer)

    async def scenario() -> None:
        async with wire.wire_upstream(keep) as upstream, Client() as client:
            await (await client.send(upstream.url)).read()
            if then == "close":
                held[0].close()
            elif then == "reset":
                wire.reset(held[0])
            else:
                held[0].write(wire.head(length=6) + b"poison")
            await asyncio.sleep(0.05)

            assert b"ok" == await (await client.send(upstream.url)).read()
            assert 2 == upstream.connections

    run(scenario())


@pytest.mark.parametrize("then", ["close", "reset"])
def test_a_reused_connection_that_dies_unanswered_is_stale(run: Run, then: str) -> None:
    """A new one is not, nor one that had begun to answer."""

    async def scenario() -> None:
        async with wire.wire_upstream(wire.raw(then=then)) as upstream, Client() as client:
            new = await client.failure(upstream.url)
            kinds = []
            for begun in (b"", b"HTTP", wire.head(103)):
                upstream.reply = wire.answer(b"ok")
                await (await client.send(upstream.url)).read()
                upstream.reply = wire.raw(begun, then=then) if begun else wire.raw(then=then)
                kinds.append(await client.failure(upstream.url))

            assert "connection_lost" == new.kind
            assert [False, True] == [new.stale_connection, kinds[0].stale_connection]
            if then == "close":  # a reset may overtake the bytes before it
                assert [False, False] == [kind.stale_connection for kind in kinds[1:]]

    run(scenario())


def test_many_calls_at_once_get_their_own_answers(run: Run) -> None:
    """And their connections are all used again."""

    async def echo(request: wire.Received, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(0.001)
        return await wire.answer(request.body * 1000)(request, writer)

    async def scenario() -> None:
        async with wire.wire_upstream(echo) as upstream, Client() as client:

            async def call(number: int) -> None:
                body = b"%d," % number

                assert body * 1000 == await (await client.send(upstream.url, body)).read()

            for _ in range(3):
                await asyncio.gather(*(call(number) for number in range(100)))
            assert upstream.connections <= 100

    run(scenario())


def test_cancelled_calls_never_mix_up_answers(run: Run) -> None:
    """Calls given up at any moment, among others that share the connections: each gets its own answer or none."""
    chance = random.Random(3000)  # noqa: S311 - any numbers will do, and the same each time

    async def echo(request: wire.Received, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(chance.random() * 0.002)
        reply = wire.answer(request.body * 50) if chance.random() < 0.5 else wire.sse([request.body] * 50)
        return await reply(request, writer)

    async def scenario() -> None:
        served = 0
        async with wire.wire_upstream(echo) as upstream, Client() as client:

            async def caller(name: int) -> None:
                nonlocal served
                for number in range(40):
                    body = b"<%d %d>" % (name, number)
                    answer = None
                    try:
                        async with asyncio.timeout(chance.choice([0.0, 0.0005, 0.001, 0.002, 0.003, 5])):
                            answer = await client.send(upstream.url, body)
                            assert body * 50 == await answer.read()
                            served += 1
                    except TimeoutError:
                        continue
                    finally:
                        if answer is not None:
                            answer.close()

            await asyncio.gather(*(caller(name) for name in range(25)))
            assert served > 100
            assert upstream.connections > 25

    run(scenario())


def test_a_large_request_arrives_whole(run: Run) -> None:
    """Larger than any socket buffer."""
    body = b"x" * 5_000_000

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(b"ok")) as upstream, Client() as client:
            assert b"ok" == await (await client.send(upstream.url, body)).read()
            assert body == upstream.received[0].body

    run(scenario())


def test_an_early_answer_costs_the_connection(run: Run) -> None:
    """The rest of the request would be read as the next one."""

    async def scenario() -> None:
        done = asyncio.Event()

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(wire.head(413, length=3) + b"no!")
            await done.wait()
            writer.transport.abort()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=4096)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Client() as client:
            for _ in range(2):  # over the first connection, the second call would wait for ever
                answer = await client.send(url, b"x" * 20_000_000)

                assert (413, b"no!") == (answer.status, await answer.read())
        done.set()
        server.close()

    run(scenario())


@pytest.mark.parametrize("moment", ["before the head", "inside the body"])
def test_cancelling_closes_the_connection(run: Run, moment: str) -> None:
    """The server sees it at once."""
    reply = wire.raw(then="hang") if moment == "before the head" else wire.sse([b"word"], then="hang")

    async def scenario() -> None:
        async with wire.wire_upstream(reply) as upstream, Client() as client:

            async def call() -> None:
                answer = await client.send(upstream.url)
                try:
                    await answer.read()
                finally:
                    answer.close()

            task = asyncio.create_task(call())
            await _until(lambda: bool(upstream.received))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await _until(upstream.clients_are_gone)

    run(scenario())


def test_closing_an_answer_wakes_who_reads_it(run: Run) -> None:
    """What had come is dropped: the reader gets a failure, never an end."""

    async def scenario() -> None:
        async with wire.wire_upstream(wire.sse([b"word"], then="hang")) as upstream, Client() as client:
            answer = await client.send(upstream.url)
            reading = asyncio.create_task(answer.read())
            await asyncio.sleep(0.02)
            answer.close()
            answer.close()
            with pytest.raises(ProviderFailure) as caught:
                await reading

            assert "connection_lost" == caught.value.kind
            await _until(upstream.clients_are_gone)

    run(scenario())


def test_closing_the_client_ends_what_is_in_flight(run: Run) -> None:
    """Idle connections, waiting calls and half-read answers; later calls fail too."""

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(b"ok")) as upstream:
            client = Client()
            first, second = await asyncio.gather(client.send(upstream.url), client.send(upstream.url))
            await first.read()
            await second.read()
            upstream.reply = wire.sse([b"word"], then="hang")
            answer = await client.send(upstream.url)
            upstream.reply = wire.raw(then="hang")
            waiting = asyncio.create_task(client.failure(upstream.url))
            await _until(lambda: len(upstream.received) == 4)
            await client.client.aclose()

            assert "connection_lost" == (await waiting).kind
            assert b"word" == await answer.block()
            with pytest.raises(ProviderFailure):
                await answer.block()
            assert "connection_lost" == (await client.failure(upstream.url)).kind
            await _until(upstream.clients_are_gone)

    run(scenario())


def test_a_slow_reader_holds_the_sender_back(run: Run) -> None:
    """About 256 KiB wait here, the rest stays with the server; then all of it comes."""
    total = 30_000_000
    sent = 0

    async def flood(_request: wire.Received, writer: asyncio.StreamWriter) -> bool:
        nonlocal sent
        writer.write(wire.head(length=total))
        while sent < total:
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000
        return True

    async def scenario() -> None:
        async with wire.wire_upstream(flood) as upstream, Client() as client:
            answer = await client.send(upstream.url)
            await asyncio.sleep(0.3)
            held_back = sent
            size = 0
            while block := await answer.block():
                size += len(block)
                assert len(block) < 2_000_000

            assert held_back < total // 2
            assert total == size
            upstream.reply = wire.answer(b"again")
            assert b"again" == await (await client.send(upstream.url)).read()
            assert 1 == upstream.connections

    run(scenario())


def test_answers_above_the_cap_are_cut_off(run: Run) -> None:
    """Plain and compressed; one of just the cap is whole."""
    size = MAX_BODY_BYTES
    over = b" " * (size + 1)
    packed = ("Content-Encoding", "gzip")

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(over)) as upstream, Client() as client:
            assert "too_large" == (await client.failure(upstream.url)).kind
            upstream.reply = wire.answer(gzip.compress(over), packed)
            assert "too_large" == (await client.failure(upstream.url)).kind
            for reply in (wire.answer(over[1:]), wire.answer(gzip.compress(over[1:]), packed)):
                upstream.reply = reply
                assert size == len(await (await client.send(upstream.url)).read())

    run(scenario())


def test_compressed_streams_come_in_bounded_blocks(run: Run) -> None:
    """A bomb can't fill the memory, and what does not decompress is no end."""
    bomb = gzip.compress(b" " * 50_000_000)

    async def scenario() -> None:
        packed = ("Content-Encoding", "gzip")
        async with wire.wire_upstream(wire.answer(bomb, packed)) as upstream, Client() as client:
            answer = await client.send(upstream.url)
            size = 0
            while block := await answer.block():
                assert len(block) <= 256 * 1024
                size += len(block)
            assert 50_000_000 == size
            for broken, coding in ((bomb[:-9], "gzip"), (b"plain", "deflate"), (b"plain", "br")):
                upstream.reply = wire.answer(broken, ("Content-Encoding", coding))
                answer = await client.send(upstream.url)
                with pytest.raises(ProviderFailure) as caught:
                    await _drain(answer)
                assert "bad_body" == caught.value.kind

    run(scenario())


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([b"220 mail.example ESMTP\r\n"], "bad_body"),
        ([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"], "bad_body"),
        ([wire.head(100) * 40], "bad_body"),
        ([wire.head(200, CHUNKED), b"5\r\nhello\r\nbanana"], "connection_lost"),
        ([wire.head(200, CHUNKED), b"5\r\nhello\r\nbanana\r\n"], "bad_body"),
        ([wire.head(200, CHUNKED) + b"-5\r\nhello\r\n"], "bad_body"),
        ([wire.head(200, CHUNKED), b"5\r\nhello\r\n"], "connection_lost"),
        ([wire.head(200, CHUNKED), b"5\r\nhello\r\n0\r\n"], "connection_lost"),
        ([wire.head(length=10), b"hello"], "connection_lost"),
        ([b"HTTP/1.1 200 OK\r\nContent-"], "connection_lost"),
    ],
)
def test_broken_answers(run: Run, pieces: list[bytes], kind: str) -> None:
    """None is taken for whole, and the next call is served."""

    async def scenario() -> None:
        async with wire.wire_upstream(wire.raw(*pieces)) as upstream, Client() as client:
            assert kind == (await client.failure(upstream.url)).kind
            upstream.reply = wire.answer(b"ok")
            assert b"ok" == await (await client.send(upstream.url)).read()

    run(scenario())


def test_a_status_is_told_even_where_the_body_is_broken(run: Run) -> None:
    """Whether both come in one piece or in two."""

    async def scenario() -> None:
        for pieces in ([wire.head(502, CHUNKED), b"zz\r\n"], [wire.head(502, CHUNKED) + b"zz\r\n"]):
            async with wire.wire_upstream(wire.raw(*pieces)) as upstream, Client() as client:
                answer = await client.send(upstream.url)

                assert 502 == answer.status
                with pytest.raises(ProviderFailure):
                    await answer.read()

    run(scenario())


def test_ipv6(run: Run) -> None:
    """By address."""

    async def scenario() -> None:
        upstream = wire.WireUpstream(wire.answer(b"six"))
        server = await asyncio.start_server(upstream._serve, "::1", 0)
        async with Client() as client:
            url = f"http://[::1]:{server.sockets[0].getsockname()[1]}"

            assert b"six" == await (await client.send(url)).read()
            assert upstream.received[0].headers["host"].startswith("[::1]:")
        server.close()

    run(scenario())


def test_a_name_is_looked_up_once_for_many(run: Run) -> None:
    """Its addresses are tried until one answers, here the second."""
    asked: list[str] = []

    async def resolve(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        await asyncio.sleep(0.01)
        stream = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [
            (socket.AF_INET6, *stream, ("::1", port, 0, 0)),
            (socket.AF_INET, *stream, ("127.0.0.1", port)),
        ]

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(b"ok")) as upstream, Client(resolve=resolve) as client:
            url = upstream.url.replace("127.0.0.1", "model.internal")
            answers = await asyncio.gather(*(client.send(url) for _ in range(20)))

            assert [b"ok"] * 20 == [await answer.read() for answer in answers]
            assert ["model.internal"] == asked

    run(scenario())


def test_a_name_is_asked_again_once_its_addresses_fail(run: Run) -> None:
    """A service that moved is found without waiting for the memory of names to expire."""
    hosts = ["127.0.0.1", "127.0.0.9", "127.0.0.1"]

    async def resolve(_host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (hosts.pop(0), port))]

    async def scenario() -> None:
        closing = ("Connection", "close")
        async with (
            wire.wire_upstream(wire.answer(b"ok", closing)) as upstream,
            Client(resolve=resolve) as client,
        ):
            url = upstream.url.replace("127.0.0.1", "model.internal")
            for _ in range(2):
                assert b"ok" == await (await client.send(url)).read()
            assert 2 == len(hosts)
            client.client._dialer._addresses.forget("model.internal", upstream.port)
            assert "connect" == (await client.failure(url)).kind
            assert b"ok" == await (await client.send(url)).read()
            assert [] == hosts

    run(scenario())


def test_tls(run: Run) -> None:
    """With an authority that the test trusts: calls, streams, reuse, cuts; without, a refusal."""
    authority = Authority.make()

    async def scenario() -> None:
        server = authority.server_context("none")
        async with wire.wire_upstream(wire.answer(b"x" * 3_000_000), ssl=server) as upstream:
            url = upstream.url.replace("http:", "https:")
            async with Client(authority=authority) as client:
                for _ in range(3):
                    assert 3_000_000 == len(await (await client.send(url)).read())
                assert 1 == upstream.connections
                upstream.reply = wire.sse([b"a", b"b"], then="cut")
                answer = await client.send(url)
                with pytest.raises(ProviderFailure):
                    await answer.read()
                upstream.reply = wire.sse([b"a"], then="hang")
                answer = await client.send(url)
                assert b"a" == await answer.block()
                answer.close()
            await _until(upstream.clients_are_gone)
            async with Client() as stranger:
                assert "tls" == (await stranger.failure(url)).kind

    run(scenario())


@pytest.mark.parametrize("fault", ["expired", "self_signed", "wrong_name"])
def test_certificates_with_a_fault_are_refused(run: Run, fault: TLSFault) -> None:
    """Though their authority is trusted; no request is sent."""
    authority = Authority.make()

    async def scenario() -> None:
        async with wire.wire_upstream(ssl=authority.server_context(fault)) as upstream:
            async with Client(authority=authority) as client:
                failure = await client.failure(upstream.url.replace("http:", "https:"))

                assert "tls" == failure.kind
                assert [] == upstream.received

    run(scenario())


def test_a_context_that_does_not_verify_is_refused() -> None:
    """There is no way to turn verification off."""
    context = ssl.create_default_context()
    context.check_hostname = False
    for mode in (ssl.CERT_REQUIRED, ssl.CERT_NONE):
        context.verify_mode = mode
        with pytest.raises(ValueError, match="verify"):
            Dialer(connect_s=1.0, tls=context)


def test_connecting_has_one_limit(run: Run) -> None:
    """A server that accepts and then says nothing in TLS; another try is not worth it."""

    async def scenario() -> None:
        async with wire.wire_upstream() as upstream, Client(connect_s=0.2) as client:
            failure = await client.failure(upstream.url.replace("http:", "https:"))

            assert ("connect", False) == (failure.kind, failure.should_retry)
            await _until(upstream.clients_are_gone)

    run(scenario())


def test_small_requests_are_not_held_back(run: Run) -> None:
    """Nagle's algorithm would let a request wait for the acknowledgement of the one before."""

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(b"ok")) as upstream, Client() as client:
            request = prepare("POST", upstream.url, [])
            pool = Pool()
            connection = await client.client._dialer.connect(request.origin, pool)
            assert connection._transport is not None
            opened = connection._transport.get_extra_info("socket")

            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            await pool.aclose()

    run(scenario())


def test_connections_are_not_used_after_a_long_idle_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are closed when their time is over, whether or not another call comes."""
    monkeypatch.setattr("adapters.providers.transport.http1.pool.IDLE_S", 0.05)

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(b"ok")) as upstream, Client() as client:
            await (await client.send(upstream.url)).read()
            await _until(upstream.clients_are_gone)
            await (await client.send(upstream.url)).read()

            assert 2 == upstream.connections

    run(scenario())


def test_the_last_connection_used_is_the_first_used_again(run: Run) -> None:
    """So that those above what is needed grow old."""

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(b"ok")) as upstream, Client() as client:
            origin = prepare("POST", upstream.url, []).origin
            pool = Pool()
            first = await client.client._dialer.connect(origin, pool)
            second = await client.client._dialer.connect(origin, pool)
            for connection in (second, first):
                pool.freed(connection)

            assert [first, second, None] == [pool.take() for _ in range(3)]
            await pool.aclose()

    run(scenario())


def test_refused_and_unknown_hosts(run: Run) -> None:
    """Both are connect failures that another try may heal."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def scenario() -> None:
        async with Client() as client:
            for url in (f"http://127.0.0.1:{port}", "http://no-such-host.invalid"):
                failure = await client.failure(url)
                assert ("connect", None) == (failure.kind, failure.should_retry)

    run(scenario())
