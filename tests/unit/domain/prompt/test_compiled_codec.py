"""Compiled prompts in a cache that may hold anything."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.prompt.compiled_codec import SCHEMA, from_json, to_json
from tests.support.templates import compiled

PROMPT = compiled(
    {
        "messages": [
            {"role": "system", "content": "{{#rows}}\n- {{name}} {{.}}\n{{/rows}}\n"},
            {"role": "user", "content": '{{^on}}{{> f a="x" b=rows}}{{/on}}{{user.name}}'},
        ],
        "variables": {"rows": "list", "on": {"default": False, "type": "boolean"}, "user": "object"},
    },
    f={
        "template": "{{#b}}{{a}}{{c}}{{/b}}",
        "variables": {"a": "string", "b": "list", "c": {"enum": ["p", "q"]}},
    },
)
FLAT = json.dumps(to_json(PROMPT))


def _changed(*path: Any, to: Any) -> Any:
    value = json.loads(FLAT)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = to
    return value


def test_prompt_survives() -> None:
    """With every kind of operation."""
    again = from_json(json.loads(FLAT))

    assert again == PROMPT
    assert again is not None
    assert again.text == PROMPT.text


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        "x",
        {"schema": SCHEMA},
        _changed("schema", to=SCHEMA + 1),
        _changed("schema", to=True),
        _changed("more", to=1),
        _changed("hash", to="x"),
        _changed("hash", to=None),
        _changed("name", to="a b"),
        _changed("version", to=0),
        _changed("version", to=True),
        _changed("version", to=2**31),
        _changed("is_chat", to=1),
        _changed("is_chat", to=False),
        _changed("turns", to=[]),
        _changed("turns", to={}),
        _changed("turns", 0, to=[]),
        _changed("turns", 0, "role", to="tool"),
        _changed("turns", 0, "role", to=[]),
        _changed("turns", 0, "chomp", to=False),
        _changed("turns", 0, "program", to="x"),
        _changed("turns", 0, "program", to=[""]),
        _changed("turns", 0, "program", to=[1]),
        _changed("turns", 0, "program", to=[[]]),
        _changed("turns", 0, "program", to=[["value", "root"]]),
        _changed("turns", 0, "program", to=[["value", "root", "unknown"]]),
        _changed("turns", 0, "program", to=[["value", "root", "c\n"]]),
        _changed("turns", 0, "program", to=[["value", "item", "."]]),
        _changed("turns", 0, "program", to=[["value", "const", "x"]]),
        _changed("turns", 0, "program", to=[["value", [], {}]]),
        _changed("turns", 0, "program", to=[["section", "root", "rows", 1]]),
        _changed("turns", 0, "program", to=[["section", "root", "rows", 2], ["end", 0]]),
        _changed("turns", 0, "program", to=[["section", "root", "rows", True], ["end", 0]]),
        _changed("turns", 0, "program", to=[["section", "root", "rows", 1], ["end", False]]),
        _changed("turns", 0, "program", to=[["end", 0]]),
        _changed("turns", 0, "program", to=[["end", -1]]),
        _changed("turns", 0, "program", to=[["with", [["a", "const", None]], 1], ["end", 0]]),
        _changed("turns", 0, "program", to=[["with", [["a b", "const", 1]], 1], ["end", 0]]),
        _changed("turns", 0, "program", to=[["with", [["a", "const"]], 1], ["end", 0]]),
        _changed("turns", 0, "program", to=[["with", {}, 1], ["end", 0]]),
        _changed(
            "turns",
            0,
            "program",
            to=[["inverted", "root", "rows", 81 - at] for at in range(41)]
            + [["end", 81 - at] for at in range(41, 82)],
        ),
        _changed("variables", to={}),
        _changed("variables", 0, to=["rows"]),
        _changed("variables", 0, 0, to="on"),
        _changed("variables", 0, 1, to="list"),
        _changed("variables", 0, 1, to={"type": "text"}),
        _changed("variables", 0, 1, to={"type": "list", "default": 1}),
        _changed("fragments", 0, to=["f"]),
        _changed("fragments", 0, to=["f", "1"]),
        _changed("untyped", to=["unknown"]),
        _changed("deferred", to=[1]),
        _changed("deferred", to=["rows"]),
    ],
)
def test_anything_else_is_nothing(value: Any) -> None:
    """Garbage, another schema, and a program that could not run."""
    assert from_json(value) is None


def test_deep_garbage_is_nothing() -> None:
    """Deep enough to break who recurses."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert from_json(_changed("turns", to=deep)) is None
    assert from_json(_changed("variables", 0, 1, to={"type": "list", "default": deep})) is None


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.data())
def test_any_damage_is_nothing_or_can_still_run(data: st.DataObject) -> None:
    """One value at any place replaced by any other: what comes back renders or refuses, and prints itself."""
    value = json.loads(FLAT)
    inner = value
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(inner[key], dict | list) or not inner[key] or data.draw(st.integers(0, 3)) == 0:
            break
        inner = inner[key]
    inner[key] = data.draw(_ANY)

    prompt = from_json(value)

    if prompt is not None:
        assert prompt.text is not None
        assert {variable.name for variable in prompt.variables} >= set(prompt.deferred)
