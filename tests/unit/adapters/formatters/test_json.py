"""The JSON formatter."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.formatters.json import JSONFormatter
from adapters.formatters.json_schema import check_schema
from domain.json_value import JSONObject

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "minLength": 2}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def _problems(text: str, schema: JSONObject | None = None) -> tuple[str, ...]:
    formatted = JSONFormatter().format(text, schema=schema)
    assert formatted.output is None or not formatted.problems
    return formatted.problems


def test_the_value_and_its_text_are_given() -> None:
    """The text is what the value was made from."""
    formatted = JSONFormatter().format('Sure:\n```json\n{"a": [1, 2.5, null]}\n```', schema=None)

    assert formatted.output == {"a": [1, 2.5, None]}
    assert formatted.text == '{"a": [1, 2.5, null]}'
    assert formatted.problems == ()


@pytest.mark.parametrize("text", ["null", "0", "false", '""', "[]", "{}"])
def test_falsy_values_are_values(text: str) -> None:
    """null is an answer."""
    formatted = JSONFormatter().format(text, schema=None)

    assert json.loads(text) == formatted.output
    assert formatted.problems == ()


@pytest.mark.parametrize(
    "text",
    [
        '{"a": NaN}',
        "Infinity",
        "[1,]",
        "{'a': 1}",
        '{"a": 1',
        '["\\ud800"]',
        "[1e999]",
        "// x\n{} x {",
        "hello",
        "[" * 2000,
    ],
)
def test_what_is_not_json_is_a_problem(text: str) -> None:
    """Nothing is repaired; the text is kept."""
    formatted = JSONFormatter().format(text, schema={"type": "array", "minItems": 1})

    assert formatted.problems
    assert text == formatted.text
    assert formatted.output is None


def test_empty_answer_is_a_problem() -> None:
    """Said in so many words."""
    assert _problems(" \n") == ("the answer is empty; answer with a single JSON value",)


def test_last_of_duplicate_members_counts() -> None:
    """As documented, and as most parsers do."""
    assert JSONFormatter().format('{"a": 1, "a": 2}', schema=None).output == {"a": 2}


def test_the_first_valid_piece_wins() -> None:
    """A citation before the answer is not the answer."""
    formatted = JSONFormatter().format('As in [1]: {"name": "Ada", "age": 36}', schema=PERSON)

    assert formatted.output == {"name": "Ada", "age": 36}


def test_problems_say_where_and_what() -> None:
    """All at once, in words for the model."""
    problems = _problems('{"name": "x", "age": -1.5, "extra": true}', PERSON)

    assert {
        "`$` has properties that are not allowed; allowed: `name`, `age`",
        "`$.name` must have at least 2 characters",
        "`$.age` must be integer, not number",
        "`$.age` must be at least 0",
    } == set(problems)
    assert _problems("{}", PERSON) == ("`$` lacks the required `name`, `age`",)


def test_problems_never_quote_the_answer() -> None:
    """These words reach callers in errors, where a provider's text has no place."""
    schema: JSONObject = {"type": "object", "additionalProperties": {"enum": [1]}}

    for problem in _problems('{"CANARY one": "CANARY two", "x": "CANARY"}', schema):
        assert "CANARY" not in problem


def test_problems_are_limited() -> None:
    """Twenty are enough to act on."""
    problems = _problems(json.dumps([{"i": i} for i in range(500)]), {"items": {"required": ["x"]}})

    assert len(problems) == 21


def test_older_dialects_are_honoured() -> None:
    """Draft 4 has a boolean exclusiveMinimum."""
    schema: JSONObject = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "minimum": 3,
        "exclusiveMinimum": True,
    }

    assert check_schema(schema) == ()
    assert _problems("3", schema)
    assert not _problems("4", schema)


