"""Rows 25 to 33: a 200 whose body is short, wrong, odd or endless."""

import functools
import itertools
import json
import zlib
from typing import Any, Final

from tests.support.fault_upstream import wire
from tests.support.fault_upstream.exchange import Exchange, head
from tests.support.fault_upstream.registry import fault
from tests.support.fault_upstream.wire import PROVIDER_TEXT_CANARY

HUGE_BYTES: Final = 200_000_000
_MEBIBYTE: Final = 1024 * 1024
_JSON: Final = ("content-type", "application/json")


def _long_answer(exchange: Exchange, length: int) -> bytes:
    """A correct answer padded to exactly `length` bytes."""
    model = exchange.attempt.model
    bare = len(_body(exchange, ""))
    text = "a" * (length - bare)
    return json.dumps(
        wire.openai_answer(model, text) if exchange.is_openai else wire.anthropic_answer(model, text)
    ).encode()


def _body(exchange: Exchange, text: str) -> bytes:
    model = exchange.attempt.model
    return json.dumps(
        wire.openai_answer(model, text) if exchange.is_openai else wire.anthropic_answer(model, text)
    ).encode()


@fault("f25-short")
async def shorter_than_content_length(exchange: Exchange) -> None:
    body = _long_answer(exchange, 5000)
    await exchange.send(head(200, (_JSON, ("content-length", "5000"))) + body[:2000])
    exchange.close()


@fault("f25-no-terminator")
async def chunks_without_terminator(exchange: Exchange) -> None:
    """A whole JSON text in one chunk, then a FIN where the last chunk should be."""
    body = _body(exchange, wire.HEALTHY_TEXT)
    await exchange.send(head(200, (_JSON, ("transfer-encoding", "chunked"))))
    await exchange.send(f"{len(body):x}\r\n".encode() + body + b"\r\n")
    exchange.close()


