"""Filling in variables."""

import math
from types import MappingProxyType
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from domain.message import Message
from domain.prompt.compiled import MAX_OUTPUT_BYTES
from domain.prompt.rendering import MAX_ITERATIONS
from tests.support.spent import cpu_below
from tests.support.templates import compiled, faults, rendered

TYPES: Final = {
    "s": "string",
    "i": "integer",
    "n": "number",
    "b": "boolean",
    "l": "list",
    "o": "object",
    "e": {"enum": ["de", "en"]},
}
VALUES: Final[dict[str, Any]] = {"s": "x", "i": 1, "n": 1.5, "b": True, "l": [], "o": {}, "e": "de"}


def _refused(variables: dict[str, Any], values: dict[str, Any], template: str = "") -> dict[str, str]:
    prompt = compiled({"template": template, "variables": variables})
    with pytest.raises(InvalidRequest) as caught:
        prompt.render(values)
    return faults(caught.value)


def test_all_faults_of_the_variables_are_named_at_once() -> None:
    """Undeclared, missing and ill-typed, each at its path."""
    found = _refused(
        {
            "name": {"type": "string", "description": "Who is asked."},
            "count": "integer",
            "lang": {"enum": ["de", "en"]},
        },
        {"nmae": "Ada", "count": "3", "lang": "fr"},
    )

    assert found == {
        "variables.name": "is missing; the prompt needs a string: Who is asked.",
        "variables.count": "must be an integer, not a string",
        "variables.lang": 'must be one of "de", "en", not "fr"',
        "variables.nmae": "the prompt declares no such variable; did you mean `name`?; declared: `name`, `count`, `lang`",
    }


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("s", 1, "must be a string, not an integer"),
        ("s", None, "must be a string, not null"),
        ("s", ["x"], "must be a string, not a list"),
        ("i", True, "must be an integer, not a boolean"),
        ("i", 3.0, "must be an integer, not a number; write it without a decimal point"),
        ("i", "3", "must be an integer, not a string"),
        ("i", 10**400, "holds an integer of 1329 bits"),
        ("n", True, "must be a number, not a boolean"),
        ("n", math.nan, "not finite"),
        ("n", -math.inf, "not finite"),
        ("b", 1, "must be a boolean, not an integer"),
        ("b", "true", "must be a boolean, not a string"),
        ("l", "ab", "must be a list, not a string"),
        ("l", {}, "must be a list, not an object"),
        ("l", [{1: 2}], "holds a key that is no string"),
        ("l", [object()], "holds a object, which is no JSON value"),
        ("l", [[math.inf]], "not finite"),
        ("o", [], "must be an object, not a list"),
        ("e", 1, 'must be one of "de", "en", not an integer'),
        ("e", "DE", 'must be one of "de", "en", not "DE"'),
    ],
)
def test_value_of_another_type_is_refused(name: str, value: Any, words: str) -> None:
    """Nothing is converted in silence."""
    found = _refused(TYPES, VALUES | {name: value})

    assert [f"variables.{name}"] == list(found)
    assert words in found[f"variables.{name}"]


def test_deep_value_is_refused() -> None:
    """Deeper than any use, and deep enough to break who recurses."""
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]

    assert {"variables.l": "is nested deeper than 32 levels"} == _refused(TYPES, VALUES | {"l": value})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('a"b<&>', 'a"b<&>'),
        (0, "0"),
        (-7, "-7"),
        (1.0, "1.0"),
        (1.10, "1.1"),
        (1e22, "1e+22"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        (["é", 1, None], '["é",1,null]'),
        ({"a": {"b": []}}, '{"a":{"b":[]}}'),
    ],
)
def test_value_is_printed_as_json_has_it(value: Any, text: str) -> None:
    """A text as it is, null as nothing."""
    assert f"[{text}]" == rendered("[{{x}}]", x=value)


def test_any_mapping_and_tuple_is_json() -> None:
    """What a frozen value holds."""
    value = MappingProxyType({"a": MappingProxyType({"b": (1, 2)})})

    assert '{"a":{"b":[1,2]}}12' == rendered("{{o}}{{#o.a.b}}{{.}}{{/o.a.b}}", {"o": "object"}, o=value)


