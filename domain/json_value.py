"""The shape of any JSON value, for the places where a caller's own JSON passes through lor3."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

# Mapping and Sequence rather than dict and list: what a frozen value holds is read, never changed.
JSONValue: TypeAlias = "Mapping[str, JSONValue] | Sequence[JSONValue] | str | int | float | bool | None"
JSONObject: TypeAlias = Mapping[str, JSONValue]


def is_nested_deeper(value: object, max_depth: int) -> bool:
    """Whether `value` holds containers inside each other more than `max_depth` times. Recurses into nothing."""
    level: list[object] = [value]
    for _ in range(max_depth + 1):
        below: list[object] = []
        containers = 0
        for each in level:
            if isinstance(each, Mapping | list | tuple):
                containers += 1
                below.extend(each.values() if isinstance(each, Mapping) else each)
        if not containers:
            return False
        level = below
    return True
