"""From a decoded body to a command."""

from typing import Any

import pytest

from application.use_cases.chat_command import SendChatCommand
from domain.chat import ToolChoice
from domain.errors import InvalidRequest
from domain.message import ImagePart, Message, TextPart, ToolCall
from entrypoints.http.chat_body import read_command
from entrypoints.http.chat_names import Names, names_in

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USER = {"role": "user", "content": "hi"}


def read(**body: Any) -> SendChatCommand:
    return read_command(body, request_id="r", accepts_stream=False)


def paths(**body: Any) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        read(**body)
    return [fault.path for fault in caught.value.faults]


def test_a_prompt_is_one_user_turn() -> None:
    """And everything else is as configured."""
    assert read(prompt="hi") == SendChatCommand(request_id="r", messages=(Message.of("user", "hi"),))


def test_messages_are_the_callers_own_history() -> None:
    """Kept in order and role, with calls and their results."""
    command = read(
        messages=[
            {"role": "system", "content": "be brief"},
            USER,
            {"role": "assistant", "content": None, "tool_calls": [{**CALL, "complete": True}]},
            {"role": "tool", "tool_call_id": "c1", "content": ""},
        ]
    )

    assert command.own_history
    assert [each.role for each in command.messages] == ["system", "user", "assistant", "tool"]
    assert command.messages[2].tool_calls == (ToolCall(id="c1", name="f", arguments="{}"),)
    assert command.messages[3] == Message(role="tool", parts=(TextPart(text=""),), tool_call_id="c1")


