"""The JSON Schema that editors check configuration files with, made from the classes that read them."""

import datetime
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import attrs

from application.ports.chat_provider import ProviderConfig, Timeouts
from domain.chat_defaults import ChatDefaults
from domain.limits.budget_rules import BudgetRules
from domain.model import ModelSpec
from domain.routing.settings import BreakerPolicy, RoutingPolicy
from domain.secret import Secret
from entrypoints.configuration.document import (
    AuthDocument,
    BreakerDocument,
    BudgetsDocument,
    DatabaseDocument,
    Document,
    Length,
    LogDocument,
    LogFileDocument,
    ModelDocument,
    OneOrMore,
    OTLPDocument,
    PromptDocument,
    ProviderDocument,
    Range,
    RedisDocument,
    RetentionDocument,
    RoutingDocument,
    ServerDocument,
    TelemetryDocument,
    ThreadDocument,
    Written,
    written_name,
)
from entrypoints.settings import (
    AuthSettings,
    DatabaseSettings,
    LogFileSettings,
    LogSettings,
    OTLPSettings,
    PromptSettings,
    RedisSettings,
    RetentionSettings,
    ServerSettings,
    TelemetrySettings,
    ThreadSettings,
)

_DEFAULTS: Final[Mapping[type, tuple[type, ...]]] = {
    Document: (ChatDefaults,),
    ProviderDocument: (ProviderConfig, Timeouts),
    RoutingDocument: (RoutingPolicy,),
    BreakerDocument: (BreakerPolicy,),
    ServerDocument: (ServerSettings,),
    DatabaseDocument: (DatabaseSettings,),
    RedisDocument: (RedisSettings,),
    PromptDocument: (PromptSettings,),
    ThreadDocument: (ThreadSettings,),
    RetentionDocument: (RetentionSettings,),
    AuthDocument: (AuthSettings,),
    BudgetsDocument: (BudgetRules,),
    LogDocument: (LogSettings,),
    LogFileDocument: (LogFileSettings,),
    TelemetryDocument: (TelemetrySettings,),
    OTLPDocument: (OTLPSettings,),
    ModelDocument: (ModelSpec,),
}
_REFERENCE: Final = {"type": "string", "pattern": r"\$\{"}


def json_schema() -> dict[str, Any]:
    """A JSON Schema, draft 2020-12. Any value may be a string that holds `${NAME}`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lor3",
        "description": "The configuration of lor3: lor3.yaml, lor3.yml or lor3.json.",
        **_class(Document),
        "properties": {"$schema": {"type": "string"}, **_class(Document)["properties"]},
    }


def schema_text() -> str:
    """The schema as `config/lor3.schema.json` holds it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _class(cl: Any) -> dict[str, Any]:
    properties = {}
    open_ended = False
    for field in attrs.fields(cl):
        if field.metadata.get("rest"):
            open_ended = True
            continue
        (inner,) = (each for each in get_args(field.type) if each is not type(None))
        properties[written_name(field)] = {
            "description": field.metadata["doc"],
            **_or_reference(_type(inner)),
            **_default(cl, field.name),
        }
    return {"type": "object", "properties": properties, "additionalProperties": open_ended}


def _default(cl: type, name: str) -> dict[str, Any]:
    """The value that holds where a file says nothing, if there is one that can be shown."""
    for source in _DEFAULTS.get(cl, ()):
        for field in attrs.fields(source):
            shown = list(field.default) if isinstance(field.default, tuple) else field.default
            if isinstance(shown, Secret):
                shown = shown.reveal()  # the default URL, which is in this source for all to read
            if field.name == name and isinstance(shown, bool | int | float | str | list):
                return {"default": shown}
    return {}


def _or_reference(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") == "object" or (schema.get("type") == "string" and "enum" not in schema):
        return schema
    return {"anyOf": [schema, _REFERENCE]}


def _type(target: Any) -> dict[str, Any]:
    origin = get_origin(target)
    if origin is Annotated:
        base, *rules = get_args(target)
        schema = _type(base)
        bounds = [rule for rule in rules if not isinstance(rule, OneOrMore | Written)]
        for rule in bounds:
            schema |= _rule(rule, schema["type"])
        is_bare = any(isinstance(rule, OneOrMore) for rule in rules)
        return {"anyOf": [schema["items"], schema]} if is_bare else schema
    if origin is Literal:
        return {"type": "string", "enum": list(get_args(target))}
    if origin is tuple:
        return {"type": "array", "items": _type(get_args(target)[0])}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": _type(get_args(target)[1])}
    if attrs.has(target):
        return _class(target)
    return dict(_LEAVES[target])


_LEAVES: Final[Mapping[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Decimal: {"type": ["number", "string"]},
    datetime.date: {"type": "string", "format": "date"},
    object: {},
}


def _rule(rule: object, kind: object) -> dict[str, Any]:
    if isinstance(rule, Range):
        limits = {"minimum": rule.minimum, "maximum": rule.maximum, "exclusiveMinimum": rule.above}
    elif isinstance(rule, Length):
        unit = "Length" if kind == "string" else "Items"
        limits = {f"min{unit}": rule.minimum or None, f"max{unit}": rule.maximum}
    else:
        raise AssertionError(rule)
    return {name: limit for name, limit in limits.items() if limit is not None}
