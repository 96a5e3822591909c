"""Rows 34 to 57: streams that stall, are cut, break their wire's rules, or never end."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Any, Final

from tests.support.fault_upstream import wire
from tests.support.fault_upstream.exchange import Exchange, chunk
from tests.support.fault_upstream.registry import fault
from tests.support.fault_upstream.wire import OUTPUT_TOKENS, words

LONG_S: Final = 20.0
"""How long a stream that stalls is held, if nobody cuts it."""
PING_S: Final = 0.05
CUT_TEXT: Final = " ".join(f"word-{number}" for number in range(40))
"""What streams say before they are cut: 40 pieces."""
MEGABYTE_TEXT: Final = "m" * 1_000_000


def head_frames(exchange: Exchange) -> list[bytes]:
    """What comes before the first content."""
    frames = wire.stream(exchange.wire, exchange.attempt.model)
    return frames[:1] if exchange.is_openai else frames[:2]


def said(exchange: Exchange, *pieces: str) -> list[bytes]:
    """Frames of content."""
    if exchange.is_openai:
        deltas = [wire.openai_chunk(exchange.attempt.model, {"content": piece}) for piece in pieces]
        return [b"data: " + json.dumps(delta).encode() + b"\n\n" for delta in deltas]
    return [wire.anthropic_frame(wire.anthropic_delta(piece)) for piece in pieces]


def tail_frames(exchange: Exchange, finish: str | None = None) -> list[bytes]:
    """What comes after the last content: finish reason, usage and end mark."""
    if exchange.is_openai:
        return wire.openai_stream(exchange.attempt.model, "x", finish or "stop")[2:]
    return wire.anthropic_stream(exchange.attempt.model, "x", finish or "end_turn")[4:]


def ping(exchange: Exchange) -> bytes:
    return b": ping\n\n" if exchange.is_openai else b'event: ping\ndata: {"type": "ping"}\n\n'


def error_frame(exchange: Exchange, openai: tuple[str, str | None], anthropic: str) -> bytes:
    if exchange.is_openai:
        return b"data: " + json.dumps(wire.openai_error(*openai)).encode() + b"\n\n"
    return wire.anthropic_frame(wire.anthropic_error(anthropic))


async def start_saying(exchange: Exchange, text: str = CUT_TEXT) -> None:
    await exchange.begin_stream([*head_frames(exchange), *said(exchange, *words(text))])


@fault("f34-silent")
async def no_token(exchange: Exchange) -> None:
    """A head, the wire's own start, and nothing more."""
    await exchange.begin_stream(head_frames(exchange))
    await exchange.hold(LONG_S)


@fault("f34-pings")
async def pings_without_a_token(exchange: Exchange) -> None:
    await exchange.begin_stream(head_frames(exchange))
    await exchange.hold(LONG_S, every_s=PING_S, frame=ping(exchange))


@fault("f34-empty")
async def deltas_without_a_text(exchange: Exchange) -> None:
    await exchange.begin_stream(head_frames(exchange))
    (empty,) = said(exchange, "")
    await exchange.hold(LONG_S, every_s=PING_S, frame=empty)


@fault("f35-first")
async def error_frame_first(exchange: Exchange) -> None:
    await exchange.stream([error_frame(exchange, ("server_error", None), "api_error")])


@fault("f35-started")
async def error_frame_after_the_start(exchange: Exchange) -> None:
    error = error_frame(exchange, ("service_unavailable_error", None), "overloaded_error")
    await exchange.stream([*head_frames(exchange), error])


@fault("f35-limit")
async def limit_frame_first(exchange: Exchange) -> None:
    await exchange.stream([limit_frame(exchange)])


@fault("f35-auth")
async def refusal_of_the_key_first(exchange: Exchange) -> None:
    error = error_frame(exchange, ("authentication_error", "invalid_api_key"), "authentication_error")
    await exchange.stream([*head_frames(exchange), error])


def limit_frame(exchange: Exchange) -> bytes:
    return error_frame(exchange, ("requests", "rate_limit_exceeded"), "rate_limit_error")


@fault("f36-error")
async def error_frame_after_forty_tokens(exchange: Exchange) -> None:
    await start_saying(exchange)
    await exchange.send(chunk(error_frame(exchange, ("server_error", None), "overloaded_error")))
    await exchange.send(b"0\r\n\r\n")


@fault("f36-paced")
async def error_frame_where_a_stream_was_asked_for(exchange: Exchange) -> None:
    """Slow enough, asked for the whole, to be asked for a stream from then on."""
    if exchange.attempt.stream:
        await error_frame_after_forty_tokens(exchange)
    else:
        await exchange.upstream.pause(0.6)
        await exchange.answer()


