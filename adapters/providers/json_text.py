"""JSON between lor3 and a vendor, with one rule for text that not every part of the way can hold.

The rule: U+0000, lone surrogates and bytes that are not UTF-8 become U+FFFD, in every string and in both
directions. PostgreSQL stores no NUL, UTF-8 has no surrogates; replacing at the door makes what a caller
sees, what is stored and what is sent again the same text.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

REPLACEMENT: Final = "\ufffd"
_UNFIT: Final = re.compile("[\x00\ud800-\udfff]")
_SURROGATE_ESCAPE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(data: bytes) -> Any:
    """The JSON value in `data`, its strings cleaned.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _parse_leniently(data)
    if b"\\u0000" in data:
        return clean(value)
    return value


def dump(value: object) -> bytes:
    """Compact UTF-8 JSON. Any Mapping counts as an object; strings are cleaned where they must be."""
    try:
        return orjson.dumps(value, default=_as_plain)
    except orjson.JSONEncodeError:
        # A lone surrogate or an integer beyond 64 bits, perhaps in a caller's schema.
        return json.dumps(
            clean(value), default=_as_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        ).encode()


def clean(value: Any) -> Any:
    """The same value with every unfit character replaced."""
    if isinstance(value, str):
        return _UNFIT.sub(REPLACEMENT, value)
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    return value


def _parse_leniently(data: bytes) -> Any:
    """orjson refuses invalid UTF-8 and lone surrogates; only for those is the slower parser worth a try."""
    text = data.decode("utf-8", "replace")
    if REPLACEMENT not in text and not _SURROGATE_ESCAPE.search(data):
        raise ValueError("not JSON")
    try:
        return clean(json.loads(text))
    except RecursionError as exc:
        raise ValueError("JSON too deep") from exc


def _as_plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is not JSON")
