"""Validation errors in words that a model can act on.

They quote the schema, which is the caller's, and never values of the answer: these words also reach the caller
in an error, where a provider's text has no place.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import jsonschema
import orjson

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_MAX_LISTED: Final = 20
_TYPES: Final = (
    (bool, "boolean"),  # before int, which it is
    (dict, "object"),
    (list, "array"),
    (str, "string"),
    (int, "integer"),
    (float, "number"),
    (type(None), "null"),
)


def describe(error: jsonschema.ValidationError) -> str:
    """One sentence: where in the answer, as `$.items[2].name`, and what must hold there."""
    return f"`{_path(error)}` {_demand(error)}"


def _path(error: jsonschema.ValidationError) -> str:
    path = "$"
    for part in error.absolute_path:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if _PLAIN_NAME.fullmatch(str(part)) else "[…]"
    return path


def _demand(error: jsonschema.ValidationError) -> str:
    keyword, argument = str(error.validator), error.validator_value
    match keyword:
        case "type":
            return f"must be {_types(argument)}, not {_type_of(error.instance)}"
        case "required":
            missing = [name for name in _list(argument) if name not in _keys(error.instance)]
            return f"lacks the required {_names(missing)}"
        case "additionalProperties" | "unevaluatedProperties":
            known = error.schema.get("properties") if isinstance(error.schema, Mapping) else None
            allowed = (
                f"allowed: {_names(list(known))}"
                if isinstance(known, Mapping) and known
                else "none is allowed"
            )
            return f"has properties that are not allowed; {allowed}"
        case "enum":
            return f"must be one of {', '.join(_value(each) for each in _list(argument)[:_MAX_LISTED])}"
        case "const":
            return f"must be {_value(argument)}"
        case "anyOf":
            return f"fits none of the {len(_list(argument))} alternatives of `anyOf`"
        case "oneOf":
            return f"must fit exactly one of the {len(_list(argument))} alternatives of `oneOf`"
        case "not":
            return "must not fit the schema under `not`"
        case "pattern":
            return f"must match the pattern {_value(argument)}"
        case "minLength" | "maxLength":
            return f"must have at {_bound(keyword)} {argument} characters"
        case "minItems" | "maxItems":
            return f"must have at {_bound(keyword)} {argument} items, not {len(_list(error.instance))}"
        case "minProperties" | "maxProperties":
            return f"must have at {_bound(keyword)} {argument} properties"
        case "minimum" | "maximum":
            return f"must be at {_bound(keyword)} {argument}"
        case "exclusiveMinimum" | "exclusiveMaximum":
            return f"must be {'above' if keyword.endswith('Minimum') else 'below'} {argument}"
        case "multipleOf":
            return f"must be a multiple of {argument}"
        case "uniqueItems":
            return "must not hold the same item twice"
        case "None":
            return "is not allowed"  # the schema there is `false`
        case _:
            return f"breaks `{keyword}`"


def _bound(keyword: str) -> str:
    return "least" if keyword.startswith("min") else "most"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _keys(value: Any) -> Any:
    return value if isinstance(value, Mapping) else ()


def _names(names: list[Any]) -> str:
    listed = ", ".join(f"`{str(name)[:64]}`" for name in names[:_MAX_LISTED])
    return f"{listed}, …" if len(names) > _MAX_LISTED else listed


def _value(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= 100 else f"{text[:100]}…"


def _types(argument: Any) -> str:
    return " or ".join(str(each) for each in argument) if isinstance(argument, list) else str(argument)


def _type_of(value: Any) -> str:
    for kind, name in _TYPES:
        if isinstance(value, kind):
            return name
    return "something else"
