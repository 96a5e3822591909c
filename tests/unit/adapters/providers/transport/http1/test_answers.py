"""Bodies from real servers: held back, capped, compressed, broken."""

import asyncio
import gzip

import pytest

from adapters.providers.transport.port import MAX_BODY_BYTES
from domain.errors import ProviderFailure
from tests.support import wire_upstream as wire
from tests.support.http1 import Client, Run, drain

CHUNKED = ("Transfer-Encoding", "chunked")


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
                    await drain(answer)
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
