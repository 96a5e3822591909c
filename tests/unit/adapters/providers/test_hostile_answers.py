"""Answers that are made to break the reader, on both wires, whole and streamed."""

import asyncio
import errno
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import attrs
import pytest

from adapters.providers import http_provider
from adapters.providers.anthropic.provider import create as create_anthropic
from adapters.providers.http_provider import HTTPProvider
from adapters.providers.openai.provider import create as create_openai
from adapters.providers.openai.wire import OpenAICodec
from adapters.providers.transport.http1.failures import no_connection
from application.ports.chat_provider import ProviderCall, ProviderConfig
from domain.chat import ChatRequest, ProviderEvent, TextDelta, Tool, ToolCallDelta
from domain.errors import InvalidRequest, ProviderFailure
from domain.message import Message, ToolCall
from domain.model import ModelRef, ModelSpec
from domain.secret import Secret
from tests.support import wire_upstream as wire

Vendor = Literal["openai", "anthropic"]
VENDORS = pytest.mark.parametrize("vendor", ["openai", "anthropic"])
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
DEEP = '{"a":' * 750 + '"\\u0000"' + "}" * 750


@asynccontextmanager
async def running(vendor: Vendor, reply: wire.Reply) -> AsyncIterator[tuple[HTTPProvider, wire.WireUpstream]]:
    async with wire.wire_upstream(reply) as upstream:
        factory = {"openai": create_openai, "anthropic": create_anthropic}[vendor]
        base_url = upstream.url if vendor == "anthropic" else f"{upstream.url}/v1"
        provider = factory(
            ProviderConfig(name=vendor, kind=vendor, api_key=Secret("sk-x"), base_url=base_url)
        )
        try:
            yield provider, upstream
        finally:
            await provider.aclose()


def call(vendor: Vendor, *messages: Message, stream: bool = False) -> ProviderCall:
    request = ChatRequest(model=ModelRef(vendor, "m"), messages=messages or (Message.of("user", "Hi"),))
    return ProviderCall(request=request, spec=ModelSpec(ref=ModelRef(vendor, "m")), stream=stream)


async def events_of(provider: HTTPProvider, made: ProviderCall) -> list[ProviderEvent]:
    async with provider.open(made) as batches:
        return [event async for batch in batches for event in batch]


async def failure_of(provider: HTTPProvider, made: ProviderCall) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as caught:
        await events_of(provider, made)
    return caught.value


def with_deep_field(value: dict[str, Any]) -> bytes:
    return json.dumps(value)[:-1].encode() + b', "x": ' + DEEP.encode() + b"}"


@VENDORS
async def test_whole_answer_with_a_bottomless_field_is_no_answer(vendor: Vendor) -> None:
    """However little anybody wants that field."""
    answers = {"openai": wire.openai_answer("x"), "anthropic": wire.anthropic_answer("x")}
    async with running(vendor, wire.answer(with_deep_field(answers[vendor]))) as (provider, _):
        assert (await failure_of(provider, call(vendor))).kind == "bad_body"


@VENDORS
async def test_refusal_with_a_bottomless_field_is_judged_by_its_status(vendor: Vendor) -> None:
    """As any body that can't be read."""
    body = with_deep_field({"error": {"message": "no", "type": "x"}})
    async with running(vendor, wire.answer(body, status=400)) as (provider, _):
        assert (await failure_of(provider, call(vendor))).kind == "bad_request"


@VENDORS
async def test_bottomless_frame_is_skipped_like_any_that_cannot_be_read(vendor: Vendor) -> None:
    """The rest is whole."""
    frames = wire.openai_frames("abcdefgh") if vendor == "openai" else wire.anthropic_frames("abcdefgh")
    deep = (
        b'data: {"type":"content_block_start","index":9,"content_block":{"type":"tool_use","input":'
        + DEEP.encode()
        + b"}}\n\n"
    )
    async with running(vendor, wire.sse([*frames[:4], deep, *frames[4:]])) as (provider, _):
        events = await events_of(provider, call(vendor, stream=True))

    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "abcdefgh"