@pytest.mark.parametrize(
    ("part", "image"),
    [
        ({"type": "image", "url": "https://a.example/x.png"}, ImagePart(url="https://a.example/x.png")),
        (
            {"type": "image", "data": "aGk=", "media_type": "image/png", "detail": "low"},
            ImagePart(data="aGk=", media_type="image/png", detail="low"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/gif;base64,aGk="}},
            ImagePart(data="aGk=", media_type="image/gif"),
        ),
    ],
)
def test_images_are_read_in_all_shapes(part: dict[str, Any], image: ImagePart) -> None:
    """lor3's own two, and OpenAI's."""
    command = read(messages=[{"role": "user", "content": [{"type": "text", "text": "what?"}, part]}])

    assert command.messages[0].parts == (TextPart(text="what?"), image)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image"},
        {"type": "image", "url": "ftp://a/x"},
        {"type": "image", "url": "https://"},
        {"type": "image", "url": "https://a.example:99999/"},
        {"type": "image", "url": "https://a b/"},
        {"type": "image", "url": "javascript:alert(1)"},
        {"type": "image", "url": "https://a.example/" + "x" * 3000},
        {"type": "image", "url": "https://a.example/", "data": "aGk=", "media_type": "image/png"},
        {"type": "image", "data": "aGk="},
        {"type": "image", "data": "a", "media_type": "image/png"},
        {"type": "image", "data": "ä", "media_type": "image/png"},
        {"type": "image", "data": "aGk=", "media_type": "image/svg+xml"},
        {"type": "image_url", "image_url": {"url": "data:text/html;base64,aGk="}},
        {"type": "image_url", "image_url": "https://a.example/"},
        {"type": "video", "url": "https://a.example/"},
        "text",
        None,
    ],
)
def test_bad_parts_are_named(part: Any) -> None:
    """By a path inside the part."""
    assert paths(messages=[{"role": "user", "content": [part]}])[0].startswith("messages[0].content[0]")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [USER, {"role": "assistant", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c9"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{**USER, "tool_calls": [CALL]}]}, "messages[0].tool_calls"),
        ({"messages": [{**USER, "name": "bob"}]}, "messages[0].name"),
        ({"prompt": "x", "tools": [TOOL, TOOL]}, "tools[1].function.name"),
        (
            {"prompt": "x", "tools": [{"type": "function", "function": {"name": "a b"}}]},
            "tools[0].function.name",
        ),
        ({"prompt": "x", "tool_choice": "required"}, "tool_choice"),
        ({"prompt": "x", "tool_choice": "some", "tools": [TOOL]}, "tool_choice"),
        (
            {"prompt": "x", "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            "tool_choice.function.name",
        ),
        ({"prompt": "x", "stop": ["a"] * 5}, "stop"),
        ({"prompt": "x", "metadata": {"a": 1}}, "metadata.a"),
        ({"prompt": "x", "metadata": {str(number): "x" for number in range(17)}}, "metadata"),
        ({"prompt": "x", "context_depth": 201}, "context_depth"),
        ({"prompt": "x", "top_p": 0}, "top_p"),
        ({"prompt": "x", "top_p": 1.1}, "top_p"),
        ({"prompt": "x", "schema": []}, "schema"),
        ({"prompt": "x", "fallbacks": "openai:gpt-4"}, "fallbacks"),
        ({"prompt": "x", "on_disconnect": "stay"}, "on_disconnect"),
    ],
)
def test_faults_are_named_by_their_path(body: dict[str, Any], path: str) -> None:
    """One fault, one path."""
    assert paths(**body) == [path]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"messages": [{"role": "robot", "content": "x"}, {"role": "user"}]},
            ["messages[0].role", "messages[1].content"],
        ),
        (
            {"messages": [{"role": "robot"}, {"role": "user", "content": ""}], "nope": 1},
            ["messages[0].role", "nope", "messages[0].content", "messages[1].content"],
        ),
        (
            # The call is known although its message can't be read.
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [CALL], "nope": 1},
                    {"role": "tool", "tool_call_id": "c1", "content": "x"},
                ]
            },
            ["messages[0].nope"],
        ),
        (
            {"prompt": "x", "nope": 1, "tools": [TOOL, TOOL], "tool_choice": "some"},
            ["nope", "tool_choice"],
        ),
        (
            {"prompt": "x", "nope": 1, "tools": [TOOL, TOOL], "tool_choice": "auto"},
            ["nope", "tools[1].function.name"],
        ),
        ({"nope": 1, "tool_choice": "required"}, ["nope", "prompt", "tool_choice"]),
        ({"messages": "hi", "nope": 1}, ["messages", "nope"]),
    ],
)
def test_a_fault_hides_no_other(body: dict[str, Any], expected: list[str]) -> None:
    """What spans fields and turns is looked for in the rest of the body too."""
    assert paths(**body) == expected


def test_names_are_read_from_a_body_with_faults() -> None:
    """Those that are names; a schema only where its format can be told."""
    assert names_in({"format": "xml", "model": 5, "fallbacks": ["a:b"], "schema": {}, "nope": 1}) == Names(
        format="xml", schema={}, model=None, fallbacks=("a:b",), system_prompt=None, variables={}
    )
    assert names_in({"format": 5, "schema": {}}).schema is None


def test_variables_are_judged_only_with_a_prompt_that_can_be_read() -> None:
    """Else every one of them would seem undeclared."""
    readable = names_in({"system_prompt": "agent", "variables": {"name": "Ada"}, "nope": 1})

    assert (readable.system_prompt, readable.variables) == ("agent", {"name": "Ada"})
    assert names_in({"system_prompt": 5, "variables": {"name": "Ada"}}).variables is None
    assert names_in({"system_prompt": "agent", "variables": [1]}).variables is None


def test_options_are_carried_over() -> None:
    """Each to its field."""
    command = read(
        prompt="x", stop="END", temperature=1, fallbacks=[], metadata={"a": "b"}, stream=True, tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "f"}}, on_disconnect="cancel",
    )  # fmt: skip

    assert (command.stop, command.temperature, command.fallbacks) == (("END",), 1.0, ())
    assert (command.metadata, command.stream, command.on_disconnect) == ((("a", "b"),), True, "cancel")
    assert command.tool_choice == ToolChoice(mode="function", name="f")
