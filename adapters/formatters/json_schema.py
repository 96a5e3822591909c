"""JSON Schema with limits: no network, no endless loop, no runaway regular expression.

The default dialect is Draft 2020-12; `$schema` at the root may name another from Draft 4 on. `format` is an
annotation, as the specification has it. A `$ref` reaches into the same schema, never further.

What bounds a hostile schema or answer:
    size, depth                   counted first: `schema_limits.py`
    every reachable subschema     held against the metaschema, loops found: `schema_walk.py`
    patterns                      matched by RE2: `patterns.py`
    evaluations                   a budget for each validation: `bounded_keywords.py`
    messages                      jsonschema quotes values in them; here they quote nothing: `_quiet`
"""

import functools
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Final

import jsonschema
import orjson
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped] # ships no types
from referencing import Registry
from referencing.jsonschema import specification_with

from adapters.formatters.bounded_keywords import Budget, ValidationAborted, bounded, budget
from adapters.formatters.schema_limits import MAX_BYTES, size_faults
from adapters.formatters.schema_walk import TooMuch, Walk, alone
from domain.errors import Fault
from domain.json_value import JSONObject
from domain.values import frozen

__all__ = ["ValidationAborted", "check_schema", "validation_errors"]

_MAX_QUOTED: Final = 200
_METASCHEMA_EVALUATIONS: Final = 10_000_000
"""A schema within its limits takes a tenth of it."""


@frozen
class _Prepared:
    faults: tuple[Fault, ...] = ()
    validator: Validator | None = None
    """None where there are faults."""


def check_schema(schema: JSONObject) -> tuple[Fault, ...]:
    """What is wrong with a caller's schema, at most ten faults, with paths below `schema`. Empty where it is usable.

    For the edge of a request: a schema that passes can be given to `JSONFormatter.format`.
    """
    faults = size_faults(schema)
    if faults:
        return faults
    try:
        text = orjson.dumps(schema, default=_plain)
    except TypeError:  # lone surrogates, integers beyond 64 bits
        return (
            Fault(
                path="schema", message="holds a value that JSON can't carry; use plain strings and numbers"
            ),
        )
    if len(text) > MAX_BYTES:
        return (Fault(path="schema", message=f"is larger than {MAX_BYTES // 1024} KiB; make it smaller"),)
    return _prepared(text).faults


def validation_errors(schema: JSONObject, value: Any) -> Generator[jsonschema.ValidationError, None, None]:
    """The ways in which `value`, nested at most 200 levels deep, breaks `schema`, lazily.

    Raises:
        ValidationAborted: the budget is used up, or the schema can't be applied to this value.
    """
    validator = _prepared(orjson.dumps(schema, default=_plain)).validator
    if validator is None:
        raise ValidationAborted("the schema is not one that can be used")
    token = budget.set(Budget())
    try:
        yield from validator.iter_errors(_quiet(value))
    except ValidationAborted:
        raise
    except RecursionError:
        raise ValidationAborted("the answer is nested too deeply to be validated") from None
    except Exception as error:  # the last resort: whatever else jsonschema raises must not become a 500
        raise ValidationAborted("the schema can't be applied to this answer") from error
    finally:
        budget.reset(token)


@functools.lru_cache(maxsize=64)
def _prepared(text: bytes) -> _Prepared:
    """Cached, because checking takes about 0.3 ms for each subschema."""
    parsed = orjson.loads(text)
    dialect = _dialect(parsed)
    if dialect is None:
        return _Prepared(
            (
                Fault(
                    path="schema.$schema",
                    message="unknown dialect; name Draft 4 or a later one, or leave it out for JSON Schema Draft 2020-12",
                ),
            )
        )
    # With local references alone there is no use for a base URI; a malformed one could only do harm.
    schema = _quiet({name: each for name, each in parsed.items() if name not in ("$schema", "$id")})
    if dialect is jsonschema.Draft4Validator:
        schema.pop("id", None)
    specification = specification_with(dialect.META_SCHEMA["$schema"])
    metaschema = bounded(dialect)(dialect.META_SCHEMA, registry=REGISTRY)
    walk = Walk(
        functools.partial(_against, metaschema, "id" if dialect is jsonschema.Draft4Validator else None)
    )
    token = budget.set(Budget(_METASCHEMA_EVALUATIONS))
    try:
        walk.from_root(schema)
        if walk.faults:
            return _Prepared(tuple(walk.faults))
        # Crawled once: otherwise each look-up of an anchor goes through the whole schema.
        registry: Registry[Any] = Registry().with_resource("", specification.create_resource(schema)).crawl()
        resolver = registry.resolver("")
        walk.along_references(lambda reference: resolver.lookup(reference).contents)
        if not walk.faults and walk.never_ends():
            walk.faults.append(
                Fault(
                    path="schema",
                    message="a `$ref` leads back to itself without going into the value; that never ends",
                )
            )
    except TooMuch:
        return _Prepared(tuple(walk.faults))
    finally:
        budget.reset(token)
    if walk.faults:
        return _Prepared(tuple(walk.faults))
    bounded_class: Any = bounded(dialect)
    return _Prepared(validator=bounded_class(schema, registry=Registry(), _resolver=resolver))


def _against(
    metaschema: Validator, id_keyword: str | None, node: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    if id_keyword is not None and id_keyword in node:
        yield f".{id_keyword}", "is read at the root only; leave it out here"
    shallow = alone(node)
    if shallow:
        for error in metaschema.iter_errors(shallow):
            where = "".join(
                f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path
            )
            yield where, f"not valid JSON Schema: breaks `{error.validator}`"


def _dialect(schema: dict[str, Any]) -> type[Validator] | None:
    if "$schema" not in schema:
        return jsonschema.Draft202012Validator
    if not isinstance(schema["$schema"], str):
        return None
    named: type[Validator] | None = validator_for({"$schema": schema["$schema"]}, default=None)  # type: ignore[arg-type] # None comes back
    return None if named is jsonschema.Draft3Validator else named


class _Object(dict[str, Any]):
    __slots__ = ()

    def __repr__(self) -> str:
        return "{…}"


class _Array(list[Any]):
    __slots__ = ()

    def __repr__(self) -> str:
        return "[…]"


class _Text(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return "…"


def _quiet(value: Any) -> Any:
    """A copy whose repr costs nothing: jsonschema puts it into every message, megabytes though it may be."""
    if isinstance(value, dict):
        return _Object((name, _quiet(each)) for name, each in value.items())
    if isinstance(value, list):
        return _Array(_quiet(each) for each in value)
    if isinstance(value, str) and len(value) > _MAX_QUOTED:
        return _Text(value)
    return value


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
