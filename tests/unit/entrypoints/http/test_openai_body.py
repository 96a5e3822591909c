"""The body of `POST /v1/chat/completions`, field by field."""

import contextlib
import inspect
from typing import Any

import attrs
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import completion_create_params

from domain.chat import ToolChoice
from domain.errors import InvalidRequest
from domain.message import ImagePart, Message, TextPart, ToolCall
from entrypoints.http.openai_body import (
    OpenAIChat,
    names_in_openai,
    places_in,
    read_openai_chat,
)
from entrypoints.http.openai_fields import OpenAIChatBody
from entrypoints.http.openapi import document

HI = {"role": "user", "content": "Hi"}
CALL = {
    "id": "c1",
    "index": 0,
    "type": "function",
    "function": {"name": "f", "arguments": "{}", "parsed_arguments": {}},
}
TOOL = {"type": "function", "function": {"name": "f"}}
_FIELDS = [each.name for each in attrs.fields(OpenAIChatBody)]
_INNER = ["role", "content", "type", "text", "function", "name", "json_schema", "schema", "tool_calls", "id"]
THREAD = "01890a5d-ac96-774b-bcce-b302099a8057"


def read(*messages: dict[str, Any], **fields: Any) -> OpenAIChat:
    body = {"model": "openai:gpt-x", "messages": list(messages or (HI,)), **fields}
    return read_openai_chat(body, request_id="r")


def paths(*messages: dict[str, Any], **fields: Any) -> dict[str, str]:
    """The faults."""
    with pytest.raises(InvalidRequest) as caught:
        read(*messages, **fields)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_a_plain_completion_is_a_prompt() -> None:
    """One user's turn, so that a thread's memory can stand in front of it."""
    command = read().command

    assert (Message.of("user", "Hi"),) == command.messages
    assert (command.own_history, command.model, command.stream) == (False, "openai:gpt-x", False)
    assert command.format is None
    assert dict(command.parameters) == {}


@pytest.mark.parametrize(
    ("messages", "own_history"),
    [
        (({"role": "system", "content": "Be kind."}, HI), False),
        (
            ({"role": "developer", "content": "Be kind."}, {"role": "system", "content": "Be brief."}, HI),
            False,
        ),
        ((HI, {"role": "assistant", "content": "Yes?"}, HI), True),
        ((HI, HI), True),
        (({"role": "tool", "tool_call_id": "c1", "content": "9"},), True),
    ],
)
def test_what_is_more_than_one_turn_is_a_history_of_its_own(
    messages: tuple[dict[str, Any], ...], own_history: bool
) -> None:
    """Instructions in front of the turn are none."""
    command = read(*messages, lor3={"thread_id": THREAD}).command

    assert own_history == command.own_history
    assert "developer" not in {message.role for message in command.messages}


def test_every_kind_of_message_is_read() -> None:
    """Parts, refusals, tool calls and their results."""
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}}
    messages = read(
        {"role": "user", "content": [{"type": "text", "text": "Look"}, image], "name": "ada"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        HI,
        {"role": "assistant", "content": None, "refusal": "Never.", "annotations": [], "audio": None},
        HI,
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "tool_calls": [CALL],
            "function_call": None,
            "parsed": {},
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "9"}]},
    ).command.messages

    assert messages[0].parts == (
        TextPart(text="Look"),
        ImagePart(url="https://example.org/a.png", detail="low"),
    )
    assert ["No.", "Never."] == [messages[1].text, messages[3].text]
    assert (ToolCall(id="c1", name="f", arguments="{}"),) == messages[5].tool_calls
    assert ("c1", "9") == (messages[6].tool_call_id, messages[6].text)


@pytest.mark.parametrize("content", ["", [], [{"type": "text", "text": ""}]])
def test_an_empty_answer_is_a_turn(content: Any) -> None:
    """Models give such answers, and clients keep them."""
    messages = read(HI, {"role": "assistant", "content": content}, HI).command.messages

    assert ("assistant", "") == (messages[1].role, messages[1].text)
    assert "messages[0].content" in paths({"role": "user", "content": []})
    assert "messages[0].content[0].text" in paths(
        {"role": "user", "content": [{"type": "text", "text": " "}]}
    )