@fault("f36-filter")
async def refusal_after_forty_tokens(exchange: Exchange) -> None:
    """The provider blames the request, in the middle of its answer."""
    await start_saying(exchange)
    error = error_frame(exchange, ("invalid_request_error", None), "invalid_request_error")
    await exchange.send(chunk(error) + b"0\r\n\r\n")


@fault("f37-cut")
async def body_without_terminator(exchange: Exchange) -> None:
    await start_saying(exchange)
    exchange.close()


@fault("f37-reset")
async def reset_after_forty_tokens(exchange: Exchange) -> None:
    await start_saying(exchange)
    await exchange.upstream.pause(PING_S)  # a reset throws away what is unsent
    exchange.reset()


@fault("f38-eof")
async def end_without_a_finish_reason(exchange: Exchange) -> None:
    await start_saying(exchange)
    await exchange.send(b"0\r\n\r\n")


@fault("f38-mark")
async def end_mark_without_a_finish_reason(exchange: Exchange) -> None:
    await start_saying(exchange)
    await exchange.send(chunk(tail_frames(exchange)[-1]) + b"0\r\n\r\n")


async def whole_but_for_the_end_mark(exchange: Exchange) -> None:
    await exchange.begin_stream(wire.stream(exchange.wire, exchange.attempt.model)[:-1])


@fault("f39-open")
async def no_end_mark_and_silence(exchange: Exchange) -> None:
    await whole_but_for_the_end_mark(exchange)
    await exchange.hold(LONG_S)


@fault("f39-pings")
async def no_end_mark_and_pings(exchange: Exchange) -> None:
    await whole_but_for_the_end_mark(exchange)
    await exchange.hold(LONG_S, every_s=PING_S, frame=ping(exchange))


@fault("f39-cut")
async def no_end_mark_and_no_terminator(exchange: Exchange) -> None:
    await whole_but_for_the_end_mark(exchange)
    exchange.close()


@fault("f39-error")
async def error_frame_after_the_finish_reason(exchange: Exchange) -> None:
    await whole_but_for_the_end_mark(exchange)
    await exchange.send(chunk(error_frame(exchange, ("server_error", None), "api_error")) + b"0\r\n\r\n")


@fault("f40-silence")
async def silence_after_forty_tokens(exchange: Exchange) -> None:
    await start_saying(exchange)
    await exchange.hold(LONG_S)


@fault("f41-pings")
async def pings_after_forty_tokens(exchange: Exchange) -> None:
    await start_saying(exchange)
    await exchange.hold(LONG_S, every_s=PING_S, frame=ping(exchange))


@fault("f41-empty")
async def empty_deltas_after_forty_tokens(exchange: Exchange) -> None:
    await start_saying(exchange)
    (empty,) = said(exchange, "")
    await exchange.hold(LONG_S, every_s=PING_S, frame=empty)


GARBLED: Final = b'data: {"id": "garbled", "choices": [{"ind\n\n'


@fault("f42-whole")
async def tenth_frame_is_garbled(exchange: Exchange) -> None:
    """All frames are there, and one that is no JSON between them."""
    frames = [*head_frames(exchange), *said(exchange, *words(CUT_TEXT)), *tail_frames(exchange)]
    await exchange.stream([*frames[:9], GARBLED, *frames[9:]])


@fault("f42-lost")
async def finish_reason_is_garbled(exchange: Exchange) -> None:
    await start_saying(exchange)
    mark = tail_frames(exchange)[-1]
    await exchange.send(chunk(GARBLED) + chunk(mark) + b"0\r\n\r\n")


ODD_TEXT: Final = "Größe 😀\u2028 data: [DONE]\n\nevent: done\r\n ёnde"


@fault("f43-bytes")
async def odd_framing_in_single_bytes(exchange: Exchange) -> None:
    """A byte order mark, CRLF, JSON over many lines, comments, unknown fields, no space after `data:`; and each byte
    in a segment of its own."""
    frames = [*head_frames(exchange), *said(exchange, *words(ODD_TEXT)), *tail_frames(exchange)]
    stream = b"\xef\xbb\xbf" + b"".join(_framed_oddly(frame) for frame in frames)
    await exchange.begin_stream(())
    for at in range(len(stream)):
        await exchange.send(chunk(stream[at : at + 1]))
        await asyncio.sleep(0)
    await exchange.send(b"0\r\n\r\n")