@pytest.mark.parametrize("value", ["", None, False, 0, 0.0, []])
def test_falsy_values(value: Any) -> None:
    """As mustache.js has it."""
    assert "no" == rendered("{{#x}}yes{{/x}}{{^x}}no{{/x}}", x=value)


@pytest.mark.parametrize("value", [" ", "0", True, -1, 0.5, [0], {}, {"a": 1}])
def test_truthy_values(value: Any) -> None:
    """An empty object is there, and so is a list of one falsy item."""
    assert "yes" == rendered("{{#x}}yes{{/x}}{{^x}}no{{/x}}", x=value)


def test_missing_keys() -> None:
    """Falsy in a section, an error where they are printed, with the item that lacks them."""
    rows = [{"a": 1, "sub": [{"b": 1}]}, {"a": 2, "sub": [{"b": 1}, {}]}, {}]

    assert "1-2--" == rendered("{{#rows}}{{#a}}{{.}}{{/a}}-{{/rows}}", rows=rows)
    assert {"variables.user.name"} == _refused({"user": "object"}, {"user": {}}, "{{user.name}}").keys()
    assert {"variables.rows[2].a"} == _refused(
        {"rows": "list"}, {"rows": rows}, "{{#rows}}{{a}}{{/rows}}"
    ).keys()
    assert {"variables.sub[1].b"} == _refused(
        {"rows": "list"}, {"rows": rows}, "{{#rows}}{{#sub}}{{b}}{{/sub}}{{/rows}}"
    ).keys()
    assert {"variables.grid[1][0].x"} == _refused(
        {"grid": "list"}, {"grid": [[{"x": 1}], [{}]]}, "{{#grid}}{{#.}}{{x}}{{/.}}{{/grid}}"
    ).keys()


def test_defaults() -> None:
    """The caller's value, else the configured one, else the declared one; what is not declared is ignored."""
    prompt = compiled(
        {
            "template": "{{a}}{{b}}{{c}}",
            "variables": {"a": {"default": "1"}, "b": {"default": "1"}, "c": "string"},
        }
    )

    assert "132" == prompt.render({"b": "3"}, defaults={"b": "2", "c": "2", "other": 1}).system
    with pytest.raises(InvalidRequest, match=r"variables\.c: must be a string, not an integer"):
        prompt.render({}, defaults={"c": 3})


def test_null_stands_for_an_optional_value_only() -> None:
    """Where the default is null it may be said; elsewhere it is a mistake."""
    assert "" == rendered("{{x}}", {"x": {"type": "integer", "default": None}}, x=None)
    assert {"variables.x": "must be an integer, not null; leave it out for the default"} == _refused(
        {"x": {"type": "integer", "default": 3}}, {"x": None}
    )


def test_chat_template_makes_turns() -> None:
    """System turns are one text; the others are messages in their order."""
    prompt = compiled(
        {
            "messages": [
                {"role": "system", "content": "One {{x}}.\n"},
                {"role": "user", "content": "Q: {{x}}"},
                {"role": "assistant", "content": "A"},
                {"role": "system", "content": "Two."},
            ],
            "variables": {"x": "string"},
        }
    ).render({"x": "é"})

    assert "One é.\n\nTwo." == prompt.system
    assert (Message.of("user", "Q: é"), Message.of("assistant", "A")) == prompt.turns
    assert "main:v1" == str(prompt.ref)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["One.\n"], "One.\n"),
        (["One.", "Two."], "One.\n\nTwo."),
        (["One.\n", "Two.\n"], "One.\n\nTwo.\n"),
        (["One.\n\n\n", "\nTwo.\r\n", "Three.\n\n"], "One.\n\nTwo.\n\nThree.\n\n"),
        (["\nOne.\n", "  Two."], "\nOne.\n\n  Two."),
        (["One.\n", "{{#no}}x{{/no}}", "Two."], "One.\n\nTwo."),
        (["One.\n", "{{#no}}x{{/no}}"], "One.\n"),
        (["{{#no}}x{{/no}}", "{{#no}}y{{/no}}"], ""),
    ],
)
def test_one_blank_line_stands_between_system_turns(texts: list[str], expected: str) -> None:
    """Whatever newlines they end with; the last one's are kept."""
    turns = [{"role": "system", "content": text} for text in texts]
    prompt = compiled({"messages": turns, "variables": {"no": {"type": "boolean", "default": False}}})

    assert expected == prompt.render({}).system


