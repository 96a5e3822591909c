"""The JSON formatter."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.formatters.json import JSONFormatter
from adapters.formatters.json_schema import check_schema
from domain.json_value import JSONObject
from tests.support.spent import cpu_below

DRAFT_3 = "http://json-schema.org/draft-03/schema#"
DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
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
        ({"patternProperties": {"(?=a)b": {}}}, "schema.patternProperties"),
        ({"pattern": "(a)\\1"}, "schema.pattern"),
        ({"pattern": "a{100000000}"}, "schema.pattern"),
        ({"pattern": "(?:\\pL{100}){10}"}, "schema.pattern"),
        ({"properties": {f"p{n}": {"pattern": f"{n}"} for n in range(101)}}, "schema"),
        ({"foo": {"type": "zzz"}, "properties": {"a": {"$ref": "#/foo"}}}, "schema.foo.type"),
        ({"minLength": 1, "properties": {"a": {"$ref": "#/minLength"}}}, "schema.properties.a.$ref"),
        ({"title": "x", "items": {"$ref": "#/title"}}, "schema.items.$ref"),
        ({"default": {"type": 5}, "items": {"$ref": "#/default"}}, "schema.default.type"),
        ({"default": [{"pattern": "("}], "items": {"$ref": "#/default/0"}}, "schema.default.0.pattern"),
        ({"default": [], "items": {"$ref": "#/default/x"}}, "schema.items.$ref"),
        ({"$schema": DRAFT_4, "$ref": 5}, "schema.$ref"),
        ({"$schema": DRAFT_4, "properties": {"a": {"id": "http://[a"}}}, "schema.properties.a.id"),
        ({"$schema": DRAFT_3, "type": "zzz"}, "schema.$schema"),
        ({"items": {"$schema": DRAFT_4}}, "schema.items.$schema"),
        ({"items": {"$id": "https://json-schema.org/draft/2020-12/schema"}}, "schema.items.$id"),
        ({"allOf": 5}, "schema.allOf"),
        ({"properties": {"a": {"$ref": "#x"}}, "default": {"$anchor": "x"}}, "schema.properties.a.$ref"),
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
        ({"items": {"$ref": "#"}}, "[" * 190 + "]" * 190),
        ({"patternProperties": {"^(?:a|a){29}$": {}}}, json.dumps({"a" * 28 + "b": 1})),
        ({"patternProperties": {"^(?:a|a){29}$": {}}, "additionalProperties": False}, json.dumps({"a" * 28 + "b": 1})),
        ({"patternProperties": {"^(?:a|a){29}$": {}}, "unevaluatedProperties": False}, json.dumps({"a" * 28 + "b": 1})),
        ({"$schema": DRAFT_7, "properties": {"a": {"$ref": "#"}}, "pattern": "^(a|a)*$"}, json.dumps({"a": "a" * 40 + "b"})),
        ({"pattern": "(?:a?){500}a{500}"}, json.dumps("aé" * 200_000)),
        ({"contains": {"const": 1}}, json.dumps([0] * 140_000)),
        ({"prefixItems": [{}], "contains": {"type": "integer"}, "unevaluatedItems": False}, json.dumps([0] * 140_000)),
        ({"anyOf": [{"allOf": [{"type": "string"}] * 400}]}, json.dumps([0] * 140_000)),
        ({"items": {"const": list(range(10_000))}}, json.dumps([list(range(10_000))] * 20)),
        ({"items": {"not": {"enum": ["x" * 200_000]}}}, json.dumps(["x" * 200_000] * 20)),
        ({"items": {"dependentRequired": {"a": [f"n{n}" for n in range(1_900)]}}}, json.dumps([{"a": 1}] * 20_000)),
        ({"items": {"$ref": "#x"}, "$defs": {f"d{n}": {"$anchor": "x" if n == 600 else f"y{n}"} for n in range(601)}}, json.dumps([1] * 60_000)),
        ({"$schema": DRAFT_4, "enum": [{"n": n} for n in range(6_000)]}, "1"),
        ({"$schema": DRAFT_4, "required": [[n] for n in range(1_900)]}, "1"),
    ],
)  # fmt: skip
def test_hostile_schemas_and_answers_end(schema: dict[str, Any], text: str) -> None:
    """In seconds at most, with a problem or without, never with an exception."""
    with cpu_below(20):
        JSONFormatter().format(text, schema=schema)


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


@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"$ref": f"#z{n}"} for n in range(200)], "default": {f"k{n}": 0 for n in range(260_000)}},
        {"allOf": [{"$ref": f"#z{n}"} for n in range(200)], "default": {f"k{n}": 0 for n in range(19_000)}},
        {"default": {f"k{n}": {"$ref": "#zz"} for n in range(2_000)}},
        {"items": [{"$anchor": f"a{n}", "$ref": f"#a{n + 1}"} for n in range(400)], "default": "x" * 300_000},
        {"properties": {f"p{n}": {"type": "string", "minLength": 1} for n in range(350)}},
    ],
)
def test_checking_a_large_schema_is_quick(schema: JSONObject) -> None:
    """However its references and its data are arranged."""
    with cpu_below(10):
        check_schema(schema)


def test_references_may_point_anywhere_in_the_schema() -> None:
    """As older tools write them; booleans are schemas too."""
    schema: JSONObject = {
        "components": {"schemas": {"Name": {"type": "string", "minLength": 2}}},
        "properties": {"a": {"$ref": "#/components/schemas/Name"}, "b": {"$ref": "#/default"}},
        "default": False,
    }

    assert check_schema(schema) == ()
    assert _problems('{"a": "x"}', schema) == ("`$.a` must have at least 2 characters",)
    assert _problems('{"b": 1}', schema) == ("`$.b` is not allowed",)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("b", "abc", True),
        ("^b", "abc", False),
        ("^a$", "a\n", False),
        (r"^\u00e9$", "é", True),
        (r"\\u00e9", r"\u00e9", True),
        (r"^\d\w\/\-$", "1a/-", True),
        (r"\d", "٣", False),
        (r"^\p{L}+$", "Ünä", True),
    ],
)
def test_patterns_follow_ecma_262(pattern: str, text: str, matches: bool) -> None:
    """Searched, not anchored; the escapes that JSON Schemas use."""
    schema: JSONObject = {"pattern": pattern}

    assert check_schema(schema) == ()
    assert matches == (not _problems(json.dumps(text), schema))


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"a": 1, "b": 1}', True),
        ('{"a": 1, "c": 1}', False),
        ('{"a": 1, "x-1": 2}', True),
        ('{"k": 1}', True),
    ],
)
def test_unevaluated_properties_look_through_references(text: str, valid: bool) -> None:
    """Into `allOf`, `$ref`, `if` and patterns."""
    schema: JSONObject = {
        "$defs": {"b": {"properties": {"b": {}}, "patternProperties": {"^x-": {}}}},
        "allOf": [{"properties": {"a": {}}}, {"$ref": "#/$defs/b"}],
        "if": {"required": ["k"]},
        "then": {"properties": {"k": {"const": 1}}},
        "unevaluatedProperties": False,
    }

    assert check_schema(schema) == ()
    assert valid == (not _problems(text, schema))


@pytest.mark.parametrize(("text", "valid"), [("[1, 2]", True), ("[1, 2, 3]", False), ('[1, 2, "x"]', True)])
def test_unevaluated_items_look_through_references(text: str, valid: bool) -> None:
    """Beyond `prefixItems` only what fits."""
    schema: JSONObject = {"allOf": [{"prefixItems": [{}, {}]}], "unevaluatedItems": {"type": "string"}}

    assert valid == (not _problems(text, schema))


def test_an_answer_that_cannot_be_written_again_is_a_problem() -> None:
    """orjson reads more levels than it writes."""
    text = "[" * 300 + "]" * 300

    assert _problems(text) == ("the answer is nested deeper than 200 levels; make it flatter",)


def test_a_schema_that_was_never_checked_is_a_problem() -> None:
    """Of the answer, not an exception."""
    assert _problems("1", {"type": "zzz"}) == ("the schema is not one that can be used",)


def test_values_of_the_schema_are_quoted_as_json() -> None:
    """The model writes JSON, not Python."""
    assert _problems("1", {"enum": [True, None, {"a": "b"}]}) == ('`$` must be one of true, null, {"a":"b"}',)
