"""A prompt's source as JSON."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from domain.prompt.document import (
    BEGINNING,
    MAX_DESCRIPTION,
    MAX_DOCUMENT_BYTES,
    MAX_SOURCE_BYTES,
    description_in,
    document_text,
    read_source,
    write_source,
)
from domain.prompt.source import PromptSource, Turn, Variable
from tests.support.templates import faults


def _refused(document: Any, path: str = "") -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        read_source(document, path=path)
    return faults(caught.value)


def test_template_is_one_system_turn() -> None:
    """The short form of a system text."""
    source = read_source(
        {"template": "Hi {{name}}", "variables": {"name": "string"}, "description": "Greets."}
    )

    assert source == PromptSource(
        turns=(Turn(role="system", template="Hi {{name}}"),),
        variables=(Variable(name="name"),),
        description="Greets.",
    )


def test_variables_in_every_form() -> None:
    """A type alone, in full, with a null default, and an enum in two spellings."""
    source = read_source(
        {
            "messages": [{"role": "user", "content": "x"}],
            "variables": {
                "a": "integer",
                "b": {"type": "list", "default": ["x"], "description": "B"},
                "c": {"default": None},
                "d": {"type": "enum", "values": ["x", "y"], "default": "y"},
                "e": {"enum": ["x"]},
                "f": {},
            },
        }
    )

    assert source.is_chat
    assert source.variables == (
        Variable(name="a", type="integer"),
        Variable(name="b", type="list", required=False, default=["x"], description="B"),
        Variable(name="c", required=False),
        Variable(name="d", type="enum", required=False, default="y", values=("x", "y")),
        Variable(name="e", type="enum", values=("x",)),
        Variable(name="f"),
    )


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        (None, "", "a prompt is an object"),
        ("text", "", "a prompt is an object"),
        ({}, "template", "is missing; give a text here, or turns in `messages`"),
        ({"template": 1}, "template", "must be a text"),
        ({"template": ""}, "template", "is empty; write its text"),
        ({"template": " \n\t"}, "template", "is empty; write its text"),
        (
            {"messages": [{"role": "user", "content": "\n"}]},
            "messages[0].content",
            "is empty; write its text",
        ),
        ({"template": "é" * 131_073}, "template", "at most 262144 bytes"),
        ({"template": "x", "messages": [{"role": "user", "content": "x"}]}, "messages", "not both"),
        ({"messages": []}, "messages", "a list of 1 to 64 turns"),
        ({"messages": [{"role": "user", "content": "x"}] * 65}, "messages", "a list of 1 to 64 turns"),
        ({"messages": "x"}, "messages", "a list of 1 to 64 turns"),
        ({"messages": ["x"]}, "messages[0]", "a turn is an object"),
        ({"messages": [{"role": "usr", "content": "x"}]}, "messages[0].role", "did you mean `user`?"),
        (
            {"messages": [{"role": ["user"], "content": "x"}]},
            "messages[0].role",
            "must be `system`, `user` or `assistant`",
        ),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "is missing"),
        (
            {"messages": [{"role": "user", "content": "x", "name": "y"}]},
            "messages[0].name",
            "is unknown here",
        ),
        ({"template": "x", "desription": "y"}, "desription", "did you mean `description`?"),
        (
            {"template": "x", "name": "y"},
            "name",
            "is unknown here; known: template, messages, variables, description",
        ),
        ({"template": "x", "description": "y" * 10_001}, "description", "at most 10000 characters"),
        ({"template": "x", "variables": ["a"]}, "variables", "must be an object"),
        ({"template": "x", "variables": {f"a{n}": "string" for n in range(101)}}, "variables", "at most 100"),
        ({"template": "x", "variables": {"a-b": "string"}}, "variables.a-b", "is no name of a variable"),
        ({"template": "x", "variables": {"a" * 65: "string"}}, "variables." + "a" * 63 + "…", "is no name"),
        ({"template": "x", "variables": {"a": 1}}, "variables.a", "must be a type"),
        ({"template": "x", "variables": {"a": "strnig"}}, "variables.a.type", "did you mean `string`?"),
        ({"template": "x", "variables": {"a": {"type": ["string"]}}}, "variables.a.type", "must be one of"),
        (
            {"template": "x", "variables": {"a": {"type": "string", "defualt": 1}}},
            "variables.a.defualt",
            "did you mean `default`?",
        ),
        (
            {"template": "x", "variables": {"a": {"type": "integer", "default": "1"}}},
            "variables.a.default",
            "must be an integer, not a string",
        ),
        (
            {"template": "x", "variables": {"a": {"type": "integer", "default": True}}},
            "variables.a.default",
            "not a boolean",
        ),
        ({"template": "x", "variables": {"a": {"type": "enum"}}}, "variables.a.values", "is missing"),
        (
            {"template": "x", "variables": {"a": {"enum": []}}},
            "variables.a.enum",
            "a list of 1 to 1000 texts",
        ),
        (
            {"template": "x", "variables": {"a": {"enum": ["x", 1]}}},
            "variables.a.enum",
            "a list of 1 to 1000 texts",
        ),
        (
            {"template": "x", "variables": {"a": {"enum": ["x", "x"]}}},
            "variables.a.enum",
            "names a value twice",
        ),
        (
            {"template": "x", "variables": {"a": {"enum": ["x"], "values": ["x"]}}},
            "variables.a.enum",
            "keep one of them",
        ),
        (
            {"template": "x", "variables": {"a": {"enum": ["x"], "default": "y"}}},
            "variables.a.default",
            'one of "x", not "y"',
        ),
        (
            {"template": "x", "variables": {"a": {"type": "string", "values": ["x"]}}},
            "variables.a.values",
            "belongs to the type `enum`",
        ),
        (
            {"template": "x", "variables": {"a": {"description": 1}}},
            "variables.a.description",
            "must be a text",
        ),
    ],
)
def test_mistake_is_named_at_its_path(document: Any, path: str, words: str) -> None:
    """One fault for one mistake, with its remedy."""
    found = _refused(document)

    assert [path] == list(found)
    assert words in found[path]


def test_all_mistakes_are_named_at_once_behind_the_path() -> None:
    """Where a prompt is part of a larger body, paths say so."""
    found = _refused(
        {"messages": [{"role": "x"}], "variables": {"a": "x", "b": {"y": 1}}, "z": 1}, path="prompt"
    )

    assert [
        "prompt.z",
        "prompt.messages[0].role",
        "prompt.messages[0].content",
        "prompt.variables.a.type",
        "prompt.variables.b.y",
    ] == list(found)


_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
_DESCRIPTIONS = st.none() | st.text(max_size=10)


def _variables() -> st.SearchStrategy[Variable]:
    def made(name: str, kind: Any, default: Any, description: str | None) -> Variable:
        return Variable(
            name=name,
            type=kind,
            required=default is ...,
            default=None if default is ... else default,
            description=description,
        )

    values = {
        "string": st.text(max_size=5),
        "integer": st.integers(-(10**9), 10**9),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "list": st.lists(st.integers() | st.text(max_size=3), max_size=3),
        "object": st.dictionaries(st.text(max_size=3), st.booleans(), max_size=3),
    }
    typed = [
        st.builds(made, _NAMES, st.just(kind), st.just(...) | st.none() | each, _DESCRIPTIONS)
        for kind, each in values.items()
    ]
    enum = st.lists(st.text(max_size=3), min_size=1, max_size=3, unique=True).map(tuple)
    return st.one_of(*typed, st.builds(Variable, name=_NAMES, type=st.just("enum"), values=enum))


@given(
    st.lists(_variables(), max_size=4, unique_by=lambda each: each.name).map(tuple),
    st.lists(
        st.builds(
            Turn,
            role=st.sampled_from(["system", "user", "assistant"]),
            template=st.text(max_size=9).map("x".__add__),
        ),
        min_size=1,
        max_size=3,
    ),
    _DESCRIPTIONS,
)
def test_document_of_a_source_reads_as_the_source(
    variables: tuple[Variable, ...], turns: list[Turn], description: str | None
) -> None:
    """Files, API and database lose nothing."""
    chat = PromptSource(turns=tuple(turns), is_chat=True, variables=variables, description=description)
    text = PromptSource(turns=(Turn(role="system", template=turns[0].template),), variables=variables)

    assert chat == read_source(write_source(chat))
    assert text == read_source(write_source(text))


def test_defaults_are_not_written() -> None:
    """A file stays as short as its author wrote it."""
    assert {"template": "x"} == write_source(read_source({"template": "x"}))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["template", "messages", "variables", "role", "content", "type", "default", "values", "a"]
                ),
                inner,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:
    """Nothing but a refusal comes out of garbage."""
    try:
        source = read_source(value)
    except InvalidRequest as error:
        assert error.faults  # noqa: PT017 - both ends are fine
    else:
        assert source.turns


def _turns(*sizes: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "x" * size} for size in sizes]}


def test_templates_together_are_bounded() -> None:
    """To the byte, as comments are free."""
    half = MAX_SOURCE_BYTES // 2

    read_source(_turns(half, half))
    message = _refused(_turns(half, half - 1, 2), "p")["p.messages"]
    assert message.startswith(
        f"the turns together must have at most {MAX_SOURCE_BYTES} bytes in UTF-8, and have {MAX_SOURCE_BYTES + 1};"
    )


def test_whole_document_is_bounded() -> None:
    """Defaults are free otherwise."""
    document: dict[str, Any] = {"template": "x", "variables": {"a": {"type": "string", "default": ""}}}
    room = MAX_DOCUMENT_BYTES - len(document_text(read_source(document)))
    full: dict[str, Any] = {"template": "x", "variables": {"a": {"type": "string", "default": "x" * room}}}
    assert MAX_DOCUMENT_BYTES == len(document_text(read_source(full)))

    full["template"] = "xx"
    assert "must have at most 1048576 bytes as JSON, and has 1048577" in _refused(full)[""]


@pytest.mark.parametrize("description", [None, "", "\x1f" * MAX_DESCRIPTION, '"}, {"', "🙂\n"])
def test_description_is_read_from_the_beginning_of_the_text(description: str | None) -> None:
    """However it is escaped; the text is the same document."""
    source = read_source({"template": '"description":"no"' * 9000, "description": description})
    text = document_text(source)

    assert description == description_in(text[:BEGINNING])
    assert source == read_source(json.loads(text))


@pytest.mark.parametrize(
    "text", ["", "{", '{"description":', '{"description":7}', '{"description":"x', "null"]
)
def test_broken_beginning_has_no_description(text: str) -> None:
    """Whoever lists prompts goes on."""
    assert description_in(text) is None
