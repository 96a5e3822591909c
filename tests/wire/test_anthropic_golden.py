"""The direct transport sends what Anthropic's own SDK would send, and reads what it would read."""

from collections.abc import AsyncIterator
from typing import Any, Literal

import anthropic
import httpx2
import pytest

from adapters.providers.anthropic.provider import create
from adapters.testing.chat_provider_suite import events_of, text_of
from application.ports.chat_provider import ChatProvider, ProviderCall, ProviderConfig, TransportName
from domain.chat import (
    AnswerFinished,
    AnswerStarted,
    ChatRequest,
    OutputConstraint,
    Tool,
    ToolCallDelta,
    ToolChoice,
    UsageReported,
)
from domain.message import ImagePart, Message, TextPart, ToolCall
from domain.model import ALL_CAPABILITIES, ModelRef, ModelSpec
from domain.secret import Secret
from tests.support import wire_upstream as wire

REF = ModelRef("anthropic", "claude-x")
KEY = "sk-ant-golden"
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
HI = (Message.of("user", "Hi ünïcödé 😀"),)
HI_WIRE = [{"role": "user", "content": "Hi ünïcödé 😀"}]
BARE = {"name": "bare", "input_schema": {"type": "object"}}
MODES: list[tuple[Literal["auto", "none", "required"], str]] = [
    ("auto", "auto"),
    ("none", "none"),
    ("required", "any"),
]

SHAPES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # name, ChatRequest, ModelSpec, the SDK's arguments
    ("plain", {}, {}, {}),
    ("max_tokens of the request", {"max_tokens": 50}, {"max_output_tokens": 64_000}, {"max_tokens": 50}),
    ("max_tokens of the model", {}, {"max_output_tokens": 64_000}, {"max_tokens": 64_000}),
    ("system", {"system": "Be kind."}, {}, {"system": "Be kind."}),
    (
        "system turns join the system prompt",
        {"system": "Be kind.", "messages": (Message.of("system", "Be brief."), *HI)},
        {},
        {"system": "Be kind.\n\nBe brief."},
    ),
    (
        "turns of one role are merged, empty ones dropped",
        {
            "history": (
                Message.of("user", "One"),
                Message.of("user", "Two"),
                Message.of("assistant", "Three"),
                Message.of("assistant", ""),
            )
        },
        {},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}],
                },
                {"role": "assistant", "content": "Three"},
                *HI_WIRE,
            ]
        },
    ),
    (
        "sampling",
        {"temperature": 0.5, "top_p": 0.9, "stop": ("END",), "user": "u1", "seed": 7},
        {},
        {
            "stop_sequences": ["END"],
            "metadata": {"user_id": "u1"},
            # The SDK and API version 2026-10-21 know neither; models that do are called as SDKs before 2.0 did.
            "extra_body": {"temperature": 0.5, "top_p": 0.9},
            "extra_headers": {
                "anthropic-version": "2023-06-01",
                "X-Api-Key": KEY,
                "Authorization": anthropic.Omit(),
            },
        },
    ),
    (
        "a model that refuses sampling",
        {"temperature": 0.5, "top_p": 0.9},
        {"capabilities": ALL_CAPABILITIES - {"sampling"}},
        {},
    ),
    (
        "images",
        {
            "messages": (
                Message(
                    role="user",
                    parts=(
                        TextPart(text="What is this?"),
                        ImagePart(url="https://example.com/a.png", detail="low"),
                        ImagePart(data="AAAA", media_type="image/jpeg"),
                        ImagePart(url="data:image/gif;base64,BBBB"),
                    ),
                ),
            )
        },
        {},
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"},
                        },
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/gif", "data": "BBBB"},
                        },
                    ],
                }
            ]
        },
    ),
    (
        "tools",
        {
            "tools": (
                Tool(name="weather", description="Tells it", parameters=PARAMETERS, strict=True),
                Tool(name="bare"),
            ),
            "tool_choice": ToolChoice(mode="function", name="weather"),
        },
        {},
        {
            "tools": [
                {"name": "weather", "description": "Tells it", "input_schema": PARAMETERS, "strict": True},
                BARE,
            ],
            "tool_choice": {"type": "tool", "name": "weather"},
        },
    ),
    *(
        (
            f"tool choice {mode}",
            {"tools": (Tool(name="bare"),), "tool_choice": ToolChoice(mode=mode)},
            {},
            {"tools": [BARE], "tool_choice": {"type": kind}},
        )
        for mode, kind in MODES
    ),
    (
        "tool results",
        {
            "messages": (
                *HI,
                Message(
                    role="assistant",
                    parts=(TextPart(text="I look."),),
                    tool_calls=(
                        ToolCall(id="c1", name="weather", arguments='{"city":"Rome"}'),
                        ToolCall(id="c2", name="bare", arguments=""),
                    ),
                ),
                Message(role="tool", parts=(TextPart(text="Sunny"),), tool_call_id="c1"),
                Message(role="tool", tool_call_id="c2"),
                Message.of("user", "Thanks"),
            )
        },
        {},
        {
            "messages": [
                *HI_WIRE,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "I look."},
                        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome"}},
                        {"type": "tool_use", "id": "c2", "name": "bare", "input": {}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "c1", "content": "Sunny"},
                        {"type": "tool_result", "tool_use_id": "c2"},
                        {"type": "text", "text": "Thanks"},
                    ],
                },
            ]
        },
    ),
    ("json object is left to the prompt", {"output": OutputConstraint(kind="json_object")}, {}, {}),
    (
        "json schema",
        {"output": OutputConstraint(kind="json_schema", schema=PARAMETERS)},
        {},
        {
            "output_config": {
                "format": {"type": "json_schema", "schema": PARAMETERS | {"additionalProperties": False}}
            }
        },
    ),
]


