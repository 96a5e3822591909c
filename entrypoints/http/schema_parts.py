"""The pieces that the schemas of answers are made of. Each field takes its meaning, so that none is left without."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject, JSONValue


def record(
    description: str, properties: Mapping[str, JSONValue], *, optional: tuple[str, ...] = ()
) -> JSONObject:
    """An object; all of its fields are always there, those in `optional` aside."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def text(description: str, *, example: str | None = None) -> JSONObject:
    found: dict[str, JSONValue] = {"type": "string", "description": description}
    if example is not None:
        found["examples"] = [example]
    return found


def uuid_text(description: str) -> JSONObject:
    return {"type": "string", "format": "uuid", "description": description}


def count(description: str) -> JSONObject:
    return {"type": "integer", "minimum": 0, "description": description}


def number(description: str) -> JSONObject:
    return {"type": "number", "description": description}


def flag(description: str) -> JSONObject:
    return {"type": "boolean", "description": description}


def choice(values: tuple[str, ...], description: str) -> JSONObject:
    return {"enum": list(values), "description": description}


def nullable(kind: str, description: str) -> JSONObject:
    return {"type": [kind, "null"], "description": description}


def money(description: str) -> JSONObject:
    return nullable("string", f"{description} USD, a decimal; null where the price is unknown.")


def list_of(items: JSONValue, description: str) -> JSONObject:
    return {"type": "array", "items": items, "description": description}


def object_of(values: JSONValue, description: str) -> JSONObject:
    """An object with any keys."""
    return {"type": "object", "additionalProperties": values, "description": description}


def ref(name: str, description: str = "") -> JSONObject:
    reference: dict[str, JSONValue] = {"$ref": f"#/components/schemas/{name}"}
    if description:
        reference["description"] = description
    return reference


def ref_or_null(name: str, description: str) -> JSONObject:
    return {"oneOf": [ref(name), {"type": "null"}], "description": description}


TEXT: Final[JSONObject] = {"type": "string"}
"""An item that its list describes."""
FLAG: Final[JSONObject] = {"type": "boolean"}
