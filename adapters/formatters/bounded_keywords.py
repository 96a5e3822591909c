"""The validators of jsonschema, with a budget, and with those keywords replaced that can cost too much.

What jsonschema itself would do: match patterns with `re`, compare `uniqueItems` pair by pair, look for unevaluated
items and properties in lists, and change to an unbounded validator where a subschema names a `$schema`.
"""

import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, Final

import attrs
import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing.jsonschema import lookup_recursive_ref

from adapters.formatters.patterns import compiled

MAX_EVALUATIONS: Final = 200_000
"""Keywords times values; about a second. A large answer, 20,000 values with five keywords each, takes half."""

Keyword = Callable[[Any, Any, Any, Any], Iterator[jsonschema.ValidationError] | None]

_OVER_ALL_ITEMS: Final = frozenset(
    ("additionalItems", "additionalProperties", "contains", "items", "patternProperties", "propertyNames")
)
_BY_WEIGHT: Final = frozenset(("const", "dependencies", "dependentRequired", "enum"))


class ValidationAborted(Exception):
    """A validation can't be brought to its end; the message says why."""


@attrs.define
class Budget:
    evaluations: int = MAX_EVALUATIONS

    def charge(self, evaluations: int) -> None:
        self.evaluations -= evaluations
        if self.evaluations < 0:
            raise ValidationAborted("the answer is too large to be validated against this schema")


budget: Final[ContextVar[Budget]] = ContextVar("budget")
"""Of the validation under way."""


@functools.cache
def bounded(dialect: type[Validator]) -> type[Validator]:
    """A dialect's validator class, each of its keywords charged."""
    own: dict[str, Keyword] = {
        "additionalProperties": _additional_properties,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "unevaluatedItems": _unevaluated_items,
        "unevaluatedProperties": _unevaluated_properties,
        "uniqueItems": _unique_items,
    }
    keywords: dict[str, Keyword] = dict(dialect.VALIDATORS)
    keywords.update((name, keyword) for name, keyword in own.items() if name in keywords)
    result: Any = extend(  # type: ignore[no-untyped-call] # its stub has no types
        dialect, validators={name: _counted(name, keyword) for name, keyword in keywords.items()}
    )
    kept = tuple((each.name, each.alias) for each in attrs.fields(result) if each.init)

    def evolve(self: Any, **changes: Any) -> Any:
        """As jsonschema's, but of the same class, whatever `$schema` says."""
        for name, alias in kept:
            if alias not in changes:
                changes[alias] = getattr(self, name)
        return result(**changes)

    result.evolve = evolve
    bounded_class: type[Validator] = result
    return bounded_class


def _counted(name: str, keyword: Keyword) -> Keyword:
    by_weight, over_all = name in _BY_WEIGHT, name in _OVER_ALL_ITEMS

    def counted(validator: Any, argument: Any, value: Any, schema: Any) -> Any:
        cost = 1
        if by_weight:
            cost += weight(argument)
        elif isinstance(argument, list | dict):
            cost += len(argument)
        if over_all and isinstance(value, list | dict):
            cost += len(value)
        budget.get().charge(cost)
        return keyword(validator, argument, value, schema)

    return counted


def weight(value: Any) -> int:
    """How many values are in `value`."""
    pending, total = [value], 1
    while pending:
        container = pending.pop()
        if isinstance(container, list | dict):
            total += len(container)
            pending.extend(container.values() if isinstance(container, dict) else container)
    return total


