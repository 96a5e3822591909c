"""Checks of versions, labels and weights, in bodies and queries alike."""

from collections.abc import Mapping
from typing import Final

from application.use_cases.label_prompt import MAX_VERSIONS, MAX_WEIGHT
from domain.errors import InvalidRequest
from domain.json_value import JSONObject, JSONValue
from domain.prompt.reference import LABEL_PATTERN, version_number
from domain.prompt.version import Weights
from domain.suggestion import shown
from domain.values import frozen
from entrypoints.http.checks import Faults, Integer, Schemas, Text, fault, kind_of

_WEIGHT: Final = Integer(minimum=1, maximum=MAX_WEIGHT)
LABEL_TEXT: Final = Text(
    max_length=64,
    pattern=LABEL_PATTERN,
    hint="a label: lower-case letters, digits, `_` and `-`, at most 64",
)


@frozen
class VersionText:
    """`v3`; read as 3."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> int | None:
        if not isinstance(value, str):
            fault(faults, path, f"must be a version such as `v3`, not {kind_of(value)}")
            return None
        try:
            return version_number(value, path=path)
        except InvalidRequest as error:
            faults.extend(error.faults)
            return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"type": "string", "pattern": "^v[1-9][0-9]{0,9}$"}


@frozen
class WeightMap:
    """Versions with their weights, by number."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> Weights | None:
        if not isinstance(value, Mapping):
            fault(faults, path, f'must be an object such as {{"v3": 90, "v4": 10}}, not {kind_of(value)}')
            return None
        if not 1 <= len(value) <= MAX_VERSIONS:
            fault(faults, path, f"must have 1 to {MAX_VERSIONS} versions; it has {len(value):,}")
            return None
        found = []
        for name, item in value.items():
            where = f"{path}.{shown(name)}"
            number = VersionText().read(name, where, faults)
            weight = _WEIGHT.read(item, where, faults)
            if number is not None and weight is not None:
                found.append((number, weight))
        return tuple(sorted(found))

    def schema(self, schemas: Schemas) -> JSONObject:
        return {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MAX_VERSIONS,
            "propertyNames": VersionText().schema(schemas),
            "additionalProperties": _WEIGHT.schema(schemas),
        }