def test_chat_without_a_system_turn() -> None:
    """There is none, not an empty one."""
    assert compiled({"messages": [{"role": "user", "content": "x"}]}).render({}).system is None


@pytest.mark.parametrize("template", ["{{x}}", "{{#x}}{{.}}{{/x}}"])
@pytest.mark.parametrize("character", ["a", "é", "😀"])
def test_output_is_limited_in_bytes(template: str, character: str) -> None:
    """256 KiB in UTF-8, on the straight way and through sections."""
    fit = MAX_OUTPUT_BYTES // len(character.encode())

    assert fit == len(rendered(template, x=character * fit) or "")
    with pytest.raises(InvalidRequest, match="larger than 262144 bytes"):
        rendered(template, x=character * (fit + 1))


def test_output_of_all_turns_counts() -> None:
    """Two halves that are each within the limit."""
    turns = [{"role": "user", "content": "{{x}}"}, {"role": "user", "content": "{{x}}"}]
    prompt = compiled({"messages": turns, "variables": {"x": "string"}})

    with pytest.raises(InvalidRequest, match="larger than"):
        prompt.render({"x": "a" * (MAX_OUTPUT_BYTES // 2 + 1)})


def test_large_value_in_many_places_is_refused_before_it_is_copied() -> None:
    """A megabyte in twenty thousand places would be twenty gigabytes."""
    prompt = compiled({"template": "{{x}}" * 19_000, "variables": {"x": "string"}})
    with cpu_below(3):
        with pytest.raises(InvalidRequest, match="larger than"):
            prompt.render({"x": "a" * 1_000_000})


def test_iterations_are_limited() -> None:
    """Lists inside lists grow quickly, and may print nothing."""
    template = "{{#x}}{{#x}}{{#x}}{{^x}}{{/x}}{{/x}}{{/x}}{{/x}}"
    with cpu_below(10):
        assert "" == rendered(template, x=[1] * 40)
        with pytest.raises(InvalidRequest, match=f"more than {MAX_ITERATIONS} items"):
            rendered(template, x=[1] * 400)


def test_operations_are_limited() -> None:
    """A long template inside a long list, which prints nothing."""
    template = "{{#x}}" + "{{^x}}{{/x}}" * 9000 + "{{/x}}"
    with cpu_below(10):
        with pytest.raises(InvalidRequest, match="operations"):
            rendered(template, x=[1] * 90_000)


@pytest.mark.parametrize("template", ["{{x}}", "{{#x}}{{.}}{{/x}}", "{{#o}}{{x}}{{/o}}"])
def test_unfit_characters_do_not_break(template: str) -> None:
    """U+0000 and lone surrogates are passed on; who stores or sends them cleans them."""
    value = "a\0\ud800b"

    assert value == rendered(template, {"x": "string", "o": "object"}, x=value, o={"a": 1})


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(st.none() | st.floats() | st.integers() | st.text(), st.lists),
        max_size=5,
    )
)
def test_any_variables_are_rendered_or_refused(values: dict[str, Any]) -> None:
    """Nothing else comes out of it, whatever a caller sends."""
    prompt = compiled({"template": "{{a}}{{#b}}{{.}}{{/b}}", "variables": {"a": "string", "b": "list"}})

    try:
        text = prompt.render(values).system
    except InvalidRequest as error:
        assert error.faults  # noqa: PT017 - both ends are fine
    else:
        assert isinstance(text, str)


def test_many_undeclared_variables_are_refused_quickly() -> None:
    """The search for what was meant is slow, so only the first fifty are looked up."""
    with cpu_below(10):
        found = _refused(
            {f"name_{number}": {"default": ""} for number in range(100)},
            {f"nmae{number}": 1 for number in range(50_000)},
        )

        assert 50 == len(found)
