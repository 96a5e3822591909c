"""What a field of a body may hold. One description serves both to read a value and to document it.

A check appends every fault that it finds, with its path, and then returns None; the caller of the outermost
check looks at the list. JSON null for a field that may be left out counts as left out.
"""

import difflib
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs

from domain.errors import Fault
from domain.json_value import JSONObject, JSONValue
from entrypoints.http.codec import shown

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Faults = list[Fault]
Schemas = dict[str, JSONValue]
"""Named schemas, as `components.schemas` of OpenAPI holds them."""

_METADATA: Final = "lor3.field"
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


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
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
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@attrs.frozen(kw_only=True)
class Number:
    minimum: float
    maximum: float

    def read(self, value: JSONValue, path: str, faults: Faults) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            fault(faults, path, f"must be a number, not {kind_of(value)}")
        elif not self.minimum <= value <= self.maximum:
            fault(faults, path, f"must be between {self.minimum:g} and {self.maximum:g}; it is {value:g}")
        else:
            return float(value)
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "number", "minimum": self.minimum, "maximum": self.maximum}


@attrs.frozen
class Boolean:
    def read(self, value: JSONValue, path: str, faults: Faults) -> bool | None:
        if isinstance(value, bool):
            return value
        fault(faults, path, f"must be true or false, not {kind_of(value)}")
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "boolean"}


@attrs.frozen
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


@attrs.frozen
class UUIDText:
    """A UUID; read into its canonical form, so that spelling makes no second identity."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> str | None:
        if isinstance(value, str) and 32 <= len(value) <= 36:
            try:
                return str(uuid.UUID(value))
            except ValueError:
                pass  # reported below, with the other ways of not being one
        fault(faults, path, "must be a UUID, such as 01890a5d-ac96-774b-bcce-b302099a8057")
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "string", "format": "uuid"}


@attrs.frozen
class AnyObject:
    """A JSON object that is passed on as it is."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> JSONObject | None:
        if isinstance(value, Mapping):
            return value
        fault(faults, path, f"must be an object, not {kind_of(value)}")
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "object"}


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
class FieldNote:
    """What a record's field carries beside its type."""

    check: Check[Any]  # a field of any type
    doc: str
    required: bool
    default: JSONValue
    """For the documentation: what stands in for a field that is left out."""
    example: JSONValue


def given(
    check: Check[Any],
    doc: str,
    *,
    required: bool = False,
    default: JSONValue = None,
    example: JSONValue = None,
) -> Any:
    """A field of a record. Typed Any, as `attrs.field` is, so that the class can declare the field's type."""
    note = FieldNote(check=check, doc=doc, required=required, default=default, example=example)
    return attrs.field(default=None, metadata={_METADATA: note})


def notes_of(record: type[attrs.AttrsInstance]) -> Mapping[str, FieldNote]:
    """Field name → note, in order of declaration."""
    return {each.name: each.metadata[_METADATA] for each in attrs.fields(record)}


class Record(Generic[T]):
    """An object with the fields of an attrs class and no others."""

    def __init__(self, record: type[T], *, name: str | None = None) -> None:
        self._record: Callable[..., T] = record
        self._name = name or record.__name__
        self._doc = (record.__doc__ or "").strip().partition("\n\n")[0]
        self._notes = notes_of(record)  # type: ignore[arg-type]  # T can't be bound to attrs' classes and stay generic
        self._readers = {field: note.check.read for field, note in self._notes.items()}
        self._required = tuple(field for field, note in self._notes.items() if note.required)

    def read(self, value: JSONValue, path: str, faults: Faults) -> T | None:
        if not isinstance(value, dict):
            fault(faults, path, f"must be an object, not {kind_of(value)}")
            return None
        before = len(faults)
        prefix = f"{path}." if path else ""
        values = {}
        readers = self._readers
        for field, item in value.items():
            reader = readers.get(field)
            if reader is None:
                fault(faults, prefix + shown(field), self._unknown(field))
            elif item is not None:
                values[field] = reader(item, prefix + field, faults)
        for field in self._required:
            if value.get(field) is None:
                fault(faults, prefix + field, "is required")
        return self._record(**values) if len(faults) == before else None

    def _unknown(self, field: str) -> str:
        close = difflib.get_close_matches(field[:64], self._readers, n=1)
        if close:
            return f"unknown field; did you mean `{close[0]}`?"
        return "unknown field; known are " + ", ".join(self._readers)

    def schema(self, schemas: Schemas) -> JSONObject:
        reference = {"$ref": f"#/components/schemas/{self._name}"}
        if self._name not in schemas:
            schemas[self._name] = {}  # holds the place, so that a record may refer to itself
            properties: dict[str, JSONValue] = {}
            for field, note in self._notes.items():
                described = {**note.check.schema(schemas), "description": note.doc}
                if note.default is not None:
                    described["default"] = note.default
                if note.example is not None:
                    described["examples"] = [note.example]
                properties[field] = described
            found: dict[str, JSONValue] = {
                "type": "object",
                "description": self._doc,
                "properties": properties,
                "additionalProperties": False,
            }
            if self._required:
                found["required"] = list(self._required)
            schemas[self._name] = found
        return reference


class Tagged(Generic[T]):
    """One of several records, told apart by a field."""

    def __init__(self, tag: str, records: Mapping[str, Record[Any]]) -> None:
        self._tag = tag
        self._records = records
        self._choice = Choice(tuple(records))

    def read(self, value: JSONValue, path: str, faults: Faults) -> T | None:
        if not isinstance(value, Mapping):
            fault(faults, path, f"must be an object, not {kind_of(value)}")
            return None
        tag = self._choice.read(value.get(self._tag), f"{path}.{self._tag}", faults)
        if tag is None:
            return None
        found: T | None = self._records[tag].read(value, path, faults)
        return found

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"oneOf": [record.schema(schemas) for record in self._records.values()]}
