"""Calls over pooled connections of real servers: reuse, many at once, giving up."""

import asyncio
import random

import pytest

from domain.errors import ProviderFailure
from tests.support import wire_upstream as wire
from tests.support.http1 import Client, Run, until


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
            await until(lambda: bool(upstream.received))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await until(upstream.clients_are_gone)

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
            await until(upstream.clients_are_gone)

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
            await until(lambda: len(upstream.received) == 4)
            await client.client.aclose()

            assert "connection_lost" == (await waiting).kind
            assert b"word" == await answer.block()
            with pytest.raises(ProviderFailure):
                await answer.block()
            assert "connection_lost" == (await client.failure(upstream.url)).kind
            await until(upstream.clients_are_gone)

    run(scenario())


def test_connections_are_not_used_after_a_long_idle_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are closed when their time is over, whether or not another call comes."""
    monkeypatch.setattr("adapters.providers.transport.http1.pool.IDLE_S", 0.05)

    async def scenario() -> None:
        async with wire.wire_upstream(wire.answer(b"ok")) as upstream, Client() as client:
            await (await client.send(upstream.url)).read()
            await until(upstream.clients_are_gone)
            await (await client.send(upstream.url)).read()

            assert 2 == upstream.connections

    run(scenario())
