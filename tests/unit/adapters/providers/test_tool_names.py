"""What vendors are sent in place of names and ids that they refuse."""

import re
from typing import Any

import pytest

from adapters.providers.anthropic.encode import messages_body
from adapters.providers.openai.encode import chat_body
from adapters.providers.tool_names import accepted_id, accepted_name
from application.ports.chat_provider import ProviderCall
from domain.chat import ChatRequest
from domain.message import Message, TextPart, ToolCall
from domain.model import ModelRef, ModelSpec

REF = ModelRef("p", "m")
INVENTED = "functions.get"
KIMIS = "functions.get:0"


def calling(*messages: Message) -> ProviderCall:
    return ProviderCall(
        request=ChatRequest(model=REF, messages=messages), spec=ModelSpec(ref=REF), stream=False
    )


def history(call_id: str, name: str) -> ProviderCall:
    call = ToolCall(id=call_id, name=name, arguments="{}")
    return calling(
        Message.of("user", "Hi"),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", parts=(TextPart(text="9"),), tool_call_id=call_id),
    )


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("get_weather-2", "get_weather-2"),
        (INVENTED, "functions_get"),
        ("größe\n", "gr__e_"),
        ("a" * 65, "a" * 64),
        ("", "_"),
    ],
)
def test_names_fit_both_vendors(name: str, accepted: str) -> None:
    """A name that fits stays."""
    assert accepted == accepted_name(name)


@pytest.mark.parametrize("call_id", ["call_9", "toolu_01A09q90qw90lq917835lq9", "x" * 40])
def test_ids_that_fit_stay(call_id: str) -> None:
    """As vendors make them."""
    assert call_id == accepted_id(call_id)


@pytest.mark.parametrize("call_id", [KIMIS, "x" * 41, "ü", "\ud800", "", "a b", "x" * 100_000])
def test_ids_that_do_not_fit_are_made_to(call_id: str) -> None:
    """Always in the same way, or a result would miss its call."""
    accepted = accepted_id(call_id)

    assert re.fullmatch("[A-Za-z0-9_-]{1,40}", accepted)
    assert accepted == accepted_id(call_id)


def test_two_ids_stay_two() -> None:
    """Though they differ in what is left out alone."""
    ids = ["f.g:0", "f_g_0", "f:g:0", "x" * 50, "x" * 51]

    assert 5 == len({accepted_id(each) for each in ids})


def test_anthropic_is_sent_what_it_accepts() -> None:
    """The call and its result by one id."""
    _, said, result = messages_body(history(KIMIS, INVENTED))["messages"]

    accepted = accepted_id(KIMIS)
    assert [{"type": "tool_use", "id": accepted, "name": "functions_get", "input": {}}] == said["content"]
    assert [{"type": "tool_result", "tool_use_id": accepted, "content": "9"}] == result["content"]


@pytest.mark.parametrize("any_call_id", [False, True])
def test_openai_is_sent_what_it_accepts(any_call_id: bool) -> None:
    """Compatible servers get the ids that they made: some find in them what a model thought."""
    body = chat_body(history("x" * 41, INVENTED), stream_usage=True, any_call_id=any_call_id)
    _, said, result = body["messages"]

    (call,) = said["tool_calls"]
    sent = "x" * 41 if any_call_id else accepted_id("x" * 41)
    assert (sent, "functions_get", sent) == (call["id"], call["function"]["name"], result["tool_call_id"])


@pytest.mark.parametrize("said", ["", " \n"])
def test_anthropic_is_sent_no_empty_answer(said: str) -> None:
    """It refuses one; the user's turns around it are one then."""
    made = calling(Message.of("user", "One"), Message.of("assistant", said), Message.of("user", "Two"))

    texts: list[dict[str, Any]] = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    assert [{"role": "user", "content": texts}] == messages_body(made)["messages"]
