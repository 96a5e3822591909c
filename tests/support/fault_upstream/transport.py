"""Rows 21 to 24: connections that end, stall or talk nonsense before a body comes."""

from typing import Final

from tests.support.fault_upstream import wire
from tests.support.fault_upstream.exchange import Exchange, head
from tests.support.fault_upstream.registry import fault

SILENCE_S: Final = 120.0


@fault("f21-reset")
async def reset_before_headers(exchange: Exchange) -> None:
    exchange.reset()


@fault("f22-stale")
async def close_if_reused(exchange: Exchange) -> None:
    """A connection that has served before is closed in the moment it is used again; a new one answers."""
    if exchange.attempt.reused:
        exchange.close()
    else:
        await exchange.answer()


@fault("f22-stale-reset")
async def reset_if_reused(exchange: Exchange) -> None:
    if exchange.attempt.reused:
        exchange.reset()
    else:
        await exchange.answer()


@fault("f23-silence")
async def silence(exchange: Exchange) -> None:
    exchange.keep_alive = False
    await exchange.upstream.pause(SILENCE_S)


@fault("f24-trickle")
async def headers_a_byte_a_second(exchange: Exchange) -> None:
    exchange.keep_alive = False
    for byte in head(200, (("content-type", "application/json"), ("x-filler", "a" * 200))):
        if exchange.upstream.released.is_set():
            return
        await exchange.send(bytes((byte,)))
        await exchange.upstream.pause(1.0)


@fault("f24-big-header")
async def one_header_beyond_8_kilobytes(exchange: Exchange) -> None:
    await exchange.respond(
        200, wire.answer(exchange.wire, exchange.attempt.model), [("x-filler", "a" * 20_000)]
    )


@fault("f24-many-headers")
async def two_hundred_headers(exchange: Exchange) -> None:
    headers = [(f"x-filler-{number}", "a") for number in range(200)]
    await exchange.respond(200, wire.answer(exchange.wire, exchange.attempt.model), headers)


@fault("f24-endless-headers")
async def headers_without_end(exchange: Exchange) -> None:
    """A head that goes on for as long as anybody reads it."""
    exchange.keep_alive = False
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    line = b"".join(b"x-filler-%d: %s\r\n" % (number, b"a" * 100) for number in range(500))
    while not exchange.upstream.released.is_set():
        await exchange.send(line)


@fault("f24-status-line")
async def bad_status_line(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 banana Split\r\ncontent-length: 2\r\n\r\n{}")
    exchange.close()


@fault("f24-not-http")
async def no_http_at_all(exchange: Exchange) -> None:
    await exchange.send(b"SSH-2.0-OpenSSH_9.9\r\n")
    exchange.close()


@fault("f24-interim")
async def interim_statuses_first(exchange: Exchange) -> None:
    """100 and 103 come before the answer (RFC 9110, section 15.2; RFC 8297)."""
    await exchange.send(head("100 Continue"))
    await exchange.send(head("103 Early Hints", [("link", "</style.css>; rel=preload; as=style")]))
    await exchange.answer()