@fault("f26-half")
async def half_a_json(exchange: Exchange) -> None:
    body = _body(exchange, wire.HEALTHY_TEXT)
    await exchange.send(head(200, (_JSON, ("connection", "close"))) + body[: len(body) // 2])
    exchange.close()


@fault("f27-empty")
async def empty_body(exchange: Exchange) -> None:
    await exchange.respond(200, b"")


@fault("f27-204")
async def no_content(exchange: Exchange) -> None:
    await exchange.send(head(204))


@fault("f27-html")
async def html(exchange: Exchange) -> None:
    page = f"<html><body>It works! {PROVIDER_TEXT_CANARY}</body></html>"
    await exchange.respond(200, page.encode(), content_type="text/html")


@fault("f27-null")
async def null(exchange: Exchange) -> None:
    await exchange.respond(200, None)


@fault("f27-list")
async def empty_list(exchange: Exchange) -> None:
    await exchange.respond(200, [])


@fault("f27-deep")
async def bottomless_field(exchange: Exchange) -> None:
    """An answer like any other, but for a field that nobody asked for: 750 levels deep, with a U+0000 in it."""
    field = '{"a":' * 750 + '"\\u0000"' + "}" * 750
    body = _body(exchange, wire.HEALTHY_TEXT)
    await exchange.respond(200, body[:-1] + f', "x_future": {field}}}'.encode())


@fault("f28-error")
async def error_with_status_200(exchange: Exchange) -> None:
    await exchange.refuse(200, ("server_error", None), "api_error")


@fault("f28-limit")
async def limit_with_status_200(exchange: Exchange) -> None:
    await exchange.refuse(200, ("requests", "rate_limit_exceeded"), "rate_limit_error")


@fault("f29-no-choices")
async def no_choices(exchange: Exchange) -> None:
    """Nothing was said: no choice at all, or an empty content, which is valid on Anthropic's wire."""
    body = wire.answer(exchange.wire, exchange.attempt.model)
    body["choices" if exchange.is_openai else "content"] = []
    await exchange.respond(200, body)


@fault("f29-null-message")
async def null_message(exchange: Exchange) -> None:
    body = wire.openai_answer(exchange.attempt.model)
    body["choices"][0]["message"] = None
    await exchange.respond(200, body)


TOOL_ARGUMENTS: Final = '{"city": "Oslo"}'


@fault("f30-tools")
async def tool_call_and_unknown_fields(exchange: Exchange) -> None:
    """A tool call, with fields and blocks of a future version around it."""
    body = wire.answer(exchange.wire, exchange.attempt.model)
    body["x_future"] = {"nested": [1, 2, 3]}
    if exchange.is_openai:
        choice = body["choices"][0]
        choice["finish_reason"] = "tool_calls"
        choice["x_future"] = None
        call = {"id": "call_1", "type": "function", "x_future": 1}
        call["function"] = {"name": "weather", "arguments": TOOL_ARGUMENTS, "x_future": True}
        choice["message"] = {"role": "assistant", "content": None, "annotations": [], "tool_calls": [call]}
    else:
        body["stop_reason"] = "tool_use"
        body["content"] = [
            {"type": "crystal_ball", "visions": ["unknown"]},
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": json.loads(TOOL_ARGUMENTS)},
        ]
    await exchange.respond(200, body)


_USAGE_VALUES: Final[dict[str, Any]] = {
    "f31-usage-null": None,
    "f31-usage-string": "12",
    "f31-usage-negative": -1,
    "f31-usage-huge": 1e300,
    "f31-usage-zero": 0,
}


@fault("f31-usage-missing")
async def usage_missing(exchange: Exchange) -> None:
    body = wire.answer(exchange.wire, exchange.attempt.model)
    del body["usage"]
    await exchange.respond(200, body)


@fault("f31-usage-is-null")
async def usage_is_null(exchange: Exchange) -> None:
    body = wire.answer(exchange.wire, exchange.attempt.model)
    body["usage"] = None
    await exchange.respond(200, body)


@fault(*_USAGE_VALUES)
async def usage_numbers_odd(exchange: Exchange) -> None:
    body = wire.answer(exchange.wire, exchange.attempt.model)
    value = _USAGE_VALUES[exchange.fault]
    body["usage"] = dict.fromkeys(body["usage"], value)
    await exchange.respond(200, body)


@fault("f32-huge")
async def two_hundred_megabytes(exchange: Exchange) -> None:
    """An answer with one text of 200 MB, sent as fast as it is read."""
    before, after = _body(exchange, "|").split(b"|")
    piece = b"a" * 65536
    length = len(before) + HUGE_BYTES + len(after)
    await exchange.send(head(200, (_JSON, ("content-length", str(length)))) + before)
    sent = 0
    while sent < HUGE_BYTES:
        step = piece[: HUGE_BYTES - sent]
        await exchange.send(step)
        sent += len(step)
    await exchange.send(after)


@fault("f32-gzip")
async def gzip_bomb(exchange: Exchange) -> None:
    await exchange.respond(200, bomb(exchange.wire), [("content-encoding", "gzip")])


@functools.cache
def bomb(wire_name: wire.Wire) -> bytes:
    """About 200 KB that unpack to a correct answer of 200 MB. Made once: it takes most of a second."""
    answer = wire.openai_answer("bomb", "|") if wire_name == "openai" else wire.anthropic_answer("bomb", "|")
    before, after = json.dumps(answer).encode().split(b"|")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = b"a" * _MEBIBYTE
    parts = [packer.compress(before)]
    parts += [packer.compress(piece) for _ in range(HUGE_BYTES // _MEBIBYTE)]
    parts += [packer.compress(after), packer.flush()]
    return b"".join(parts)


@fault("f32-stream")
async def two_hundred_megabytes_of_events(exchange: Exchange) -> None:
    """An event stream of 200 MB, asked for or not, sent as fast as it is read."""
    frames = list(wire.stream(exchange.wire, exchange.attempt.model))
    at = next(number for number, frame in enumerate(frames) if b"Hello" in frame)
    piece = b"a" * 65536
    large = frames[at].replace(b"Hello", piece)
    await exchange.stream(itertools.chain(frames[:at], itertools.repeat(large, HUGE_BYTES // len(piece))))


ODD_TEXTS: Final = {
    "f33-nul": b"before\\u0000after",
    "f33-surrogate": b"before\\ud800after",
    "f33-utf8": b"before\xff\xfeafter",
}


@fault(*ODD_TEXTS)
async def text_that_databases_refuse(exchange: Exchange) -> None:
    """U+0000, a lone surrogate, or bytes that are not UTF-8, inside the text of an otherwise good answer."""
    odd = ODD_TEXTS[exchange.fault]
    if exchange.attempt.stream:
        frames = wire.stream(exchange.wire, exchange.attempt.model)
        await exchange.stream(frame.replace(b"Hello", odd) for frame in frames)
    else:
        await exchange.respond(200, _body(exchange, "|").replace(b"|", odd))