def _framed_oddly(frame: bytes) -> bytes:
    name, _, data = frame.decode().strip().rpartition("data: ")
    if data != "[DONE]":
        data = json.dumps(json.loads(data), ensure_ascii=False, indent=1)
    lines = [
        ": odd",
        "id: 7",
        "foo",
        *name.splitlines(),
        *(f"data:{line}" for line in data.split("\n")),
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


@fault("f44-megabyte")
async def one_line_of_a_megabyte(exchange: Exchange) -> None:
    await exchange.stream(chain(head_frames(exchange), said(exchange, MEGABYTE_TEXT), tail_frames(exchange)))


@fault("f44-huge")
async def one_line_of_nine_mebibytes(exchange: Exchange) -> None:
    """After some words, so that it is seen as the cut that it is."""
    await start_saying(exchange)
    (line,) = said(exchange, "|")
    before, after = line.split(b"|")
    for piece in (before, *repeat(b"h" * 65536, 9 * 16), after, *tail_frames(exchange)):
        await exchange.send(chunk(piece))
    await exchange.send(b"0\r\n\r\n")


@fault("f45-again")
async def the_same_again(exchange: Exchange) -> None:
    """OpenAI: each chunk of text twice. Anthropic: a block that starts twice, and a delta of a block that never did."""
    content = said(exchange, "ha", "ha", " end")
    if not exchange.is_openai:
        start = head_frames(exchange)[1].replace(b'"text": ""', b'"text": "STRAY"')
        stray = wire.anthropic_frame(wire.anthropic_delta("STRAY") | {"index": 7})
        content = [content[0], start, stray, *content[1:]]
    await exchange.stream([*head_frames(exchange), *content, *tail_frames(exchange)])


@fault("f46-mark")
async def content_after_the_end_mark(exchange: Exchange) -> None:
    """A second answer follows the first on the same stream, and no end."""
    frames = wire.stream(exchange.wire, exchange.attempt.model)
    await exchange.begin_stream([*frames, *said(exchange, " STRAY")])
    await exchange.hold(LONG_S, every_s=PING_S, frame=said(exchange, " STRAY")[0])


@fault("f46-finish")
async def content_after_the_finish_reason(exchange: Exchange) -> None:
    frames = wire.stream(exchange.wire, exchange.attempt.model)
    await exchange.begin_stream(frames[:-1])
    await exchange.hold(LONG_S, every_s=PING_S, frame=said(exchange, " STRAY")[0])


@fault("f46-choice")
async def a_second_choice(exchange: Exchange) -> None:
    """OpenAI: deltas of `index: 1` among those of 0. Anthropic: a block of a kind that nobody knows."""
    if exchange.is_openai:
        stray = wire.openai_chunk(exchange.attempt.model, {"content": "STRAY"})
        stray["choices"][0] |= {"index": 1, "finish_reason": "stop"}
        strays = [b"data: " + json.dumps(stray).encode() + b"\n\n"]
    else:
        block = {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "vision", "text": "STRAY"},
        }
        delta = wire.anthropic_delta("STRAY") | {"index": 1}
        strays = [wire.anthropic_frame(block), wire.anthropic_frame(delta)]
    first, *rest = said(exchange, *words(wire.HEALTHY_TEXT))
    await exchange.stream([*head_frames(exchange), first, *strays, *rest, *tail_frames(exchange)])


@fault("f47-length")
async def finish_of_a_limit(exchange: Exchange) -> None:
    if exchange.is_openai:
        await exchange.stream(wire.openai_stream(exchange.attempt.model, finish="length"))
    else:
        await exchange.stream(wire.anthropic_stream(exchange.attempt.model, finish="max_tokens"))


CUT_ARGUMENTS: Final = '{"city": "Os'


def calling(exchange: Exchange, arguments: Sequence[str]) -> Iterator[bytes]:
    """Frames of one call of the tool `weather`."""
    if exchange.is_openai:
        function: dict[str, Any] = {"name": "weather", "arguments": ""}
        pieces: list[dict[str, Any]] = [
            {"index": 0, "id": "call_1", "type": "function", "function": function},
        ]
        pieces += [{"index": 0, "function": {"arguments": piece}} for piece in arguments]
        for call in pieces:
            delta = wire.openai_chunk(exchange.attempt.model, {"tool_calls": [call]})
            yield b"data: " + json.dumps(delta).encode() + b"\n\n"
        return
    block = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}
    yield wire.anthropic_frame({"type": "content_block_start", "index": 1, "content_block": block})
    for piece in arguments:
        grown = {"type": "input_json_delta", "partial_json": piece}
        yield wire.anthropic_frame({"type": "content_block_delta", "index": 1, "delta": grown})


