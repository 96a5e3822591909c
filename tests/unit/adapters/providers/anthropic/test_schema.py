"""Schemas as Anthropic takes them."""

from typing import Any

import pytest
from anthropic.lib._parse._transform import transform_schema

from adapters.providers.anthropic.schema import supported_schema

PERSON = {
    "type": "object",
    "title": "Person",
    "description": "Someone",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "born": {"type": "string", "format": "date"},
        "site": {"type": "string", "format": "iri"},
        "age": {"type": "integer", "minimum": 0, "description": "In years"},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "pairs": {"type": "array", "items": {"$ref": "#/$defs/Pair"}, "minItems": 2},
        "kind": {"enum": ["a", "b"]},
        "either": {"oneOf": [{"type": "null"}, {"type": "number"}]},
        "fixed": {"const": 5, "type": "integer"},
    },
    "required": ["name"],
    "additionalProperties": True,
    "$defs": {"Pair": {"type": "object", "properties": {"x": {"type": "number"}}}},
}


@pytest.mark.parametrize(
    "schema",
    [
        PERSON,
        {"type": "object"},
        {"type": "array", "items": PERSON},
        {"anyOf": [PERSON, {"type": "null"}], "title": "Maybe"},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "boolean"}}},
        {"type": "string", "enum": ["x"], "description": "d"},
    ],
)
def test_schemas_become_what_the_official_sdk_makes_of_them(schema: dict[str, Any]) -> None:
    """The SDK's own transformation is the reference."""
    assert transform_schema(schema) == supported_schema(schema)


def test_the_given_schema_is_left_alone() -> None:
    """A copy is changed."""
    before = repr(PERSON)

    supported_schema(PERSON)

    assert before == repr(PERSON)


@pytest.mark.parametrize(
    "schema", [True, {}, {"properties": {}}, {"type": ["string", "null"]}, {"$schema": "x", "type": "null"}]
)
def test_odd_schemas_do_not_fail(schema: Any) -> None:
    """What the SDK refuses is passed on for the API to judge."""
    supported_schema(schema)
