"""JSON Schema with limits: no network, no endless loop, no runaway regular expression.

The default dialect is Draft 2020-12; `$schema` may name another. `format` is an annotation, as the specification
has it. A `$ref` reaches into the same schema or a published metaschema, never further.

What bounds a hostile schema or answer:
    size, depth, in-place loops   checked before use, by `adapters/formatters/schema_limits.py`
    evaluations                   a budget for each validation, so that no nesting of `anyOf` explodes
    `pattern`                     matched by the `regex` package with a time limit; `re` can't be interrupted
    `patternProperties`           only patterns that can't backtrack badly, because jsonschema matches them itself
    `uniqueItems`                 compared by hash, not pair by pair
"""

import functools
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

import attrs
import jsonschema
import orjson
import regex
from jsonschema.protocols import Validator
from jsonschema.validators import extend, validator_for
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped] # ships no types

from adapters.formatters.schema_limits import limit_faults
from domain.errors import Fault
from domain.json_value import JSONObject

_MAX_EVALUATIONS: Final = 200_000
"""Keywords times values; about a second. A large answer, 20,000 values with five keywords each, takes half."""
_MAX_PATTERN_S: Final = 0.25
"""For all matches of one validation."""
_MAX_FAULTS: Final = 10

Keyword = Callable[[Any, Any, Any, Any], Iterator[jsonschema.ValidationError] | None]


class ValidationAborted(Exception):
    """A validation reached its budget; the message says which."""


@attrs.define
class _Budget:
    evaluations: int = _MAX_EVALUATIONS
    pattern_s: float = _MAX_PATTERN_S


_budget: ContextVar[_Budget] = ContextVar("budget")


def check_schema(schema: JSONObject) -> tuple[Fault, ...]:
    """What is wrong with a caller's schema, at most ten faults, with paths below `schema`. Empty where it is usable.

    For the edge of a request: a schema that passes can be given to `JSONFormatter.format`.
    """
    faults = limit_faults(schema)
    if faults:
        return faults
    try:
        return _metaschema_faults(orjson.dumps(schema, default=_plain))
    except TypeError:  # lone surrogates, integers beyond 64 bits
        return (
            Fault(
                path="schema", message="holds a value that JSON can't carry; use plain strings and numbers"
            ),
        )


@functools.lru_cache(maxsize=256)
def _metaschema_faults(text: bytes) -> tuple[Fault, ...]:
    """Cached: checking against the metaschema takes about 0.15 ms for each value in the schema."""
    schema = orjson.loads(text)
    dialect = _dialect(schema)
    if dialect is None:
        return (
            Fault(
                path="schema.$schema", message="unknown dialect; leave it out for JSON Schema Draft 2020-12"
            ),
        )
    metaschema = dialect(dialect.META_SCHEMA, registry=REGISTRY)
    found: list[Fault] = []
    for error in metaschema.iter_errors(schema):
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        found.append(
            Fault(path=f"schema{where}", message=f"not valid JSON Schema: breaks `{error.validator}`")
        )
        if len(found) >= _MAX_FAULTS:
            break
    return tuple(found)


def validation_errors(schema: JSONObject, value: Any) -> Generator[jsonschema.ValidationError, None, None]:
    """The ways in which `value` breaks `schema`, lazily.

    Raises:
        ValidationAborted: the budget is used up.
    """
    validator = _compiled(orjson.dumps(schema, default=_plain))
    token = _budget.set(_Budget())
    try:
        yield from validator.iter_errors(value)
    except RecursionError:
        raise ValidationAborted("the answer is nested too deeply to be validated") from None
    finally:
        _budget.reset(token)


@functools.lru_cache(maxsize=256)
def _compiled(schema: bytes) -> Validator:
    parsed = orjson.loads(schema)
    dialect = _dialect(parsed) or jsonschema.Draft202012Validator
    # An own registry turns retrieval off: without one, jsonschema fetches a remote $ref.
    return _bounded(dialect)(parsed, registry=REGISTRY)


def _dialect(schema: JSONObject) -> type[Validator] | None:
    if "$schema" not in schema:
        return jsonschema.Draft202012Validator
    if not isinstance(schema["$schema"], str):
        return None
    named: type[Validator] | None = validator_for({"$schema": schema["$schema"]}, default=None)  # type: ignore[arg-type] # None comes back
    return named


@functools.cache
def _bounded(dialect: type[Validator]) -> type[Validator]:
    keywords: dict[str, Keyword] = dict(dialect.VALIDATORS)
    keywords.update({"pattern": _pattern, "uniqueItems": _unique_items})
    bounded: type[Validator] = extend(  # type: ignore[no-untyped-call] # its stub has no types
        dialect, validators={name: _counted(keyword) for name, keyword in keywords.items()}
    )
    return bounded


def _counted(keyword: Keyword) -> Keyword:
    def counted(validator: Any, argument: Any, value: Any, schema: Any) -> Any:
        budget = _budget.get()
        budget.evaluations -= len(argument) if isinstance(argument, list) else 1
        if budget.evaluations < 0:
            raise ValidationAborted("the answer is too large to be validated against this schema")
        return keyword(validator, argument, value, schema)

    return counted


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if not isinstance(value, str):
        return
    budget = _budget.get()
    started = time.perf_counter()
    try:
        found = _regex(pattern).search(value, timeout=max(budget.pattern_s, 0.001))
    except TimeoutError:
        raise ValidationAborted("matching `pattern` takes too long; simplify the pattern") from None
    budget.pattern_s -= time.perf_counter() - started
    if not found:
        yield jsonschema.ValidationError("does not match")


@functools.lru_cache(maxsize=1024)
def _regex(pattern: str) -> Any:
    return regex.compile(pattern)


def _unique_items(
    validator: Any, wanted: bool, value: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if wanted and isinstance(value, list) and len({_hashable(each) for each in value}) < len(value):
        yield jsonschema.ValidationError("is not unique")


def _hashable(value: Any) -> Any:
    """Equal for equal JSON: 1 is 1.0, but not true."""
    if isinstance(value, list):
        return ("array", tuple(_hashable(each) for each in value))
    if isinstance(value, dict):
        return ("object", frozenset((name, _hashable(each)) for name, each in value.items()))
    return (isinstance(value, bool), value)


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