def test_calls_can_be_sent_back_as_a_model_made_them() -> None:
    """Names that no tool has, and ids of any form and length."""
    call: dict[str, Any] = {"id": "functions.get:" + "0" * 5000, "type": "function"}
    call["function"] = {"name": "functions.get", "arguments": "{"}
    messages = read(
        HI,
        {"role": "assistant", "content": None, "tool_calls": [call] * 200},
        {"role": "tool", "tool_call_id": call["id"], "content": "9"},
    ).command.messages

    assert ("functions.get", call["id"]) == (messages[1].tool_calls[0].name, messages[2].tool_call_id)


def test_what_other_servers_leave_in_a_turn_is_let_be() -> None:
    """The answer names what was not passed on; null and what says nothing is not worth a word."""
    call: dict[str, Any] = {**CALL, "extra_content": {"google": {"thought_signature": "…"}}}
    call["function"] = {"name": "f", "arguments": "{}", "strict": None, "provider_specific_fields": None}
    chat = read(
        HI,
        {
            "role": "assistant",
            "content": "Hm.",
            "tool_calls": [call],
            "reasoning": None,
            "reasoning_content": "I think",
            "reasoning_details": [{"type": "reasoning.text"}],
            "thinking_blocks": [],
            "provider_specific_fields": None,
        },
        {"role": "tool", "tool_call_id": "c1", "content": "9"},
    )

    assert chat.warnings == (
        "fields of messages that were not passed on: `reasoning_content`, `reasoning_details`, `thinking_blocks`, "
        "`tool_calls.extra_content`",
    )


def test_a_default_is_not_passed_on() -> None:
    """Clients send OpenAI's own unasked; no model is passed over for one."""
    command = read(frequency_penalty=0, presence_penalty=0.0, logit_bias={}, store=False).command

    assert dict(command.parameters) == {}


def test_a_participants_name_is_not_lost_silently() -> None:
    """The answer says that it was not passed on."""
    assert "`name`" in read({**HI, "name": "ada"}).warnings[0]
    assert read().warnings == ()


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ({"role": "function", "name": "f", "content": "9"}, "messages[0].role"),
        ({"role": "nobody", "content": "x"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
            "messages[0].content[0].type",
        ),
        ({"role": "user", "content": [{"type": "file", "file": {}}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "refusal", "refusal": "No"}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": "x", "refusal": "No"}, "messages[0].refusal"),
        ({"role": "assistant", "content": "x"}, "messages[0].role"),
        ({"role": "tool", "tool_call_id": "c9", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "user", "content": "x", "function_call": {}}, "messages[0].function_call"),
        ({"role": "user", "content": "x", "weight": 1}, "messages[0].weight"),
    ],
)
def test_a_message_that_can_not_be_served_is_named(message: dict[str, Any], path: str) -> None:
    """The legacy role among them."""
    assert path in paths(message)


def test_null_is_as_good_as_left_out() -> None:
    """SDKs in other languages write it."""
    fields = dict.fromkeys(_properties() - {"messages", "model"})

    assert read().command == read(**fields, top_k=None).command


def test_options_have_their_places_in_the_command() -> None:
    """Under lor3's names."""
    command = read(
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        max_completion_tokens=7,
        temperature=0.5,
        top_p=0.9,
        stop="END",
        seed=1,
        tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "f"}},
        user="ada",
        metadata={"a": "b"},
        n=1,
        modalities=["text"],
        logprobs=False,
    ).command

    assert (command.stream, command.max_tokens, command.stop, command.seed) == (True, 7, ("END",), 1)
    assert (command.temperature, command.top_p, command.user) == (0.5, 0.9, "ada")
    assert ToolChoice(mode="function", name="f") == command.tool_choice
    assert (("a", "b"),) == command.metadata
    assert dict(command.parameters) == {}


