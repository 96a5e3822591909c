"""The demonstration."""

import json
from typing import Any

import jsonschema
import pytest

from adapters.providers.demo.provider import create
from adapters.testing.chat_provider_suite import events_of, text_of
from application.ports.chat_provider import ProviderCall, ProviderConfig
from domain.chat import (
    AnswerFinished,
    ChatRequest,
    OutputConstraint,
    TextDelta,
    Tool,
    ToolCallDelta,
    ToolChoice,
)
from domain.errors import ConfigurationError
from domain.message import Message
from domain.model import ModelRef, ModelSpec

REF = ModelRef("demo", "demo")
DEMO = create(ProviderConfig(name="demo", kind="demo"))


def _call(text: str = "Hello there", *, stream: bool = False, **request: Any) -> ProviderCall:
    asked = ChatRequest(messages=(Message.of("user", text),), model=REF, **request)
    return ProviderCall(request=asked, spec=ModelSpec(ref=REF), stream=stream)


async def test_it_says_what_it_is_and_how_to_go_on() -> None:
    """A newcomer learns which variables to set, and sees their own words."""
    text = text_of(await events_of(DEMO, _call("Good morning")))

    for expected in ("demonstration", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "Good morning"):
        assert expected in text


async def test_it_streams_word_by_word() -> None:
    """One delta a word, and the same text as without streaming."""
    events = await events_of(DEMO, _call(stream=True))

    deltas = [event.text for event in events if isinstance(event, TextDelta)]
    assert all(len(delta.split()) == 1 for delta in deltas)
    assert text_of(await events_of(DEMO, _call())) == "".join(deltas)


async def test_long_texts_are_shortened() -> None:
    """The echo is a reminder, not a copy."""
    assert len(text_of(await events_of(DEMO, _call("word " * 10_000)))) < 300


async def test_max_tokens_cuts_the_answer() -> None:
    """A token is a word; the finish says so."""
    events = await events_of(DEMO, _call(max_tokens=3))

    assert ["This is a demonstration:"[:9]] == [text_of(events)]
    assert AnswerFinished(reason="length") == events[-1]


@pytest.mark.parametrize(
    "schema",
    [
        {
            "type": "object",
            "properties": {"name": {"type": "string"}, "n": {"type": "integer"}},
            "required": ["name"],
        },
        {"type": "array", "items": {"type": "number", "minimum": 10}, "minItems": 2},
        {"enum": ["a", "b"]},
        {"const": 7},
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {"type": ["boolean", "null"]},
        {"$ref": "#/$defs/P", "$defs": {"P": {"type": "object", "properties": {"x": {"type": "boolean"}}}}},
        {"type": "string", "format": "date-time"},
        {"type": "string", "minLength": 40},
        {"type": "string", "maxLength": 3},
        {"type": "integer", "maximum": -5},
        {"type": "object", "properties": {"self": {"type": "object", "properties": {}}}},
        {},
    ],
)
async def test_json_fits_simple_schemas(schema: dict[str, Any]) -> None:
    """The demonstration of structured output validates."""
    text = text_of(await events_of(DEMO, _call(format="json", schema=schema)))

    jsonschema.validate(json.loads(text), schema)


async def test_a_schema_that_refers_to_itself_ends() -> None:
    """Recursion is cut."""
    schema = {
        "$ref": "#/$defs/N",
        "$defs": {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}},
    }

    json.loads(text_of(await events_of(DEMO, _call(format="json", schema=schema))))


@pytest.mark.parametrize("request_", [{"format": "json"}, {"output": OutputConstraint(kind="json_object")}])
async def test_json_without_a_schema_is_an_object(request_: dict[str, Any]) -> None:
    """It still says what it is."""
    value = json.loads(text_of(await events_of(DEMO, _call(**request_))))

    assert value["demonstration"] is True


@pytest.mark.parametrize(
    ("choice", "expected"),
    [(ToolChoice(mode="required"), "first"), (ToolChoice(mode="function", name="second"), "second")],
)
async def test_a_required_tool_is_called(choice: ToolChoice, expected: str) -> None:
    """With arguments that fit its parameters."""
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    tools = (Tool(name="first", parameters=parameters), Tool(name="second", parameters=parameters))

    events = await events_of(DEMO, _call(tools=tools, tool_choice=choice, stream=True))

    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert expected == calls[0].name
    jsonschema.validate(json.loads("".join(call.arguments for call in calls)), parameters)
    assert AnswerFinished(reason="tool_calls") == events[-1]


async def test_tools_are_not_called_unasked() -> None:
    """`auto` is answered with text."""
    events = await events_of(DEMO, _call(tools=(Tool(name="f"),)))

    assert not [event for event in events if isinstance(event, ToolCallDelta)]


def test_parameters_that_openai_would_refuse_are_refused() -> None:
    """A newcomer's typo shows before a real provider is configured."""
    demo = create(ProviderConfig(name="demo", kind="demo"))

    assert demo.refused_parameters(("foo", "store", "top_k")) == {"foo", "top_k"}


@pytest.mark.parametrize(
    "options", [{"nope": 1}, {"delay_s": "x"}, {"delay_s": -1}, {"delay_s": True}, {"delay_s": 11}]
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    """With the path of the fault."""
    with pytest.raises(ConfigurationError) as caught:
        create(ProviderConfig(name="d", kind="demo", options=options))

    assert f"providers.d.{next(iter(options))}" == caught.value.faults[0].path
