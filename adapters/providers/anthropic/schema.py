"""JSON Schema as Anthropic's structured output takes it: a subset, the rest as words in the description.

Source: `anthropic.lib._parse._transform.transform_schema` of the official SDK, which does the same to the schemas it
sends. lor3 validates the answer against the caller's own schema afterwards, so nothing is lost by leaving words out.
"""

from collections.abc import Mapping
from typing import Any, Final

_FORMATS: Final = frozenset(
    ("date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid")
)


def supported_schema(schema: Any) -> Any:
    """A copy that the API does not refuse; what it can't express is written into `description`."""
    if not isinstance(schema, Mapping):
        return schema
    rest: dict[str, Any] = {key: value for key, value in schema.items() if key != "$schema"}
    kept: dict[str, Any] = {}
    if isinstance(rest.get("$defs"), Mapping):
        kept["$defs"] = {name: supported_schema(each) for name, each in rest.pop("$defs").items()}
    if "$ref" in rest:
        return {**kept, "$ref": rest["$ref"]}
    kind = rest.get("type")
    literal = _literal(rest)
    if literal:
        kept.update(literal)
        kind = None
        rest.pop("type", None)
        for key in literal:
            rest.pop(key)
    variants = _variants(rest)
    if variants:
        kept.update(variants)
    elif isinstance(kind, (str, list)):
        kept["type"] = rest.pop("type")
    for key in ("description", "title"):
        if key in rest:
            kept[key] = rest.pop(key)
    if kind == "object":
        properties = rest.pop("properties", {})
        kept["properties"] = {name: supported_schema(each) for name, each in properties.items()}
        rest.pop("additionalProperties", None)
        kept["additionalProperties"] = False
        if "required" in rest:
            kept["required"] = rest.pop("required")
    elif kind == "array":
        if "items" in rest:
            kept["items"] = supported_schema(rest.pop("items"))
        if rest.get("minItems") in (0, 1):
            kept["minItems"] = rest.pop("minItems")
    elif kind == "string" and rest.get("format") in _FORMATS:
        kept["format"] = rest.pop("format")
    if rest:
        words = "{" + ", ".join(f"{key}: {value}" for key, value in rest.items()) + "}"
        kept["description"] = f"{kept['description']}\n\n{words}" if kept.get("description") else words
    return kept


def _literal(rest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    enum = rest.get("enum")
    if isinstance(enum, (list, tuple)) and enum and all(_is_primitive(value) for value in enum):
        found["enum"] = list(enum)
    if "const" in rest and _is_primitive(rest["const"]):
        found["const"] = rest["const"]
    return found


def _variants(rest: dict[str, Any]) -> dict[str, Any]:
    """The first of the combinations that is there; `oneOf` is not known to the API, `anyOf` is."""
    for key, sent_as in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        if isinstance(rest.get(key), (list, tuple)):
            variants = [supported_schema(each) for each in rest.pop(key)]
            rest.pop("type", None)
            return {sent_as: variants}
    return {}


def _is_primitive(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float, bool))
