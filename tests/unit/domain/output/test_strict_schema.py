"""Which schemas both vendors' strict modes take."""

import pytest

from domain.json_value import JSONObject, JSONValue
from domain.output.strict_schema import strict_schema


def _object(required: list[str] | None = None, **properties: JSONValue) -> dict[str, JSONValue]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "schema",
    [
        _object(),
        _object(a={"type": "string"}, b={"type": ["integer", "null"]}),
        _object(a=_object(b={"type": "array", "items": _object(c={"enum": ["x", "y"]})})),
        _object(a={"anyOf": [{"type": "string"}, _object(b={"const": 1})]}),
    ],
)
def test_plain_schemas_are_kept_as_they_are(schema: JSONObject) -> None:
    """Nothing is lost, so nothing needs saying twice."""
    strict = strict_schema(schema)

    assert schema == strict.schema
    assert not strict.lossy


def test_local_definitions_are_kept() -> None:
    """Those that are used."""
    schema = {
        **_object(a={"$ref": "#/$defs/word"}, b={"$ref": "#/$defs/word"}),
        "$defs": {"word": {"type": "string"}, "idle": {}},
    }

    strict = strict_schema(schema)

    assert strict.schema is not None
    assert strict.schema["$defs"] == {"word": {"type": "string"}}


def test_narrowing_keywords_are_left_out_and_reported() -> None:
    """The answer is validated against them afterwards."""
    strict = strict_schema(_object(a={"type": "integer", "minimum": 3}))

    assert _object(a={"type": "integer"}) == strict.schema
    assert strict.lossy


def test_silent_keywords_lose_nothing() -> None:
    """A title page is no constraint."""
    strict = strict_schema({**_object(a={"type": "string", "default": "x"}), "$schema": "x", "$id": "y"})

    assert _object(a={"type": "string"}) == strict.schema
    assert not strict.lossy


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({}, "root"),
        ({"type": "array", "items": {"type": "string"}}, "root"),
        ({**_object(), "anyOf": [{}]}, "root"),
        ({"type": "object"}, "open object"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "open object"),
        (_object([], a={"type": "string"}), "optional"),
        (_object(a=True), "allows anything"),
        (_object(a={}), "allows anything"),
        (_object(a={"description": "what?"}), "no type"),
        (_object(a={"type": "array"}), "array of anything"),
        (_object(a={"type": ["object", "null"]}), "open object"),
        (_object(a={"oneOf": [{"type": "string"}]}), "`oneOf`"),
        (_object(a={"not": {"type": "string"}}), "`not`"),
        (_object(a={"$ref": "#/$defs/none"}), "refers"),
        (_object(a={"$ref": "https://example.com/x"}), "refers"),
        ({**_object(a={"$ref": "#/$defs/a"}), "$defs": {"a": _object(b={"$ref": "#/$defs/a"})}}, "recursive"),
        (_object(a={"type": "array", "prefixItems": [{"type": "string"}]}), "`prefixItems`"),
        ({**_object(), "properties": {f"p{n}": {"type": "string"} for n in range(600)}}, "more than"),
    ],
)
def test_others_are_refused_with_the_reason(schema: JSONObject, reason: str) -> None:
    """So that explain can say why a schema is in the instructions."""
    strict = strict_schema(schema)

    assert strict.schema is None
    assert reason in strict.reason


def test_deep_nesting_is_refused() -> None:
    """Vendors limit it, and so does the stack."""
    schema: dict[str, JSONValue] = {"type": "string"}
    for _ in range(900):
        schema = _object(a=schema)

    assert strict_schema(schema).schema is None
