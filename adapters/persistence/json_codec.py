"""JSON at the store's edge, and the one mapping of characters that a database can't hold."""

import re
from decimal import Decimal
from typing import Any, Final

import orjson

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for each U+0000, which PostgreSQL's text refuses, and each lone surrogate, which UTF-8 can't say."""

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_ESCAPED_NUL: Final = b"\\u0000"


def storable(value: Any) -> Any:
    """`value` with each character that can't be stored replaced, in keys and texts at any depth."""
    if isinstance(value, str):
        return _UNSTORABLE.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(item) for item in value]
    return value


def encode_json(value: Any) -> str:
    """`encode_json_bytes` as text."""
    return encode_json_bytes(value).decode()


def encode_json_bytes(value: Any) -> bytes:
    """JSON, in UTF-8, that every database takes.

    Clean values, nearly all, pay one search in the encoded bytes; only where that finds something (or the
    encoder refuses a lone surrogate) is the value walked. Times become RFC 3339, money decimal text.

    Raises:
        TypeError: something in it is no JSON, such as an integer past 64 bits.
    """
    try:
        encoded = orjson.dumps(value, default=_exact)
    except orjson.JSONEncodeError:
        return orjson.dumps(storable(value), default=_exact)
    if _ESCAPED_NUL in encoded:
        encoded = orjson.dumps(storable(value), default=_exact)
    return encoded


def _exact(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def decode_json(text: str | bytes) -> Any:
    return orjson.loads(text)
