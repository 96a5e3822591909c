"""The shape of any JSON value, for the places where a caller's own JSON passes through lor3."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

# Mapping and Sequence rather than dict and list: what a frozen value holds is read, never changed.
JSONValue: TypeAlias = "Mapping[str, JSONValue] | Sequence[JSONValue] | str | int | float | bool | None"
JSONObject: TypeAlias = Mapping[str, JSONValue]
