"""JSON answers: found, parsed and validated."""

from typing import Any, Final

import attrs
import orjson

from domain.errors import Fault
from domain.json_value import JSONObject, is_nested_deeper
from domain.output.extract import json_pieces
from domain.output.formatter import Formatted
from domain.values import frozen

_MAX_PROBLEMS: Final = 20
_MAX_PARSED: Final = 8
"""Pieces of one answer that are JSON and are held against the schema."""
_MAX_DEPTH: Final = 200
"""Of an answer's arrays and objects. orjson reads 1,024 levels, but writes 254 only."""


@frozen
class JSONFormatter:
    """Takes the JSON out of an answer, whatever is around it.

    Parsing is strict (RFC 8259 by orjson): no NaN or Infinity, no comments, no trailing commas, no lone
    surrogates, nothing is repaired. Where an object names a member twice, the last one counts. With a schema, the
    first piece that is valid wins; without, the first that parses. `Formatted.text` is that piece as it was
    written. Problems are worded for the model, and quote the schema but never the answer.
    """

    name: str = attrs.field(default="json", init=False)
    wants_json: bool = attrs.field(default=True, init=False)
    is_instant: bool = attrs.field(default=False, init=False)
    instruction: str | None = attrs.field(
        default="Answer with a single JSON value and nothing else: no explanation before or after, no code fence.",
        init=False,
    )

    def format(self, text: str, *, schema: JSONObject | None) -> Formatted:
        first_problems: tuple[str, ...] | None = None
        for number, (piece, value) in enumerate(json_pieces(text, _strictly)):
            if number >= _MAX_PARSED:
                break
            problems = () if schema is None else _problems(schema, value)
            if not problems:
                return Formatted(output=value, text=piece)
            first_problems = first_problems or problems
        return Formatted(text=text, problems=first_problems or (_why_unparsable(text),))


def check_schema(schema: JSONObject) -> tuple[Fault, ...]:
    """What is wrong with a caller's schema: see `adapters/formatters/json_schema.py`."""
    from adapters.formatters import json_schema

    return json_schema.check_schema(schema)


def _problems(schema: JSONObject, value: Any) -> tuple[str, ...]:
    # jsonschema takes 0.1 s and 12 MB to import; only chats with a schema need it.
    from adapters.formatters.json_schema import ValidationAborted, validation_errors
    from adapters.formatters.problem_words import describe

    problems: list[str] = []
    errors = validation_errors(schema, value)
    try:
        for error in errors:
            problems.append(describe(error))
            if len(problems) >= _MAX_PROBLEMS:
                problems.append("there are more problems of this kind")
                break
    except ValidationAborted as aborted:
        problems.append(str(aborted))
    finally:
        errors.close()  # gives its budget back
    return tuple(dict.fromkeys(problems))


def _strictly(text: str) -> Any:
    value = orjson.loads(text)
    if text.count("[") + text.count("{") > _MAX_DEPTH and is_nested_deeper(value, _MAX_DEPTH):
        raise ValueError(f"the answer is nested deeper than {_MAX_DEPTH} levels; make it flatter")
    return value


def _why_unparsable(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        return "the answer is empty; answer with a single JSON value"
    try:
        _strictly(stripped)
    except orjson.JSONDecodeError as error:
        if stripped[0] in "{[":
            return f"the answer is not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}"
    except ValueError as error:
        return str(error)
    return "the answer holds no valid JSON; answer with a single JSON value and nothing else"
