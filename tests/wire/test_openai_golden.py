"""The direct transport sends what OpenAI's own SDK would send, and reads what it would read."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest

from adapters.providers.openai.provider import create
from adapters.testing.chat_provider_suite import events_of, text_of
from application.ports.chat_provider import ChatProvider, ProviderCall, ProviderConfig, TransportName
from domain.chat import (
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

REF = ModelRef("openai", "gpt-x")
KEY = "sk-golden"
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
CLOSED = PARAMETERS | {"additionalProperties": False}
HI = (Message.of("user", "Hi ünïcödé 😀"),)
HI_WIRE = [{"role": "user", "content": "Hi ünïcödé 😀"}]

SHAPES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # name, ChatRequest, ModelSpec, the SDK's arguments
    ("plain", {}, {}, {}),
    (
        "system",
        {"system": "Be kind."},
        {},
        {"messages": [{"role": "system", "content": "Be kind."}, *HI_WIRE]},
    ),
    (
        "history",
        {"history": (Message.of("user", "One"), Message.of("assistant", "Two"))},
        {},
        {
            "messages": [
                {"role": "user", "content": "One"},
                {"role": "assistant", "content": "Two"},
                *HI_WIRE,
            ]
        },
    ),
    (
        "sampling",
        {
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 50,
            "seed": 7,
            "stop": ("END", "\n\n"),
            "user": "u1",
        },
        {},
        {
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 50,
            "seed": 7,
            "stop": ["END", "\n\n"],
            "user": "u1",
        },
    ),
    (
        "reasoning model",
        {"temperature": 0.5, "top_p": 0.9, "max_tokens": 50, "seed": 7, "stop": ("END",)},
        {
            "capabilities": ALL_CAPABILITIES - {"sampling", "seed", "stop"},
            "token_limit_field": "max_completion_tokens",
        },
        {"max_completion_tokens": 50},
    ),
    (
        "further parameters",
        {"parameters": {"frequency_penalty": 0.5, "reasoning_effort": "low", "logit_bias": {"50256": -100}}},
        {},
        {"frequency_penalty": 0.5, "reasoning_effort": "low", "logit_bias": {"50256": -100}},
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
                        {
                            "type": "image_url",
                            "image_url": {"url": "https://example.com/a.png", "detail": "low"},
                        },
                        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}},
                    ],
                }
            ]
        },
    ),
    (
        "tools",
        {
            "tools": (
                Tool(name="weather", description="Tells it", parameters=PARAMETERS, strict=False),
                Tool(name="bare"),
            ),
            "tool_choice": ToolChoice(mode="function", name="weather"),
        },
        {},
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "weather",
                        "description": "Tells it",
                        "parameters": PARAMETERS,
                        "strict": False,
                    },
                },
                {"type": "function", "function": {"name": "bare"}},
            ],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
        },
    ),
    *(
        (
            f"tool choice {mode}",
            {"tools": (Tool(name="bare"),), "tool_choice": ToolChoice(mode=mode)},
            {},
            {"tools": [{"type": "function", "function": {"name": "bare"}}], "tool_choice": mode},
        )
        for mode in ("auto", "none", "required")
    ),
    ("a tool choice without tools is dropped", {"tool_choice": ToolChoice(mode="auto")}, {}, {}),
    (
        "tool results",
        {
            "messages": (
                *HI,
                Message(
                    role="assistant",
                    tool_calls=(ToolCall(id="c1", name="weather", arguments='{"city":"Rome"}'),),
                ),
                Message(role="tool", parts=(TextPart(text="Sunny"),), tool_call_id="c1"),
            )
        },
        {},
        {
            "messages": [
                *HI_WIRE,
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
                        }
                    ],
                },
                {"role": "tool", "content": "Sunny", "tool_call_id": "c1"},
            ]
        },
    ),
    (
        "json object",
        {"output": OutputConstraint(kind="json_object")},
        {},
        {"response_format": {"type": "json_object"}},
    ),
    (
        "json schema",
        {"output": OutputConstraint(kind="json_schema", schema=PARAMETERS)},
        {},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": PARAMETERS}}},
    ),
    (
        "a closed json schema is strict",
        {"output": OutputConstraint(kind="json_schema", schema=CLOSED)},
        {},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": CLOSED, "strict": True},
            }
        },
    ),
]


@pytest.fixture
async def upstream() -> AsyncIterator[wire.WireUpstream]:
    async with wire.wire_upstream() as server:
        yield server


@pytest.fixture
async def sdk(upstream: wire.WireUpstream) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{upstream.url}/v1",
        api_key=KEY,
        organization="org-1",
        project="proj-1",
        max_retries=0,
        http_client=httpx2.AsyncClient(trust_env=False),
    ) as client:
        yield client


@pytest.fixture(params=["direct", "sdk"])
async def provider(
    upstream: wire.WireUpstream, request: pytest.FixtureRequest
) -> AsyncIterator[ChatProvider]:
    transport: TransportName = request.param
    made = create(
        ProviderConfig(
            name="openai",
            kind="openai",
            api_key=Secret(KEY),
            base_url=f"{upstream.url}/v1/",
            transport=transport,
            options={"organization": "org-1", "project": "proj-1"},
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
    names = ("authorization", "openai-organization", "openai-project", "content-type", "accept")
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
    sdk: openai.AsyncOpenAI,
    provider: ChatProvider,
    request_: dict[str, Any],
    spec: dict[str, Any],
    arguments: dict[str, Any],
    stream: bool,
) -> None:
    """Method, path, authentication and JSON, for every shape of request."""
    streaming = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    answer = await _untyped(sdk.chat.completions.create)(
        **({"model": "gpt-x", "messages": HI_WIRE} | arguments | streaming)
    )
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
CALLS = [
    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
    {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
]
USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 10,
    "total_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 4},
}


async def test_whole_answers_say_what_the_sdks_typed_object_says(
    upstream: wire.WireUpstream, sdk: openai.AsyncOpenAI, provider: ChatProvider
) -> None:
    """Id, model, text, calls, finish and usage."""
    message = {"role": "assistant", "content": TEXT, "tool_calls": CALLS}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    upstream.reply = wire.json_answer(wire.openai_answer(None, choices=choices, usage=USAGE))

    typed = await sdk.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "Hi"}])
    events = await events_of(provider, _call({}, {}, stream=False))

    assert AnswerStarted(response_id=typed.id, model=typed.model) == events[0]
    assert typed.choices[0].message.content == text_of(events)
    assert [
        (call.id, call.function.name, call.function.arguments)
        for call in typed.choices[0].message.tool_calls or []
        if call.type == "function"
    ] == [(event.id, event.name, event.arguments) for event in events if isinstance(event, ToolCallDelta)]
    usage = typed.usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.completion_tokens_details is not None
    assert (
        UsageReported(
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            cached_input_tokens=usage.prompt_tokens_details.cached_tokens or 0,
            reasoning_tokens=usage.completion_tokens_details.reasoning_tokens or 0,
        )
        in events
    )
    assert typed.choices[0].finish_reason == events[-1].reason  # type: ignore[union-attr]  # the last is AnswerFinished


async def test_streams_say_what_the_sdks_typed_chunks_say(
    upstream: wire.WireUpstream, sdk: openai.AsyncOpenAI, provider: ChatProvider
) -> None:
    """Text pieces and usage, in order."""
    upstream.reply = wire.faithful(TEXT)

    typed = await sdk.chat.completions.create(
        model="gpt-x", messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    theirs = "".join([chunk.choices[0].delta.content or "" async for chunk in typed if chunk.choices])
    events = await events_of(provider, _call({}, {}, stream=True))

    assert theirs == text_of(events)
    assert UsageReported(input_tokens=9, output_tokens=3) in events