@STREAMS
@VENDORS
@pytest.mark.parametrize("endless", ["text", "pings"])
async def test_endless_stream_is_cut(
    vendor: Vendor, stream: bool, endless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for or not; the connection is closed. The limits are a hundredth of the real ones here."""
    monkeypatch.setattr(http_provider, "MAX_STREAM_BYTES", 640_000)
    monkeypatch.setattr(http_provider, "MAX_ANSWER_CHARACTERS", 80_000)
    text = "x" * 1000
    if endless == "pings":
        frame = b": " + b"p" * 1000 + b"\n\n"
    elif vendor == "openai":
        frame = wire.openai_chunk({"content": text})
    else:
        delta = {"type": "text_delta", "text": text}
        frame = wire.anthropic_event("content_block_delta", index=0, delta=delta)
    start = wire.openai_frames("")[:1] if vendor == "openai" else wire.anthropic_frames("")[:2]
    sent = 0

    async def reply(_request: wire.Received, writer: Any) -> bool:
        nonlocal sent
        writer.write(wire.head(200, ("Content-Type", "text/event-stream")) + b"".join(start))
        while True:
            writer.write(frame)
            await writer.drain()
            sent += len(frame)

    async with running(vendor, reply) as (provider, upstream):
        failure = await failure_of(provider, call(vendor, stream=stream))
        for _ in range(100):
            if upstream.clients_are_gone() or not upstream.open_connections:
                break
            await asyncio.sleep(0.01)
        assert upstream.clients_are_gone() or not upstream.open_connections

    assert failure.kind == "too_large"
    assert sent < 20_000_000  # what fits into the buffers of both kernels is sent in vain


@VENDORS
async def test_unasked_stream_comes_as_few_events(vendor: Vendor) -> None:
    """An event takes more room than the letter in it."""
    frames = wire.openai_frames("abcd" * 500) if vendor == "openai" else wire.anthropic_frames("abcd" * 500)
    async with running(vendor, wire.sse(frames)) as (provider, _):
        events = await events_of(provider, call(vendor))

    assert [event.text for event in events if isinstance(event, TextDelta)] == ["abcd" * 500]


@STREAMS
async def test_codec_that_trips_is_a_bad_body(
    stream: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Logged with its type and place, never with what it says."""

    def broken(*_: object) -> None:
        raise RecursionError("CANARY")

    monkeypatch.setattr(OpenAICodec, "decode", broken)
    monkeypatch.setattr("adapters.providers.openai.wire.OpenAIStream.feed", broken)
    async with running("openai", wire.faithful("Hello")) as (provider, _):
        failure = await failure_of(provider, call("openai", stream=stream))

    assert failure.kind == "bad_body"
    assert "RecursionError in broken" in caplog.text
    assert "CANARY" not in caplog.text + failure.detail


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a":' + "[" * 700 + "]" * 700 + "}",
        '{"a":NaN,"b":100000000000000000000000,"c":"\\ud83d"}',
        '{"a":1e999,"c":"\\ud83d"}',
        '{"cut": "he',
        "[1]",
    ],
)
async def test_arguments_that_are_no_object_are_handed_back_as_they_are(arguments: str) -> None:
    """Anthropic wants an object; refusing would end the thread that holds the call, repairing would invent."""
    said = Message(role="assistant", parts=(), tool_calls=(ToolCall(id="c", name="f", arguments=arguments),))
    made = call("anthropic", Message.of("user", "Hi"), said)
    async with running("anthropic", wire.faithful("ok")) as (provider, upstream):
        await events_of(provider, made)
        (request,) = upstream.received
        lowered = provider.lower(made)

    block = request.json["messages"][1]["content"][0]
    assert block["input"] == {"arguments": arguments}
    assert lowered.body["messages"] == request.json["messages"]


@VENDORS
async def test_call_that_json_cannot_carry_is_the_callers(vendor: Vendor) -> None:
    """Refused before anything is sent, in explain too."""
    parameters: Any = {}
    for _ in range(700):
        parameters = {"items": parameters}
    made = call(vendor)
    request = attrs.evolve(made.request, tools=(Tool(name="t", parameters=parameters),))
    made = ProviderCall(request=request, spec=made.spec, stream=False)
    async with running(vendor, wire.faithful("ok")) as (provider, upstream):
        assert (await failure_of(provider, made)).kind == "bad_request"
        with pytest.raises(InvalidRequest):
            provider.lower(made)

    assert upstream.received == []


