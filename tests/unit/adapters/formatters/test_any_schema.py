"""Whatever a caller sends as a schema: faults, or a schema that every answer can be held against."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.formatters.bounded_keywords import ValidationAborted
from adapters.formatters.json_schema import check_schema, validation_errors

DIALECTS = (
    *(f"http://json-schema.org/draft-0{number}/schema#" for number in (3, 4, 6, 7)),
    *(f"https://json-schema.org/draft/{name}/schema" for name in ("2019-09", "2020-12")),
)
KEYWORDS = (
    "$anchor", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef", "$ref",
    "additionalItems", "additionalProperties", "allOf", "anyOf", "const", "contains", "definitions", "dependencies",
    "dependentRequired", "dependentSchemas", "else", "enum", "exclusiveMinimum", "id", "if", "items", "maxContains",
    "minLength", "minimum", "multipleOf", "not", "oneOf", "pattern", "patternProperties", "prefixItems", "properties",
    "propertyNames", "required", "then", "type", "unevaluatedItems", "unevaluatedProperties", "uniqueItems", "unknown",
)  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.sampled_from(
        ("a", "b", "#", "#/$defs/a", "#/properties/b", "#/items", "#/enum/0", "#a", "string", "array", "object", "(")
    )
)  # fmt: skip
SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=3)
        | st.dictionaries(st.sampled_from(("a", "b")), inner, max_size=2)
    ),
    max_leaves=12,
)
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("a", "b")), inner, max_size=2)
    ),
    max_leaves=6,
)


@settings(max_examples=300)
@given(
    st.dictionaries(st.sampled_from(KEYWORDS), SCHEMAS, max_size=4),
    st.sampled_from((None, *DIALECTS)),
    VALUES,
)
def test_no_schema_breaks_the_check_or_the_validation(schema: Any, dialect: str | None, value: Any) -> None:
    """A schema that passes the check can be applied: only the budget may end that."""
    if dialect is not None:
        schema = {"$schema": dialect, **schema}

    unforeseen: BaseException | None = None
    if check_schema(schema) == ():
        try:
            list(validation_errors(schema, orjson.loads(orjson.dumps(value))))
        except ValidationAborted as aborted:
            unforeseen = aborted.__cause__

    assert unforeseen is None
