"""Which JSON values fit a declared variable, and how a value is printed."""

import json
import math
from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONValue
from domain.prompt.source import Variable, VariableType
from domain.suggestion import shown

MAX_VALUE_DEPTH: Final = 32
"""Containers inside each other in a list or an object."""
_MAX_INTEGER_BITS: Final = 1024
"""Python refuses to print integers of more than 4,300 digits."""

SCALAR_TYPES: Final[frozenset[VariableType]] = frozenset({"string", "integer", "number", "boolean", "enum"})
TYPE_NAMES: Final[tuple[VariableType, ...]] = (
    "string",
    "integer",
    "number",
    "boolean",
    "list",
    "object",
    "enum",
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=dict)
"""Made once: making one takes longer than printing a number."""
_ARTICLES: Final = {"integer": "an", "object": "an", "enum": "an"}


def misfit(variable: Variable, value: object) -> str | None:
    """What is wrong with `value`, such as `must be an integer, not a string`; None where it fits.

    Null fits a variable whose default is null.
    """
    if value is None and not variable.required and variable.default is None:
        return None
    if _fits(variable, value):
        return None if isinstance(value, str) else unprintable(value)
    wanted = expected(variable)
    if variable.type == "enum" and isinstance(value, str):
        return f"must be {wanted}, not {json.dumps(shown(value), ensure_ascii=False)}"
    hint = ""
    if value is None and not variable.required:
        hint = "; leave it out for the default"
    elif variable.type == "integer" and isinstance(value, float):
        hint = "; write it without a decimal point"
    return f"must be {wanted}, not {_kind(value)}{hint}"


def expected(variable: Variable) -> str:
    """`a string`, or `one of "de", "en"`."""
    if variable.type == "enum":
        some = ", ".join(json.dumps(shown(each), ensure_ascii=False) for each in variable.values[:20])
        return f"one of {some}{', …' if len(variable.values) > 20 else ''}"
    return f"{_ARTICLES.get(variable.type, 'a')} {variable.type}"


def unprintable(value: object) -> str | None:
    """Why `value` can't be printed as JSON, at any depth; None where it can. Recurses into nothing."""
    level: list[object] = [value]
    for _ in range(MAX_VALUE_DEPTH + 1):
        below: list[object] = []
        for each in level:
            if each is None or isinstance(each, str | bool):
                continue
            if isinstance(each, Mapping):
                if not all(isinstance(key, str) for key in each):
                    return "holds a key that is no string"
                below.extend(each.values())
            elif isinstance(each, list | tuple):
                below.extend(each)
            elif isinstance(each, int):
                if each.bit_length() > _MAX_INTEGER_BITS:
                    return f"holds an integer of {each.bit_length()} bits; at most {_MAX_INTEGER_BITS}"
            elif isinstance(each, float):
                if not math.isfinite(each):
                    return "holds a number that is not finite, which JSON can't say"
            else:
                return f"holds a {type(each).__name__}, which is no JSON value"
        if not below:
            return None
        level = below
    return f"is nested deeper than {MAX_VALUE_DEPTH} levels"


def is_falsy(value: object) -> bool:
    """As mustache.js has it, so an empty string and 0 are falsy; an empty object is not."""
    if isinstance(value, Mapping):
        return False
    return not value


def printed(value: JSONValue) -> str:
    """`value`, which is not `unprintable`, as a prompt shows it: a string as it is, null as nothing, all else as
    compact JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if type(value) is int:
        return str(value)
    return _ENCODER.encode(value)


def fits_type(source: Variable, target: Variable) -> bool:
    """Whether every value that fits `source` fits `target`."""
    if target.type == "enum":
        return source.type == "enum" and set(source.values) <= set(target.values)
    if source.type == target.type:
        return True
    return (source.type, target.type) in {("integer", "number"), ("enum", "string")}


def _fits(variable: Variable, value: object) -> bool:
    match variable.type:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "list":
            return isinstance(value, list | tuple)
        case "object":
            return isinstance(value, Mapping)
        case "enum":
            return isinstance(value, str) and value in variable.values


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return f"a {type(value).__name__}"