@pytest.mark.parametrize(
    ("response_format", "expected"),
    [
        (None, (None, None)),
        ({"type": "text"}, ("raw", None)),
        ({"type": "json_object"}, ("json", None)),
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True},
            },
            ("json", {"type": "object"}),
        ),
    ],
)
def test_a_response_format_is_a_format(response_format: Any, expected: tuple[Any, Any]) -> None:
    """Without one it is as configured."""
    command = read(response_format=response_format).command

    assert expected == (command.format, command.schema)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("prompt/support_agent@production", (None, "support_agent@production")),
        ("prompt/support_agent:v3", (None, "support_agent:v3")),
        ("openai:gpt-x", ("openai:gpt-x", None)),
        ("gpt-5-mini", ("gpt-5-mini", None)),
        (None, (None, None)),
    ],
)
def test_a_model_may_be_a_prompt(model: str | None, expected: tuple[str | None, str | None]) -> None:
    """Which the configured model answers."""
    command = read(model=model).command

    assert expected == (command.model, command.system_prompt)


def test_lor3s_own_powers_are_those_of_chat() -> None:
    """Under the same names, in one field."""
    lor3 = {
        "thread_id": THREAD, "session_id": THREAD, "system_prompt": "p", "variables": {"a": 1}, "context_depth": 3,
        "memory": "summary", "format": "json", "schema": {"type": "object"}, "fallbacks": [], "on_disconnect": "cancel",
    }  # fmt: skip
    command = read(lor3=lor3).command

    assert {name: getattr(command, name) for name in lor3} == {**lor3, "fallbacks": ()}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"moderation": {"model": "x"}}, "moderation"),
        ({"functions": []}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
            "tool_choice.type",
        ),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_completion_tokens"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"response_format": {"type": "text"}, "lor3": {"format": "json"}}, "lor3.format"),
        ({"model": "prompt/a", "lor3": {"system_prompt": "b"}}, "lor3.system_prompt"),
        ({"lor3": {"stream": True}}, "lor3.stream"),
        ({"lor3": {"thread_id": "x"}}, "lor3.thread_id"),
        ({"lor3": []}, "lor3"),
        ({"thread_id": THREAD}, "thread_id"),
        ({"stream_options": {"x": 1}}, "stream_options.x"),
        ({"frequency_penalty": 3}, "frequency_penalty"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
    ],
)
def test_what_can_not_be_served_is_refused_by_name(fields: dict[str, Any], path: str) -> None:
    """Rather than passed over."""
    assert path in paths(**fields)


@pytest.mark.parametrize(
    "name",
    [
        "api_base",
        "base_url",
        "callback_url",
        "api_key",
        "extra_headers",
        "x-target-host",
        "a b",
        "proxy",
        "",
        "baseURL",
        "BASE_URL",
        "apiBase",
        "apiKey",
        "apikey",
        "APIKey",
        "api-key",
        "api.base",
        "extraHeaders",
        "baseurls",
        "authorization",
        "Authorization",
        "auth_token",
        "accessToken",
        "token",
        "bearer",
        "defaultHeaders",
        "X-Host",
        "azureEndpoint",
        "URLs",
        "extraheaders",
        "password",
        "vertex_credentials",
        "baseUrl2",
    ],
)
def test_nobody_chooses_where_a_call_goes(name: str) -> None:
    """Nor with which credential (security 8), whatever a provider would make of the field."""
    assert len(paths(**{name: "http://canary.example"})) == 1


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"extra_body": {"api_base": "x"}}, "extra_body.api_base"),
        ({"litellm_params": {"a": {"apiBase": "x"}}}, "litellm_params.a.apiBase"),
        ({"provider": {"base_url": "x"}}, "provider.base_url"),
        ({"mcp_servers": [{"name": "m"}, {"url": "x"}]}, "mcp_servers[1].url"),
        ({"kv_transfer_params": {"remote_host": "x"}}, "kv_transfer_params.remote_host"),
        ({"guided_json": {"properties": {"url": "x"}}}, "guided_json.properties.url"),
        ({"a": {"b": [[{"x-target": 1}]]}}, "a.b[0][0].x-target"),
    ],
)
def test_nobody_chooses_it_further_inside(fields: dict[str, Any], path: str) -> None:
    """Where some servers look for it as well."""
    assert [path] == list(paths(**fields))