@pytest.mark.parametrize(
    ("text", "schema", "valid"),
    [
        ("[1, 1.0]", {"uniqueItems": True}, False),
        ("[1, true]", {"uniqueItems": True}, True),
        ('[{"a": 1}, {"a": 1}]', {"uniqueItems": True}, False),
        ('"ab"', {"pattern": "^a.$"}, True),
        ('"abc"', {"pattern": "^a.$"}, False),
        (
            '{"x-a": 1}',
            {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False},
            True,
        ),
        (
            '{"y": 1}',
            {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False},
            False,
        ),
        (
            '{"a": {"a": {}}}',
            {"$ref": "#/$defs/t", "$defs": {"t": {"additionalProperties": {"$ref": "#/$defs/t"}}}},
            True,
        ),
        ("5", {"not": {}}, False),
        ("5", {}, True),
        ('"x"', {"format": "email"}, True),
    ],
)
def test_keywords_mean_what_the_specification_says(text: str, schema: JSONObject, valid: bool) -> None:
    """Our own versions of some keywords included."""
    assert check_schema(schema) == ()
    assert valid == (not _problems(text, schema))


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "strin"}, "schema.type"),
        ({"properties": {"a": {"minLength": -1}}}, "schema.properties.a.minLength"),
        ({"$schema": "https://example.com/dialect"}, "schema.$schema"),
        ({"$schema": 5}, "schema.$schema"),
        ({"$ref": "https://example.com/x.json"}, "schema.$ref"),
        ({"$ref": "file:///etc/passwd"}, "schema.$ref"),
        ({"items": {"$ref": "#/$defs/none"}}, "schema.items.$ref"),
        ({"pattern": "(unclosed"}, "schema.pattern"),
        ({"pattern": "a" * 5000}, "schema.pattern"),
        ({"patternProperties": {"(a+)+$": {}}}, "schema.patternProperties"),
        ({"$ref": "#"}, "schema"),
        ({"allOf": [{"$ref": "#"}]}, "schema"),
        ({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}, "schema"),
        ({"enum": list(range(100_000))}, "schema"),
        ({"properties": {f"p{n}": {} for n in range(6000)}}, "schema"),
    ],
)
def test_unusable_schemas_are_named_at_the_edge(schema: JSONObject, path: str) -> None:
    """With the path and a remedy."""
    faults = check_schema(schema)

    assert path in [fault.path for fault in faults]
    assert len(faults) <= 10


def test_values_that_json_cannot_carry_are_refused() -> None:
    """Python holds more than JSON does."""
    for value in ("\ud800", 2**70):
        assert [fault.path for fault in check_schema({"const": value})] == ["schema"]


def test_deep_schema_is_refused() -> None:
    """Before anything recurses into it."""
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"items": schema}

    assert "deeper" in check_schema(schema)[0].message


@pytest.mark.parametrize("schema", [{}, PERSON, {"properties": {"pattern": {"type": "string"}, "$ref": {}}}])
def test_usable_schemas_pass(schema: JSONObject) -> None:
    """A property may be called like a keyword."""
    assert check_schema(schema) == ()


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"pattern": "^(a+)+$"}, json.dumps("a" * 40 + "!")),
        ({"pattern": "^(a|aa)+$"}, json.dumps("a" * 60 + "!")),
        ({"items": {"pattern": "(.*)*x"}}, json.dumps(["y" * 5000] * 100)),
        ({"uniqueItems": True}, json.dumps([{"i": i} for i in range(30_000)])),
        ({"$defs": {"a": {"items": {"anyOf": [{"$ref": "#/$defs/a"}] * 4}}}, "$ref": "#/$defs/a"}, "[" * 60 + "1" + "]" * 60),
        (
            {"$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)} | {"d30": {}}, "$ref": "#/$defs/d0"},
            "1",
        ),
        ({"items": {"$ref": "#"}}, "[" * 900 + "]" * 900),
    ],
    ids=["nested-plus", "alternatives", "many-long", "unique", "tree", "diamonds", "deep"],
)  # fmt: skip
def test_hostile_schemas_and_answers_end(schema: dict[str, Any], text: str) -> None:
    """In seconds at most, with a problem or without, never with an exception."""
    if "d0" in schema.get("$defs", {}):
        schema = {"$ref": schema["$ref"], "$defs": schema["$defs"]}
    started = time.perf_counter()
    JSONFormatter().format(text, schema=schema)

    assert time.perf_counter() - started < 8


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=15,
    )
)
def test_every_value_comes_back_equal(value: object) -> None:
    """Whatever it is."""
    assert value == JSONFormatter().format(json.dumps(value), schema=None).output