def _matches(pattern: str, text: str) -> bool:
    found = compiled(pattern)
    budget.get().charge(found.cost_of(text))
    return found.is_in(text)


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if isinstance(value, str) and not _matches(pattern, value):
        yield jsonschema.ValidationError("does not match")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], value: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if isinstance(value, dict):
        for pattern, subschema in patterns.items():
            for name, each in value.items():
                if _matches(pattern, name):
                    yield from validator.descend(each, subschema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, argument: Any, value: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if not isinstance(value, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, each in value.items():
        if name in known or any(_matches(pattern, name) for pattern in patterns):
            continue
        if isinstance(argument, dict):
            yield from validator.descend(each, argument, path=name)
        elif not argument:
            yield jsonschema.ValidationError("has additional properties")
            return


def _unique_items(
    validator: Any, wanted: bool, value: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if wanted and isinstance(value, list):
        budget.get().charge(weight(value))
        if len({_hashable(each) for each in value}) < len(value):
            yield jsonschema.ValidationError("is not unique")


def _hashable(value: Any) -> Any:
    """Equal for equal JSON: 1 is 1.0, but not true."""
    if isinstance(value, list):
        return ("array", tuple(_hashable(each) for each in value))
    if isinstance(value, dict):
        return ("object", frozenset((name, _hashable(each)) for name, each in value.items()))
    return (isinstance(value, bool), value)


def _unevaluated_items(
    validator: Any, argument: Any, value: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if isinstance(value, list) and len(_evaluated_items(validator, value, schema)) < len(value):
        yield jsonschema.ValidationError("has unevaluated items")


def _unevaluated_properties(
    validator: Any, argument: Any, value: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if isinstance(value, dict) and len(_evaluated_properties(validator, value, schema)) < len(value):
        yield jsonschema.ValidationError("has unevaluated properties")


def _evaluated_items(validator: Any, value: list[Any], schema: Any) -> set[int]:
    """The indexes that `schema` has an opinion on, or that fit its `unevaluatedItems`."""
    budget.get().charge(1 + len(value))
    if not isinstance(schema, dict):
        return set()
    everything = range(len(value))
    found: set[int] = set()
    items = schema.get("items")
    if isinstance(items, list):
        found.update(everything if "additionalItems" in schema else everything[: len(items)])
    elif items is not None:
        return set(everything)
    found.update(everything[: len(schema.get("prefixItems", ()))])
    for keyword in ("contains", "unevaluatedItems"):
        if keyword in schema:
            found.update(
                index
                for index, each in enumerate(value)
                if index not in found and _is_valid(validator, each, schema[keyword])
            )
    for other, subschema in _at_the_same_value(validator, value, schema):
        found |= _evaluated_items(other, value, subschema)
    return found


def _evaluated_properties(validator: Any, value: dict[str, Any], schema: Any) -> set[str]:
    """The names that `schema` has an opinion on, or whose values fit its `unevaluatedProperties`."""
    budget.get().charge(1 + len(value))
    if not isinstance(schema, dict):
        return set()
    found = set(value.keys() & schema.get("properties", {}).keys())
    for pattern in schema.get("patternProperties", ()):
        found.update(name for name in value if _matches(pattern, name))
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        if keyword in schema:
            found.update(
                name
                for name, each in value.items()
                if name not in found and _is_valid(validator, each, schema[keyword])
            )
    for name, subschema in schema.get("dependentSchemas", {}).items():
        if name in value:
            found |= _evaluated_properties(validator, value, subschema)
    for other, subschema in _at_the_same_value(validator, value, schema):
        found |= _evaluated_properties(other, value, subschema)
    return found


def _at_the_same_value(validator: Any, value: Any, schema: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """The subschemas that count for `value` itself, each with the validator to use for it."""
    resolver = validator._resolver  # noqa: SLF001 - keyword functions have no other way to follow a reference
    targets = [resolver.lookup(schema[name]) for name in ("$ref", "$dynamicRef") if name in schema]
    if "$recursiveRef" in schema:
        targets.append(lookup_recursive_ref(resolver))
    for target in targets:
        yield validator.evolve(schema=target.contents, _resolver=target.resolver), target.contents
    for keyword in ("allOf", "anyOf", "oneOf"):
        for subschema in schema.get(keyword, ()):
            if _is_valid(validator, value, subschema):
                yield validator, subschema
    if "if" in schema:
        holds = _is_valid(validator, value, schema["if"])
        if holds:
            yield validator, schema["if"]
        branch = "then" if holds else "else"
        if branch in schema:
            yield validator, schema[branch]


def _is_valid(validator: Any, value: Any, schema: Any) -> bool:
    budget.get().charge(1)
    return next(validator.descend(value, schema), None) is None
