"""Checks of whole objects: which fields they may have, and what each of them must be."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import attrs

from domain.json_value import JSONObject, JSONValue
from domain.suggestion import shown
from domain.values import frozen
from entrypoints.http.checks import MAX_FAULTS, Check, Choice, Faults, Schemas, fault, kind_of

T = TypeVar("T")
_METADATA: Final = "lor3.field"
_MIN_BEGINNING: Final = 3
"""Characters of a field that a longer one may be meant by."""


@frozen(kw_only=True)
class FieldNote:
    """What a record's field carries beside its type."""

    check: Check[Any]  # a field of any type
    name: str
    """The field's, to callers; differs from the attribute's where Python keeps the word for itself."""
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
    name: str = "",
) -> Any:
    """A field of a record. Typed Any, as `attrs.field` is, so that the class can declare the field's type.

    Args:
        name: where it can't be the attribute's, such as `from`.
    """
    note = FieldNote(check=check, name=name, doc=doc, required=required, default=default, example=example)
    return attrs.field(default=None, metadata={_METADATA: note})


def notes_of(record: type[attrs.AttrsInstance]) -> Mapping[str, FieldNote]:
    """Field name → note, in order of declaration."""
    return {
        each.metadata[_METADATA].name or each.name: each.metadata[_METADATA] for each in attrs.fields(record)
    }


class Record(Generic[T]):
    """An object with the fields of an attrs class and no others."""

    def __init__(self, record: type[T], *, name: str | None = None) -> None:
        self._record: Callable[..., T] = record
        self._name = name or record.__name__
        self._doc = (record.__doc__ or "").strip().partition("\n\n")[0]
        self._notes = notes_of(record)  # type: ignore[arg-type]  # T can't be bound to attrs' classes and stay generic
        self._readers = {field: note.check.read for field, note in self._notes.items()}
        self._required = tuple(field for field, note in self._notes.items() if note.required)
        attributes = [each.name for each in attrs.fields(record)]  # type: ignore[arg-type]  # as above
        self._renamed = {
            field: attribute
            for field, attribute in zip(self._notes, attributes, strict=True)
            if field != attribute
        }

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
                if (
                    len(faults) < MAX_FAULTS
                ):  # the search for a near name costs 30 µs, and a body holds thousands
                    fault(faults, prefix + shown(field), self._unknown(field))
            elif item is not None:
                values[field] = reader(item, prefix + field, faults)
        for field in self._required:
            if value.get(field) is None:
                fault(faults, prefix + field, "is required")
        if len(faults) != before:
            return None
        if self._renamed:
            values = {self._renamed.get(field, field): item for field, item in values.items()}
        return self._record(**values)

    def acceptable(self, value: JSONObject) -> dict[str, Any] | None:
        """What each known field holds that is not left out; None where one is not acceptable."""
        faults: Faults = []
        readers = self._readers
        found = {name: readers[name](item, name, faults) for name, item in value.items() if item is not None}
        return None if faults else found

    def field(self, name: str, value: JSONObject) -> Any:
        """What one field holds; None where it is left out or is not acceptable."""
        item = value.get(name)
        faults: Faults = []
        found = None if item is None else self._readers[name](item, name, faults)
        return None if faults else found

    def _unknown(self, field: str) -> str:
        # `system` is nearer to `stream` than to `system_prompt`, which it begins.
        begun = [known for known in self._readers if len(field) >= _MIN_BEGINNING and known.startswith(field)]
        close = begun or difflib.get_close_matches(field[:64], self._readers, n=1)
        if close:
            return f"unknown field; did you mean `{close[0]}`?"
        known = ", ".join(self._readers)
        return (
            f"unknown field; known are {known}"
            if known
            else "unknown field; none is known here: leave it out"
        )

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