def test_a_parameter_of_countless_names_is_refused() -> None:
    """Nobody waits until they are all looked at."""
    assert ["a"] == list(paths(a={str(number): number for number in range(20_000)}))


@pytest.mark.parametrize(
    "fields",
    [
        {"stop_token_ids": [1]},
        {"allowed_token_ids": [1]},
        {"skip_special_tokens": True},
        {"hourly": 1, "your_language": "en", "author": "a", "monkey": 1, "ghost": 1, "based_on": 1},
        {"guided_json": {"type": "object", "properties": {"url": {"type": "string"}, "key": True}}},
        {"chat_template_kwargs": {"enable_thinking": False, "50256": 1, "": 0}},
        {"provider": {"order": ["a"], "sort": "price"}},
    ],
)
def test_other_names_are_passed_on(fields: dict[str, Any]) -> None:
    """A schema may speak of whatever it likes."""
    assert dict(read(**fields).command.parameters) == fields


def test_further_fields_are_passed_on() -> None:
    """OpenAI's and those that nobody here knows, but not those that are null."""
    command = read(
        frequency_penalty=0.5, logit_bias={"50256": -100}, reasoning_effort="low", parallel_tool_calls=False,
        top_k=40, min_p=None, stop_token_ids=[1],
    ).command  # fmt: skip

    assert {
        "frequency_penalty": 0.5, "logit_bias": {"50256": -100}, "reasoning_effort": "low", "parallel_tool_calls": False,
        "top_k": 40, "stop_token_ids": [1],
    } == dict(command.parameters)  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "user", "parameters"),
    [
        ({"safety_identifier": "s"}, "s", {}),
        ({"user": "", "safety_identifier": "s"}, "s", {}),
        ({"user": "u"}, "u", {}),
        ({"user": "u", "safety_identifier": "s"}, "u", {"safety_identifier": "s"}),
    ],
)
def test_a_safety_identifier_stands_for_the_user(
    fields: dict[str, Any], user: str, parameters: dict[str, Any]
) -> None:
    """OpenAI's newer name of the field."""
    chat = read(**fields)
    command = chat.command

    assert chat.names.get("user", "user") == ("user" if fields.get("user") else "safety_identifier")
    assert (user, parameters) == (command.user, dict(command.parameters))


def test_all_faults_are_named_at_once() -> None:
    """Those that span fields too."""
    found = paths({"role": "assistant", "content": "x"}, n=2, tool_choice="auto", top_p=7)

    assert {"n", "top_p", "messages[0].role", "tool_choice"} == set(found)


@given(
    st.dictionaries(
        st.sampled_from(sorted(_FIELDS)) | st.text(max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(_INNER) | st.text(max_size=5), inner, max_size=4)
            ),
            max_leaves=12,
        ),
        max_size=6,
    )
)
@settings(max_examples=100)
def test_whatever_a_body_holds_it_is_read_or_refused(body: dict[str, Any]) -> None:
    """Never a 500."""
    with contextlib.suppress(InvalidRequest):
        read_openai_chat(body, request_id="r")
    names_in_openai(body)
    places_in(body)


def test_every_field_of_the_sdk_is_known() -> None:
    """A new version of the SDK with further ones fails here, so that somebody decides on them."""
    fields = set(inspect.get_annotations(completion_create_params.CompletionCreateParamsBase)) | {"stream"}

    assert fields - _properties() == set()


def test_the_documented_examples_fit_the_documented_body() -> None:
    """And are read."""
    api: Any = document()
    content = api["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]

    for example in content["examples"].values():
        jsonschema.validate(example["value"], {**content["schema"], "components": api["components"]})
        read_openai_chat(example["value"], request_id="r")


def _properties() -> set[str]:
    api: Any = document()
    return set(api["components"]["schemas"]["OpenAIChatBody"]["properties"])
