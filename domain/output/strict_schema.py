"""Which JSON Schemas a model can be held to natively.

OpenAI's strict mode and Anthropic's `output_config.format` take a subset of JSON Schema and answer 400 to the
rest. What both take is: a root of type object; every object closed (`additionalProperties: false`) with all its
properties required; no recursion; only the keywords below. Keywords that merely narrow a value (`minimum`,
`pattern`, …) are left out of what is sent: the answer is validated against the whole schema anyway. Nothing is
left out or put in that would make the model answer something else: an open object or an optional property stays
as it is, and such a schema goes into the instructions instead.

Sources: platform.openai.com/docs/guides/structured-outputs, platform.claude.com/docs/en/build-with-claude/
structured-outputs, and `transform_schema` in both SDKs, which drops the same keywords.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from domain.json_value import JSONObject, JSONValue
from domain.values import frozen

_KEPT: Final = frozenset(("type", "title", "description", "enum", "const", "$ref"))
_NARROWING: Final = frozenset(
    (
        "$comment", "$id", "$schema", "default", "deprecated", "examples", "exclusiveMaximum", "exclusiveMinimum",
        "format", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "multipleOf", "pattern",
        "readOnly", "uniqueItems", "writeOnly",
    )
)  # fmt: skip
_SILENT: Final = frozenset(("$comment", "$id", "$schema", "default", "deprecated", "examples"))
"""Of those, the ones that say nothing about what is valid."""
_MAX_DEPTH: Final = 8
_MAX_NODES: Final = 500


@frozen(kw_only=True)
class StrictSchema:
    """What can be sent natively."""

    schema: JSONObject | None
    """None where the schema can't be expressed; `reason` then says why."""
    reason: str = ""
    lossy: bool = False
    """True where narrowing keywords were left out, so that the model should also read the whole schema."""


class _NotExpressible(Exception):
    pass


@attrs.define
class _Translation:
    definitions: Mapping[str, JSONValue]
    lossy: bool = False
    nodes: int = 0
    used: dict[str, JSONValue] = attrs.field(factory=dict)
    open: list[str] = attrs.field(factory=list)

    def schema(self, value: JSONValue, where: str, depth: int) -> dict[str, JSONValue]:
        self.nodes += 1
        if self.nodes > _MAX_NODES:
            raise _NotExpressible(f"it has more than {_MAX_NODES} subschemas")
        if depth > _MAX_DEPTH:
            raise _NotExpressible(f"it is nested deeper than {_MAX_DEPTH} levels")
        if not isinstance(value, Mapping) or not value:
            raise _NotExpressible(f"`{where}` allows anything")
        result: dict[str, JSONValue] = {}
        for keyword, argument in value.items():
            if keyword in _KEPT:
                result[keyword] = argument
            elif keyword in _NARROWING:
                self.lossy = self.lossy or keyword not in _SILENT
            elif keyword == "properties" and isinstance(argument, Mapping):
                result[keyword] = {
                    name: self.schema(each, f"{where}.{name}", depth + 1) for name, each in argument.items()
                }
            elif keyword == "items" and isinstance(argument, Mapping):
                result[keyword] = self.schema(argument, f"{where}[]", depth + 1)
            elif keyword == "anyOf" and isinstance(argument, list | tuple):
                result[keyword] = [self.schema(each, where, depth) for each in argument]
            elif keyword not in ("required", "additionalProperties", "$defs"):
                raise _NotExpressible(f"`{where}` uses `{keyword}`")
        if "$ref" in result:
            self._follow(result["$ref"], where)
        elif not result.keys() & {"type", "enum", "const", "anyOf"}:
            raise _NotExpressible(f"`{where}` has no type")
        types = result.get("type")
        if types == "object" or (isinstance(types, list | tuple) and "object" in types):
            self._close(value, result, where)
        if (
            types == "array" or (isinstance(types, list | tuple) and "array" in types)
        ) and "items" not in result:
            raise _NotExpressible(f"`{where}` is an array of anything")
        return result

    def _close(self, value: JSONObject, result: dict[str, JSONValue], where: str) -> None:
        properties = result.get("properties")
        names = list(properties) if isinstance(properties, Mapping) else []
        required = value.get("required")
        if value.get("additionalProperties") is not False:
            raise _NotExpressible(f"`{where}` is an open object (no `additionalProperties: false`)")
        if not isinstance(required, list | tuple) or set(required) != set(names):
            raise _NotExpressible(f"`{where}` has optional properties")
        result["required"] = names
        result["additionalProperties"] = False

    def _follow(self, reference: JSONValue, where: str) -> None:
        prefix, _, name = str(reference).rpartition("/")
        if prefix != "#/$defs" or name not in self.definitions:
            raise _NotExpressible(f"`{where}` refers to something other than `#/$defs/…`")
        if name in self.open:
            raise _NotExpressible(f"`{where}` is recursive")
        if name not in self.used:
            self.open.append(name)
            self.used[name] = self.schema(self.definitions[name], f"$defs.{name}", len(self.open))
            self.open.pop()


def strict_schema(schema: JSONObject) -> StrictSchema:
    """`schema` as both vendors take it, or why they would not."""
    if schema.get("type") != "object" or "anyOf" in schema:
        return StrictSchema(schema=None, reason="its root is not a plain object")
    definitions = schema.get("$defs", {})
    translation = _Translation(definitions if isinstance(definitions, Mapping) else {})
    try:
        result = translation.schema(schema, "$", 1)
    except _NotExpressible as problem:
        return StrictSchema(schema=None, reason=str(problem))
    if translation.used:
        result["$defs"] = translation.used
    return StrictSchema(schema=result, lossy=translation.lossy)