@fault("f48-length")
async def arguments_cut_by_the_limit(exchange: Exchange) -> None:
    finish = "length" if exchange.is_openai else "max_tokens"
    frames = [*calling(exchange, ['{"city"', ': "Os']), *tail_frames(exchange, finish)]
    await exchange.stream([*head_frames(exchange), *frames])


@fault("f48-garbled")
async def arguments_that_lost_a_frame(exchange: Exchange) -> None:
    """The last piece of the arguments came garbled; the finish reason says that all is well."""
    finish = "tool_calls" if exchange.is_openai else "tool_use"
    frames = [*calling(exchange, ['{"city"', ': "Os']), GARBLED, *tail_frames(exchange, finish)]
    await exchange.stream([*head_frames(exchange), *frames])


@fault("f48-cut")
async def arguments_cut_with_the_connection(exchange: Exchange) -> None:
    await exchange.begin_stream([*head_frames(exchange), *calling(exchange, ['{"city"', ': "Os'])])
    exchange.close()


@fault("f49-growing")
async def usage_in_every_chunk(exchange: Exchange) -> None:
    """Counts that grow, as vLLM's `continuous_usage_stats` and Anthropic's message_delta have them."""
    await exchange.stream(_with_growing_usage(exchange))


def _with_growing_usage(exchange: Exchange) -> Iterator[bytes]:
    frames = wire.stream(exchange.wire, exchange.attempt.model)
    if exchange.is_openai:
        for number, frame in enumerate(frames[:-1]):
            counts = {"prompt_tokens": wire.INPUT_TOKENS, "completion_tokens": min(number, OUTPUT_TOKENS)}
            parsed = json.loads(frame.removeprefix(b"data: "))
            yield b"data: " + json.dumps(parsed | {"usage": counts}).encode() + b"\n\n"
    else:
        for tokens in (2, 4):
            early = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": tokens}}
            frames.insert(2 + tokens, wire.anthropic_frame(early))
        yield from frames[:-1]
    yield frames[-1]


@fault("f50-text")
async def text_without_end(exchange: Exchange) -> None:
    """As fast as it is read, 64 KiB a frame."""
    await exchange.begin_stream(head_frames(exchange))
    (frame,) = said(exchange, ("endless " * 8192))
    while not exchange.upstream.released.is_set():
        await exchange.send(chunk(frame))


@fault("f50-comments")
async def comments_without_end(exchange: Exchange) -> None:
    """Some words, then comments as fast as they are read."""
    await start_saying(exchange)
    comment = chunk(b": " + b"c" * 262_144 + b"\n\n")
    while not exchange.upstream.released.is_set():
        await exchange.send(comment)


@fault("f50-slow")
async def words_without_end(exchange: Exchange) -> None:
    """A word now and then, for as long as anybody listens."""
    await exchange.begin_stream(head_frames(exchange))
    await exchange.hold(LONG_S, every_s=PING_S, frame=said(exchange, "endless ")[0])


@fault("f51-limit")
async def limit_frame_after_forty_tokens(exchange: Exchange) -> None:
    await start_saying(exchange)
    await exchange.send(chunk(limit_frame(exchange)))
    await exchange.hold(LONG_S)


@fault("f55-prefill")
async def refuses_a_prefill(exchange: Exchange) -> None:
    """As newer models do: the last turn has to be the user's."""
    if all(turn["role"] == "user" for turn in exchange.attempt.body["messages"][-1:]):
        await exchange.answer()
    else:
        message = "This model does not support assistant message prefill."
        await exchange.refuse(400, ("invalid_request_error", None), "invalid_request_error", message=message)


@fault("f56-silence")
async def no_head(exchange: Exchange) -> None:
    """Nothing at all, for as long as the client stays."""
    await exchange.hold(LONG_S)


@fault("f57-words")
async def words_at_leisure(exchange: Exchange) -> None:
    """A whole answer that takes most of a second."""
    await exchange.begin_stream(head_frames(exchange))
    for frame in said(exchange, *words(wire.HEALTHY_TEXT)):
        await exchange.send(chunk(frame))
        await exchange.hold(0.2)
    for frame in tail_frames(exchange):
        await exchange.send(chunk(frame))
    await exchange.send(b"0\r\n\r\n")


@fault("f57-usage")
async def usage_at_leisure(exchange: Exchange) -> None:
    """All of the text, and most of a second later the finish reason and the usage."""
    await start_saying(exchange, wire.HEALTHY_TEXT)
    await exchange.hold(0.6)
    for frame in tail_frames(exchange):
        await exchange.send(chunk(frame))
    await exchange.send(b"0\r\n\r\n")
