"""Dotprompt's declarations, Picoschema or JSON Schema, as variables (google.github.io/dotprompt, "Picoschema").

Picoschema is a mapping of `name?(array | object | enum, description)` to `type, description`, a list of values or
another mapping.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from domain.errors import Fault
from domain.json_value import JSONObject, JSONValue, is_nested_deeper
from domain.prompt.formats.imported import printed
from domain.prompt.formats.plain_variables import IDENTIFIER
from domain.prompt.formats.shape import Shape
from domain.prompt.source import Variable, VariableType
from domain.prompt.template_fault import MAX_FAULTS
from domain.values import frozen

_KEY: Final = re.compile(
    # Nothing is given back, or a key full of spaces would take quadratic time.
    r"(?P<name>[^?(]++)(?P<optional>\?)?\s*+(?:\((?P<kind>[^,)]*+)(?:,(?P<description>[^)]*+))?\))?\s*+\Z"
)
_TYPES: Final[Mapping[str, VariableType]] = {
    "string": "string", "integer": "integer", "number": "number", "boolean": "boolean",
    "array": "list", "object": "object",
}  # fmt: skip
_MAX_DEPTH: Final = 16
_MAX_KEY: Final = 1_000


@frozen(kw_only=True)
class Declarations:
    variables: tuple[Variable, ...] = ()
    shapes: Mapping[str, Shape | None] = attrs.field(factory=dict)
    """By the variable's name."""
    faults: tuple[Fault, ...] = ()


def read_declarations(schema: JSONValue, defaults: JSONObject, *, path: str) -> Declarations:
    """The variables of `input.schema`, each with its value of `input.default`, if there is one.

    Args:
        path: of the schema, put in front of the paths of faults.
    """
    if not isinstance(schema, Mapping):
        return Declarations(
            faults=(Fault(path=path, message="is no mapping of names to types; write the fields out here"),)
        )
    if is_nested_deeper(schema, _MAX_DEPTH):
        return Declarations(faults=(Fault(path=path, message=f"is nested more than {_MAX_DEPTH} deep"),))
    reading = _Reading()
    is_json_schema = schema.get("type") == "object" and isinstance(schema.get("properties"), Mapping)
    fields = reading.properties(schema, path) if is_json_schema else reading.pico(schema, path)
    variables = []
    for field in fields:
        if IDENTIFIER.match(field.name) is None:
            reading.fault(
                f"{path}.{printed(field.name)}",
                "can be no variable's name: letters, digits and `_`; rename it",
            )
            continue
        default = defaults.get(field.name, field.default)
        variables.append(
            Variable(
                name=field.name,
                type=field.shape.type if field.shape else "string",
                required=not field.optional and field.name not in defaults and not field.has_default,
                default=default,
                values=field.values,
                description=field.description,
            )
        )
    return Declarations(
        variables=tuple(variables),
        shapes={field.name: field.shape for field in fields},
        faults=tuple(reading.faults),
    )


@frozen(kw_only=True)
class _Field:
    name: str
    shape: Shape | None
    optional: bool = False
    description: str | None = None
    values: tuple[str, ...] = ()
    default: JSONValue = None
    has_default: bool = False


@attrs.define
class _Reading:
    faults: list[Fault] = attrs.field(factory=list)

    def fault(self, path: str, message: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(path=path, message=message))

    def pico(self, schema: JSONObject, path: str) -> tuple[_Field, ...]:
        fields = []
        for key, value in schema.items():
            at = f"{path}.{printed(key)}"
            match = _KEY.match(key) if len(key) <= _MAX_KEY else None
            if match is None or match["name"].strip() in ("", "*"):
                self.fault(at, "has no equivalent; declare the fields by name")
                continue
            name, kind = match["name"].strip(), (match["kind"] or "").strip()
            shape, values, description = self._pico_value(kind, value, at)
            described = (match["description"] or "").strip() or description
            fields.append(
                _Field(
                    name=name,
                    shape=shape,
                    optional=match["optional"] is not None,
                    description=described or None,
                    values=values,
                )
            )
        return tuple(fields)

    def _pico_value(
        self, kind: str, value: JSONValue, at: str
    ) -> tuple[Shape | None, tuple[str, ...], str | None]:
        if kind == "enum":
            return Shape(type="enum"), self._values(value, at), None
        if kind == "array":
            items, _, description = self._pico_value("", value, at)
            return Shape(type="list", items=items), (), description
        if kind not in ("", "object"):
            self.fault(at, f"`({printed(kind)})` is none of array, object and enum")
            return None, (), None
        if isinstance(value, Mapping):
            fields = self.pico(value, at)
            return Shape(type="object", fields={field.name: field.shape for field in fields}), (), None
        if not isinstance(value, str):
            self.fault(at, "is no type; write string, integer, number, boolean, or the fields of an object")
            return None, (), None
        word, _, description = (part.strip() for part in value.partition(","))
        return self._scalar(word, at), (), description

    def _scalar(self, word: str, at: str) -> Shape | None:
        if word not in _TYPES:
            known = "string, integer, number, boolean, array or object"
            self.fault(at, f"the type `{printed(word)}` has no equivalent; use {known}")
            return None
        return Shape(type=_TYPES[word])

    def properties(self, schema: JSONObject, path: str) -> tuple[_Field, ...]:
        required = schema.get("required")
        needed = set(required) if isinstance(required, Sequence) and not isinstance(required, str) else set()
        properties = schema.get("properties")
        fields = []
        for name, value in (properties if isinstance(properties, Mapping) else {}).items():
            at = f"{path}.properties.{printed(name)}"
            if not isinstance(value, Mapping):
                self.fault(at, "is no schema; write `type: string`")
                continue
            shape, values = self._json_schema(value, at)
            description = value.get("description")
            fields.append(
                _Field(
                    name=name,
                    shape=shape,
                    optional=name not in needed,
                    description=description if isinstance(description, str) else None,
                    values=values,
                    default=value.get("default"),
                    has_default="default" in value,
                )
            )
        return tuple(fields)

    def _json_schema(self, schema: JSONObject, at: str) -> tuple[Shape | None, tuple[str, ...]]:
        if "enum" in schema:
            return Shape(type="enum"), self._values(schema["enum"], f"{at}.enum")
        word = schema.get("type")
        if isinstance(word, Sequence) and not isinstance(word, str):
            others = [each for each in word if each != "null"]
            word = others[0] if len(others) == 1 else None
        if not isinstance(word, str):
            self.fault(f"{at}.type", "is no single type; write one such as `string`")
            return None, ()
        shape = self._scalar(word, f"{at}.type")
        items = schema.get("items")
        if shape is not None and shape.type == "list" and isinstance(items, Mapping):
            return Shape(type="list", items=self._json_schema(items, f"{at}.items")[0]), ()
        if shape is not None and shape.type == "object" and isinstance(schema.get("properties"), Mapping):
            fields = self.properties(schema, at)
            return Shape(type="object", fields={field.name: field.shape for field in fields}), ()
        return shape, ()

    def _values(self, value: JSONValue, at: str) -> tuple[str, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            self.fault(at, "is no list of the texts that it may be")
            return ()
        texts = tuple(each for each in value if isinstance(each, str))
        if len(texts) != len(value):
            self.fault(at, "may be texts only; quote the values")
        return texts
