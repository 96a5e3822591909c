"""What a field of a body may hold. One description serves both to read a value and to document it.

A check appends every fault that it finds, with its path, and then returns None; the caller of the outermost
check looks at the list. JSON null for a field that may be left out counts as left out.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Generic, Protocol, TypeVar

from application.services.thread_lookup import canonical_id
from domain.errors import Fault
from domain.json_value import JSONObject, JSONValue
from domain.suggestion import shown
from domain.values import frozen

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Faults = list[Fault]
Schemas = dict[str, JSONValue]
"""Named schemas, as `components.schemas` of OpenAPI holds them."""

MAX_FAULTS: Final = 50
"""Further ones are not looked for: the answer must not be larger than the question."""


class Check(Protocol[T_co]):
    def read(self, value: JSONValue, path: str, faults: Faults) -> T_co | None: ...

    def schema(self, schemas: Schemas) -> JSONObject:
        """The JSON Schema of what is accepted; records add themselves to `schemas` and are referred to."""


def fault(faults: Faults, path: str, message: str) -> None:
    if len(faults) < MAX_FAULTS:
        faults.append(Fault(path=path, message=message))


def kind_of(value: JSONValue) -> str:
    """The JSON name of a value's type, for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "an object" if isinstance(value, Mapping) else "a list"


@frozen(kw_only=True)
class Text:
    max_length: int
    min_length: int = 0
    blank: bool = True
    """Whether it may consist of white space alone."""
    pattern: str | None = None
    hint: str = ""
    """What `pattern` means, in words."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> str | None:
        if not isinstance(value, str):
            fault(faults, path, f"must be a string, not {kind_of(value)}")
        elif len(value) > self.max_length:
            fault(faults, path, f"must have at most {self.max_length:,} characters; it has {len(value):,}")
        elif len(value) < self.min_length or (not self.blank and not value.strip()):
            fault(faults, path, "must not be empty")
        elif self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            fault(faults, path, f"must be {self.hint}")
        else:
            return value
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        found: dict[str, JSONValue] = {"type": "string", "maxLength": self.max_length}
        if self.min_length or not self.blank:
            found["minLength"] = self.min_length or 1
        if self.pattern is not None:
            found["pattern"] = f"^(?:{self.pattern})$"
        return found


@frozen(kw_only=True)
class Integer:
    minimum: int
    maximum: int

    def read(self, value: JSONValue, path: str, faults: Faults) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int):
            fault(faults, path, f"must be an integer, not {kind_of(value)}")
        elif not self.minimum <= value <= self.maximum:
            fault(faults, path, f"must be between {self.minimum} and {self.maximum}; it is {value}")
        else:
            return value
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        found: dict[str, JSONValue] = {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        if self.maximum > 2**53:  # JavaScript rounds such limits when it reads them
            found["format"] = "int64"
        return found


@frozen(kw_only=True)
class Number:
    minimum: float
    maximum: float
    open_below: bool = False
    """Whether `minimum` itself is not allowed."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            fault(faults, path, f"must be a number, not {kind_of(value)}")
        elif self.open_below and value <= self.minimum:
            fault(faults, path, f"must be more than {self.minimum:g}; it is {value:g}")
        elif not self.minimum <= value <= self.maximum:
            fault(faults, path, f"must be between {self.minimum:g} and {self.maximum:g}; it is {value:g}")
        else:
            return float(value)
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        lower = "exclusiveMinimum" if self.open_below else "minimum"
        return {"type": "number", lower: self.minimum, "maximum": self.maximum}


@frozen
class Boolean:
    def read(self, value: JSONValue, path: str, faults: Faults) -> bool | None:
        if isinstance(value, bool):
            return value
        fault(faults, path, f"must be true or false, not {kind_of(value)}")
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "boolean"}


@frozen
class Choice:
    values: tuple[str, ...]

    def read(self, value: JSONValue, path: str, faults: Faults) -> str | None:
        if isinstance(value, str) and value in self.values:
            return value
        allowed = ", ".join(f"`{each}`" for each in self.values)
        given = f"`{shown(value)}`" if isinstance(value, str) else kind_of(value)
        fault(faults, path, f"must be {'one of ' if len(self.values) > 1 else ''}{allowed}; it is {given}")
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"const": self.values[0]} if len(self.values) == 1 else {"enum": list(self.values)}


@frozen
class UUIDText:
    """A UUID; read into its canonical form, so that spelling makes no second identity."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> str | None:
        known = canonical_id(value) if isinstance(value, str) else None
        if known is not None:
            return known
        fault(faults, path, "must be a UUID, such as 01890a5d-ac96-774b-bcce-b302099a8057")
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "string", "format": "uuid"}


@frozen
class AnyObject:
    """A JSON object that is passed on as it is."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> JSONObject | None:
        if isinstance(value, Mapping):
            return value
        fault(faults, path, f"must be an object, not {kind_of(value)}")
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "object"}


@frozen(kw_only=True)
class TextMap:
    """An object of strings."""

    max_items: int
    key: Text
    value: Text

    def read(self, value: JSONValue, path: str, faults: Faults) -> tuple[tuple[str, str], ...] | None:
        if not isinstance(value, Mapping):
            fault(faults, path, f"must be an object of strings, not {kind_of(value)}")
            return None
        if len(value) > self.max_items:
            fault(faults, path, f"must have at most {self.max_items} entries; it has {len(value)}")
            return None
        found: list[tuple[str, str]] = []
        for name, item in value.items():
            where = f"{path}.{shown(name)}"
            key = self.key.read(name, where, faults)
            text = self.value.read(item, where, faults)
            if key is not None and text is not None:
                found.append((key, text))
        return tuple(found)

    def schema(self, schemas: Schemas) -> JSONObject:
        return {
            "type": "object",
            "maxProperties": self.max_items,
            "propertyNames": self.key.schema(schemas),
            "additionalProperties": self.value.schema(schemas),
        }


@frozen(kw_only=True)
class ListOf(Generic[T]):
    item: Check[T]
    max_items: int
    min_items: int = 0

    def read(self, value: JSONValue, path: str, faults: Faults) -> tuple[T, ...] | None:
        if isinstance(value, str) or not isinstance(value, Sequence):
            fault(faults, path, f"must be a list, not {kind_of(value)}")
            return None
        if not self.min_items <= len(value) <= self.max_items:
            limit = (
                f"at least {self.min_items}" if len(value) < self.min_items else f"at most {self.max_items:,}"
            )
            fault(faults, path, f"must have {limit} items; it has {len(value):,}")
            return None
        read = self.item.read
        found = []
        for index, each in enumerate(value):
            item = read(each, f"{path}[{index}]", faults)
            if item is not None:
                found.append(item)
        return tuple(found)

    def schema(self, schemas: Schemas) -> JSONObject:
        found: dict[str, JSONValue] = {
            "type": "array",
            "items": self.item.schema(schemas),
            "maxItems": self.max_items,
        }
        if self.min_items:
            found["minItems"] = self.min_items
        return found


@frozen(kw_only=True)
class TextOr(Generic[T]):
    """A string, or else something with a structure."""

    text: Text
    other: Check[T]

    def read(self, value: JSONValue, path: str, faults: Faults) -> str | T | None:
        if isinstance(value, str):
            return self.text.read(value, path, faults)
        return self.other.read(value, path, faults)

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"oneOf": [self.text.schema(schemas), self.other.schema(schemas)]}
