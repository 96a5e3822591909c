"""Further fields of a request, on OpenAI's wire."""

import inspect
from typing import Any

import pytest
from openai.types.chat import completion_create_params

from adapters.providers.openai.encode import chat_body
from adapters.providers.openai.parameters import DOCUMENTED, OWN
from adapters.providers.openai.provider import create, create_compatible
from application.ports.chat_provider import ProviderCall, ProviderConfig
from domain.chat import ChatRequest, Tool
from domain.message import Message
from domain.model import ModelRef, ModelSpec
from domain.secret import Secret

REF = ModelRef("openai", "gpt-x")


def body(*, stream: bool = False, **fields: Any) -> dict[str, Any]:
    request = ChatRequest(messages=(Message.of("user", "Hi"),), model=REF, **fields)
    return chat_body(ProviderCall(request=request, spec=ModelSpec(ref=REF), stream=stream), stream_usage=True)


def test_further_fields_stand_beside_lor3s_own() -> None:
    """As they came."""
    plain = body()

    assert {**plain, "logit_bias": {"1": -1}, "top_k": 4} == body(
        parameters={"logit_bias": {"1": -1}, "top_k": 4}
    )


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_takes_the_place_of_what_lor3_writes_or_leaves_out(stream: bool) -> None:
    """Whatever a caller of the domain puts there."""
    assert body(stream=stream) == body(stream=stream, parameters=dict.fromkeys(OWN, "x"))


def test_a_parameter_of_tools_goes_with_tools_alone() -> None:
    """OpenAI answers 400 to it otherwise."""
    parameters = {"parallel_tool_calls": False}

    assert "parallel_tool_calls" not in body(parameters=parameters)
    assert body(parameters=parameters, tools=(Tool(name="f"),))["parallel_tool_calls"] is False


def test_what_is_documented_is_what_the_sdk_knows() -> None:
    """Those that lor3 can't carry the results of aside."""
    known = set(inspect.get_annotations(completion_create_params.CompletionCreateParamsBase))
    uncarried = {
        "audio", "function_call", "functions", "logprobs", "metadata", "modalities", "moderation", "top_logprobs",
        "web_search_options",
    }  # fmt: skip

    assert known - uncarried == (DOCUMENTED | OWN) - {"stream"}


async def test_openai_refuses_by_name_and_its_imitators_take_anything() -> None:
    """They have parameters of their own."""
    names = ("top_k", "store")
    openai = create(ProviderConfig(name="openai", kind="openai", api_key=Secret("k")))
    local = create_compatible(
        ProviderConfig(name="local", kind="openai-compatible", base_url="http://127.0.0.1:9/v1")
    )
    try:
        assert openai.refused_parameters(names) == {"top_k"}
        assert local.refused_parameters(names) == frozenset()
    finally:
        await openai.aclose()
        await local.aclose()
