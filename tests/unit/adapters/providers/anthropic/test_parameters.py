"""Further fields of a request, on Anthropic's wire."""

import inspect
from typing import Any

import pytest
from anthropic.types import message_create_params

from adapters.providers.anthropic.encode import messages_body, samples
from adapters.providers.anthropic.parameters import TAKEN
from adapters.providers.anthropic.provider import create
from application.ports.chat_provider import ProviderCall, ProviderConfig
from domain.chat import ChatRequest, OutputConstraint, Tool, ToolChoice
from domain.message import Message
from domain.model import ModelRef, ModelSpec
from domain.secret import Secret

REF = ModelRef("anthropic", "claude-x")
TOOLS = (Tool(name="f"),)


def call(**fields: Any) -> ProviderCall:
    request = ChatRequest(messages=(Message.of("user", "Hi"),), model=REF, **fields)
    return ProviderCall(request=request, spec=ModelSpec(ref=REF), stream=False)


@pytest.mark.parametrize(
    ("fields", "parameters", "field", "expected"),
    [
        ({}, {"top_k": 4}, "top_k", 4),
        ({}, {"thinking": {"type": "adaptive"}}, "thinking", {"type": "adaptive"}),
        ({}, {"reasoning_effort": "high"}, "output_config", {"effort": "high"}),
        ({}, {"reasoning_effort": "minimal"}, "output_config", {"effort": "low"}),
        ({}, {"service_tier": "default"}, "service_tier", "standard_only"),
        ({}, {"service_tier": "auto"}, "service_tier", "auto"),
        ({"user": "u"}, {"safety_identifier": "s"}, "metadata", {"user_id": "s"}),
        (
            {"tools": TOOLS},
            {"parallel_tool_calls": False},
            "tool_choice",
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
        (
            {"tools": TOOLS, "tool_choice": ToolChoice(mode="required")},
            {"parallel_tool_calls": True},
            "tool_choice",
            {"type": "any", "disable_parallel_tool_use": False},
        ),
        (
            {"tools": TOOLS, "tool_choice": ToolChoice(mode="none")},
            {"parallel_tool_calls": False},
            "tool_choice",
            {"type": "none"},
        ),
        ({}, {"parallel_tool_calls": False}, "tool_choice", None),
        ({}, {"messages": []}, "messages", [{"role": "user", "content": "Hi"}]),
    ],
)
def test_a_parameter_has_its_place_on_the_wire(
    fields: dict[str, Any], parameters: dict[str, Any], field: str, expected: Any
) -> None:
    """Under Anthropic's own name for it."""
    assert expected == messages_body(call(**fields, parameters=parameters)).get(field)


def test_effort_stands_beside_a_schema() -> None:
    """Both are of `output_config`."""
    schema = OutputConstraint(kind="json_schema", schema={"type": "object"})
    config = messages_body(call(output=schema, parameters={"reasoning_effort": "low"}))["output_config"]

    assert {"effort", "format"} == set(config)


def test_top_k_is_of_the_older_version() -> None:
    """As `temperature` is."""
    assert samples(call(parameters={"top_k": 4}))
    assert not samples(call(parameters={"speed": "fast"}))


def test_what_is_taken_is_what_the_sdk_knows() -> None:
    """Or has another name there; `top_k` is of its earlier versions."""
    known = set(inspect.get_annotations(message_create_params.MessageCreateParamsBase))

    assert TAKEN - known == {"parallel_tool_calls", "reasoning_effort", "safety_identifier", "top_k"}


async def test_others_are_refused_by_name() -> None:
    """`logit_bias` has no place there."""
    provider = create(ProviderConfig(name="anthropic", kind="anthropic", api_key=Secret("k")))
    try:
        assert provider.refused_parameters(("top_k", "logit_bias")) == {"logit_bias"}
    finally:
        await provider.aclose()