@pytest.fixture
async def upstream() -> AsyncIterator[wire.WireUpstream]:
    async with wire.wire_upstream() as server:
        yield server


@pytest.fixture
async def sdk(upstream: wire.WireUpstream) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=upstream.url, api_key=KEY, max_retries=0, http_client=httpx2.AsyncClient(trust_env=False)
    ) as client:
        yield client


@pytest.fixture(params=["direct", "sdk"])
async def provider(
    upstream: wire.WireUpstream, request: pytest.FixtureRequest
) -> AsyncIterator[ChatProvider]:
    transport: TransportName = request.param
    made = create(
        ProviderConfig(
            name="anthropic",
            kind="anthropic",
            api_key=Secret(KEY),
            base_url=f"{upstream.url}/",
            transport=transport,
        )
    )
    yield made
    await made.aclose()


def _call(request: dict[str, Any], spec: dict[str, Any], *, stream: bool) -> ProviderCall:
    fields: dict[str, Any] = {"messages": HI, "model": REF} | request
    return ProviderCall(
        request=ChatRequest(**fields),
        spec=ModelSpec(ref=REF, **spec),
        stream=stream,
    )


def _untyped(create: Any) -> Any:
    """The SDK's overloads do not take a built-up dict."""
    return create


def _facts(received: wire.Received) -> dict[str, Any]:
    names = ("x-api-key", "authorization", "anthropic-version", "anthropic-beta", "content-type", "accept")
    return {
        "method": received.method,
        "path": received.path,
        "headers": {name: received.headers.get(name) for name in names},
        "json": received.json,
    }


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("request_", "spec", "arguments"), [pytest.param(*s[1:], id=s[0]) for s in SHAPES])
async def test_requests_equal_the_official_sdks(
    upstream: wire.WireUpstream,
    sdk: anthropic.AsyncAnthropic,
    provider: ChatProvider,
    request_: dict[str, Any],
    spec: dict[str, Any],
    arguments: dict[str, Any],
    stream: bool,
) -> None:
    """Method, path, authentication, version and JSON, for every shape of request."""
    streaming = {"stream": True} if stream else {}
    defaults = {"model": "claude-x", "max_tokens": 4096, "messages": HI_WIRE, "timeout": 60}
    answer = await _untyped(sdk.messages.create)(**(defaults | arguments | streaming))
    if stream:
        await answer.close()

    call = _call(request_, spec, stream=stream)
    await events_of(provider, call)

    theirs, ours = upstream.received
    assert _facts(theirs) == _facts(ours)
    lowered = provider.lower(call)
    assert (ours.method, f"{upstream.url}{ours.path}", ours.json) == (
        lowered.method,
        lowered.url,
        lowered.body,
    )
    assert KEY not in repr(lowered)


TEXT = "Two  spaces\n\nand 😀"


async def test_whole_answers_say_what_the_sdks_typed_object_says(
    upstream: wire.WireUpstream, sdk: anthropic.AsyncAnthropic, provider: ChatProvider
) -> None:
    """Id, model, text, calls, finish and usage."""
    content = [
        {"type": "text", "text": TEXT},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
    ]
    usage = {
        "input_tokens": 20,
        "output_tokens": 10,
        "cache_read_input_tokens": 8,
        "cache_creation_input_tokens": 2,
    }
    upstream.reply = wire.json_answer(
        wire.anthropic_answer("", content=content, stop_reason="tool_use", usage=usage)
    )

    typed = await sdk.messages.create(
        model="claude-x", max_tokens=10, messages=[{"role": "user", "content": "Hi"}]
    )
    events = await events_of(provider, _call({}, {}, stream=False))

    assert AnswerStarted(response_id=typed.id, model=typed.model) == events[0]
    assert "".join(block.text for block in typed.content if block.type == "text") == text_of(events)
    calls = [(block.id, block.name) for block in typed.content if block.type == "tool_use"]
    assert calls == [(event.id, event.name) for event in events if isinstance(event, ToolCallDelta)]
    cached = typed.usage.cache_read_input_tokens or 0
    written = typed.usage.cache_creation_input_tokens or 0
    assert (
        UsageReported(
            input_tokens=typed.usage.input_tokens + cached + written,
            output_tokens=typed.usage.output_tokens,
            cached_input_tokens=cached,
            cache_write_tokens=written,
        )
        in events
    )
    assert AnswerFinished(reason="tool_calls") == events[-1]


async def test_streams_say_what_the_sdks_typed_events_say(
    upstream: wire.WireUpstream, sdk: anthropic.AsyncAnthropic, provider: ChatProvider
) -> None:
    """Text pieces and usage, in order."""
    upstream.reply = wire.faithful(TEXT)

    typed = await sdk.messages.create(
        model="claude-x", max_tokens=10, messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    theirs = "".join(
        [
            event.delta.text
            async for event in typed
            if event.type == "content_block_delta" and event.delta.type == "text_delta"
        ]
    )
    events = await events_of(provider, _call({}, {}, stream=True))

    assert theirs == text_of(events)
    assert UsageReported(input_tokens=9, output_tokens=3) in events
