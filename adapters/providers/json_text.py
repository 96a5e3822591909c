"""JSON between lor3 and a vendor, with one rule for text that not every part of the way can hold.

The rule: U+0000, lone surrogates and bytes that are not UTF-8 become U+FFFD, in every string and in both
directions. PostgreSQL stores no NUL, UTF-8 has no surrogates; replacing at the door makes what a caller
sees, what is stored and what is sent again the same text.

No value is nested deeper than 200 levels, in either direction: everything that walks it may recurse.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from domain.clean_text import REPLACEMENT, clean
from domain.json_value import is_nested_deeper

MAX_DEPTH: Final = 200
"""Of arrays and objects; orjson reads 1,024 levels and writes 254."""
_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(data: bytes) -> Any:
    """The JSON value in `data`, its strings cleaned.

    Raises:
        ValueError: it is not JSON (RFC 8259: no NaN, no number beyond a double), or nested too deeply.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _parse_leniently(data)
    # Counting is far cheaper than walking, and nearly everything that comes is small and flat.
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and is_nested_deeper(value, MAX_DEPTH):
        raise ValueError("JSON too deep")
    if b"\\u0000" in data:
        return clean(value)
    return value


def dump(value: object) -> bytes:
    """Compact UTF-8 JSON. Any Mapping counts as an object; strings are cleaned where they must be.

    Raises:
        ValueError: the value is nested too deeply or holds NaN.
    """
    try:
        return orjson.dumps(value, default=_as_plain)
    except orjson.JSONEncodeError:
        if is_nested_deeper(value, MAX_DEPTH):
            raise ValueError("the value is nested too deeply") from None
        # A lone surrogate or an integer beyond 64 bits, perhaps in a caller's schema.
        return json.dumps(
            clean(value), default=_as_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()


def _parse_leniently(data: bytes) -> Any:
    """orjson refuses invalid UTF-8 and lone surrogates; only for those is the slower parser worth a try."""
    text = data.decode("utf-8", "replace")
    if REPLACEMENT not in text and not _SURROGATE_ESCAPE.search(data):
        raise ValueError("not JSON")
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as exc:
        raise ValueError("JSON too deep") from exc
    if is_nested_deeper(value, MAX_DEPTH):
        raise ValueError("JSON too deep")
    return clean(value)


def _refuse(_constant: str) -> float:
    raise ValueError("NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is beyond a double")
    return number


def _as_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is not JSON")