def tool_frames(vendor: Vendor, *, call_id: str | None, name: str | None) -> list[bytes]:
    if vendor == "openai":
        made = {"index": 0, "id": call_id, "function": {"name": name, "arguments": "{}"}}
        return [
            wire.openai_chunk({"tool_calls": [made]}),
            wire.openai_chunk({}, "tool_calls"),
            b"data: [DONE]\n\n",
        ]
    block: dict[str, Any] = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    frames = wire.anthropic_frames("")
    return [
        frames[0],
        wire.anthropic_event("content_block_start", index=0, content_block=block),
        wire.anthropic_event("content_block_stop", index=0),
        *frames[-2:],
    ]


def tool_answer(vendor: Vendor, *, call_id: str | None, name: str | None) -> dict[str, Any]:
    if vendor == "openai":
        made = {"id": call_id, "function": {"name": name, "arguments": "{}"}}
        choice = {
            "index": 0,
            "message": {"content": None, "tool_calls": [made]},
            "finish_reason": "tool_calls",
        }
        return wire.openai_answer(None, choices=[choice])
    block: dict[str, Any] = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    return wire.anthropic_answer("", content=[block], stop_reason="tool_use")


@STREAMS
@VENDORS
@pytest.mark.parametrize("missing", [None, ""])
async def test_tool_call_without_an_id_is_given_one(
    vendor: Vendor, stream: bool, missing: str | None
) -> None:
    """So that it can be sent back; the first piece holds it."""
    reply = (
        wire.sse(tool_frames(vendor, call_id=missing, name="f"))
        if stream
        else wire.json_answer(tool_answer(vendor, call_id=missing, name="f"))
    )
    async with running(vendor, reply) as (provider, _):
        events = await events_of(provider, call(vendor, stream=stream))

    first = next(event for event in events if isinstance(event, ToolCallDelta))
    assert (first.id, first.name) == ("call_0", "f")


@STREAMS
@VENDORS
@pytest.mark.parametrize("missing", [None, ""])
async def test_tool_call_without_a_name_is_no_answer(
    vendor: Vendor, stream: bool, missing: str | None
) -> None:
    """Nobody can run it."""
    reply = (
        wire.sse(tool_frames(vendor, call_id="c", name=missing))
        if stream
        else wire.json_answer(tool_answer(vendor, call_id="c", name=missing))
    )
    async with running(vendor, reply) as (provider, _):
        assert (await failure_of(provider, call(vendor, stream=stream))).kind == "bad_body"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_no_descriptor_left_is_not_the_providers_fault(number: int) -> None:
    """Nor where uvloop or the TLS set-up wraps it."""
    wrapped = RuntimeError("unable to create a socket")
    wrapped.__cause__ = OSError(number, "too many")

    assert no_connection(OSError(number, "too many")).kind == "exhausted"
    assert no_connection(wrapped).kind == "exhausted"
    assert no_connection(OSError(errno.ECONNREFUSED, "refused")).kind == "connect"


@VENDORS
@STREAMS
async def test_what_a_cut_stream_said_comes_before_its_failure(vendor: Vendor, stream: bool) -> None:
    """Also of one that nobody asked for: it has been paid for."""
    frames = {"openai": wire.openai_frames, "anthropic": wire.anthropic_frames}[vendor]("abcdefgh")[:-3]
    events: list[ProviderEvent] = []

    async def read(provider: HTTPProvider) -> None:
        async with provider.open(call(vendor, stream=stream)) as batches:
            async for batch in batches:
                events.extend(batch)

    async with running(vendor, wire.sse(frames, then="cut")) as (provider, _):
        with pytest.raises(ProviderFailure) as caught:
            await read(provider)

    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert said
    assert "abcdefgh".startswith(said)
    assert caught.value.kind == "connection_lost"


@VENDORS
async def test_the_wait_for_a_trailer_is_shorter_than_the_limits(vendor: Vendor) -> None:
    """Else whoever waits takes an answer without an end mark, which is whole, for one that stalls."""
    frames = {"openai": wire.openai_frames, "anthropic": wire.anthropic_frames}[vendor]("Hi")[:-1]
    async with running(vendor, wire.sse(frames, then="hang")) as (provider, _):
        provider.timeouts = attrs.evolve(provider.timeouts, idle_s=0.1)
        async with asyncio.timeout(0.4):
            events = await events_of(provider, call(vendor, stream=True))

    assert "Hi" == "".join(event.text for event in events if isinstance(event, TextDelta))
