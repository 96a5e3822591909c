"""A saved assistant's JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from domain.prompt.formats.assistant import assistant_source, read_assistant
from domain.prompt.formats.imported import name_from
from tests.support.importing import compiled, rendered

ASSISTANT: dict[str, Any] = {
    "id": "asst_abc123",
    "object": "assistant",
    "created_at": 1698984975,
    "name": "Math Tutor",
    "description": None,
    "model": "gpt-4o",
    "instructions": "You are a tutor. Write {{answer}} for the answer, {one brace} and {{{three}}}.",
    "tools": [{"type": "code_interpreter"}],
    "metadata": {},
    "top_p": 1.0,
    "temperature": 0.3,
    "response_format": "auto",
    "tool_resources": {},
}


def test_instructions_are_plain_text() -> None:
    """The Assistants API had no variables, so braces are the model's to read."""
    prompt = read_assistant(ASSISTANT)

    assert ASSISTANT["instructions"] == rendered(prompt).system
    assert () == prompt.source.variables


def test_variables_are_variables_where_that_is_asked_for() -> None:
    """Only plain names: three braces stay text around the variable inside."""
    prompt = read_assistant(ASSISTANT, variables=True)

    assert ["answer", "three"] == [variable.name for variable in prompt.source.variables]
    assert (
        "You are a tutor. Write 4 for the answer, {one brace} and {x}."
        == rendered(prompt, answer="4", three="x").system
    )


def test_what_has_no_place_is_noted() -> None:
    """Not what the API filled in by itself."""
    assert ["model", "tools", "temperature", "{{answer}}"] == [
        note.split("`")[1] for note in read_assistant(ASSISTANT).notes
    ]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"object": "thread"}, "object"),
        ({"instructions": None}, "instructions"),
        ({"instructions": "  "}, "instructions"),
        ({"instructions": ["x"]}, "instructions"),
        ({"name": 7}, "name"),
    ],
)
def test_what_is_no_assistant_is_refused(changes: dict[str, Any], path: str) -> None:
    """With the path."""
    with pytest.raises(InvalidRequest) as caught:
        read_assistant(ASSISTANT | changes)

    assert [path] == [fault.path for fault in caught.value.faults]


@given(st.text(alphabet='{}ab \n"#/^!>&.\\', min_size=1, max_size=40).filter(str.strip))
def test_any_instructions_render_as_they_are(text: str) -> None:
    """Whatever looks like a tag is text."""
    assert text == compiled(assistant_source(text, description=None, variables=False)).render({}).system


@given(st.text(alphabet='{}ab \n"#/', min_size=1, max_size=40).filter(str.strip))
def test_any_instructions_with_variables_compile(text: str) -> None:
    """And a variable that is given its own tag renders the text as it was."""
    compiled(assistant_source(text, description=None, variables=True))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Math Tutor", "math_tutor"),
        ("support_agent", "support_agent"),
        ("Élève/übung №1", "eleve_ubung_no1"),
        ("asst_Abc", "asst_Abc"),
        ("数学", None),
        ("..", None),
        ("x" * 300, "x" * 128),
    ],
)
def test_name_is_made_of_any_text(text: str, name: str | None) -> None:
    """What is a name already stays as it is."""
    assert name == name_from(text)
