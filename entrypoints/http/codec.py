"""JSON in and out of HTTP bodies. Reading is strict: whatever is doubtful is the caller's fault, never a 500."""

import json
from typing import Final

import orjson

from domain.errors import Fault, InvalidRequest
from domain.json_value import JSONObject, JSONValue
from domain.suggestion import shown

MAX_DEPTH: Final = 32
_MAX_FLAT_BYTES: Final = 64 * 1024
"""Above this, to read in vain what is not flat costs more than it spares."""
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**64 - 1


class Refused(ValueError):
    """What is JSON to others, or to Python, and not to lor3; its text is a sentence for the caller."""


def read_object(body: bytes) -> JSONObject:
    """The JSON object in `body`.

    Stricter than RFC 8259 where readers disagree: UTF-8 without a byte order mark, no duplicate keys, no NaN
    or Infinity, integers of at most 64 bits, no lone surrogates, at most 32 levels.

    Raises:
        InvalidRequest: it is none; the message names what and where, never the content.
    """
    return _flat(body) or _read_carefully(body)


def _flat(body: bytes) -> JSONObject | None:
    """The object in `body` where that holds texts, true, false and null alone, as most do; None for all else.

    orjson takes the last of several fields of one name. That none is given twice is seen by the quotation marks:
    each text has two, and those inside it are escaped; a field that is not in what was read has some more.
    """
    if len(body) > _MAX_FLAT_BYTES or b"\\u" in body:
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(value) is not dict:
        return None
    has_escapes = b"\\" in body
    marks = 2 * len(value)
    for name, item in value.items():
        if type(item) is str:
            marks += 2 + item.count('"') if has_escapes else 2
        elif item is not None and item is not True and item is not False:
            return None
        if has_escapes:
            marks += name.count('"')
    return value if marks == body.count(b'"') else None


def _read_carefully(body: bytes) -> JSONObject:
    """As `read_object`, of whatever JSON there is, and with words for what is none."""
    try:
        text = body.decode()
    except UnicodeDecodeError as exc:
        raise _invalid(f"the body is not UTF-8 (byte {exc.start}); send JSON encoded as UTF-8") from None
    if not text or text.isspace():
        raise _invalid("the body is empty; send a JSON object")
    if text[0] == "\ufeff":
        raise _invalid("the body starts with a byte order mark; send UTF-8 without one")
    try:
        value: JSONValue = _DECODER.decode(text)
    except Refused as exc:
        raise _invalid(str(exc)) from None
    except json.JSONDecodeError as exc:
        raise _invalid(f"the body is not JSON: {exc.msg} (line {exc.lineno}, column {exc.colno})") from None
    except RecursionError:
        raise _invalid(f"the body {_TOO_DEEP}") from None
    if not isinstance(value, dict):
        raise _invalid("the body must be a JSON object: fields between `{` and `}`")
    # Fewer brackets than levels, and no escape, mean that there is nothing to look for.
    if text.count("{") + text.count("[") > MAX_DEPTH or "\\u" in text:
        try:
            _inspect(value, whole="the body")
        except Refused as exc:
            raise _invalid(str(exc)) from None
    return value


def read_value(text: str) -> JSONValue:
    """Any JSON value, read as strictly as a body.

    Raises:
        Refused: JSON that a body may not hold either; its text names what.
        ValueError: no JSON at all.
    """
    try:
        value: JSONValue = _DECODER.decode(text)
    except RecursionError:
        raise Refused(f"the value {_TOO_DEEP}") from None
    _inspect(value, whole="the value")
    return value


def _unique(pairs: list[tuple[str, JSONValue]]) -> dict[str, JSONValue]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Refused(
                    f"the key `{shown(key)}` is given twice in one object; readers differ on which counts"
                )
            seen.add(key)
    return value


def _integer(digits: str) -> int:
    # Python refuses more than 4,300 digits by a ValueError, and takes quadratic time below that.
    if len(digits) > 20 or not _INT_MIN <= (number := int(digits)) <= _INT_MAX:
        raise Refused(f"the integer {digits[:20]}… is beyond 64 bits; send it as a string")
    return number


def _fraction(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise Refused(f"the number {digits[:20]} is beyond the range of a 64-bit float")
    return number


def _constant(name: str) -> JSONValue:
    raise Refused(f"{name} is not JSON; send null or a number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
)
_TOO_DEEP: Final = f"is nested too deeply; at most {MAX_DEPTH} levels are read"


def _inspect(root: JSONValue, *, whole: str) -> None:
    """Walks without recursion, so that depth can't hurt, and refuses what no database or wire can take."""
    level: list[JSONValue] = [root]
    for _ in range(MAX_DEPTH):
        deeper: list[JSONValue] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, dict):
                for key in value:
                    _check_text(key)
                deeper.extend(value.values())
            elif isinstance(value, list):
                deeper.extend(value)
        if not deeper:
            return
        level = deeper
    if any(isinstance(value, dict | list) for value in level):
        raise Refused(f"{whole} {_TOO_DEEP}")
    for value in level:
        if isinstance(value, str):
            _check_text(value)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(
            "a string holds half of a surrogate pair (\\ud800 to \\udfff); send whole characters"
        ) from None


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest.of(Fault(path="", message=message))
