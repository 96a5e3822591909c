"""What stands behind `?` in a URL, read and documented by records as bodies are."""

from typing import Any, TypeVar

import attrs
from aiohttp import web

from domain.errors import InvalidRequest
from domain.json_value import JSONObject, JSONValue
from domain.suggestion import shown
from domain.values import frozen
from entrypoints.http.checks import Faults, Integer, Schemas, fault
from entrypoints.http.records import Record, notes_of

T = TypeVar("T")


@frozen(kw_only=True)
class IntegerText:
    """An integer in decimal digits."""

    minimum: int
    maximum: int

    def read(self, value: JSONValue, path: str, faults: Faults) -> int | None:
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            fault(faults, path, f"must be an integer between {self.minimum} and {self.maximum}")
            return None
        return Integer(minimum=self.minimum, maximum=self.maximum).read(int(text), path, faults)

    def schema(self, schemas: Schemas) -> JSONObject:
        return Integer(minimum=self.minimum, maximum=self.maximum).schema(schemas)


@frozen
class FlagText:
    """`true` or `false`."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> bool | None:
        if value in ("true", "false"):
            return value == "true"
        fault(faults, path, f"must be `true` or `false`; it is `{shown(str(value))}`")
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "boolean"}


@frozen
class NoQuery:
    """For routes that take none."""


NO_QUERY = Record(NoQuery)


def read_query(request: web.Request, record: Record[T], faults: Faults) -> T | None:
    """The query's parameters; None where there are faults, which are appended to `faults`."""
    query = request.query
    before = len(faults)
    values: dict[str, JSONValue] = {}
    for name, value in query.items():
        if name in values:
            fault(faults, shown(name), "is given twice; give it once")
        values[name] = value
    if record is NO_QUERY and values:
        for name in values:
            fault(faults, shown(name), "unknown query parameter; this route takes none")
        return None
    found = record.read(values, "", faults)
    return found if len(faults) == before else None


def refuse_query(request: web.Request) -> None:
    """
    Raises:
        InvalidRequest: there is a query, for a route that takes none and has nothing else to be wrong.
    """
    faults: Faults = []
    read_query(request, NO_QUERY, faults)
    if faults:
        raise InvalidRequest.of(*faults)


def parameters_of(record: type[attrs.AttrsInstance]) -> list[JSONValue]:
    """The record's fields as OpenAPI lists query parameters."""
    found: list[JSONValue] = []
    for name, note in notes_of(record).items():
        schema: dict[str, Any] = dict(note.check.schema({}))
        if note.default is not None:
            schema["default"] = note.default
        parameter: dict[str, JSONValue] = {
            "name": name,
            "in": "query",
            "description": note.doc,
            "schema": schema,
        }
        if note.example is not None:
            parameter["example"] = note.example
        found.append(parameter)
    return found
