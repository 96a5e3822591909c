"""What a log line looks like.

Safe against injection: nothing in an entry can look like another one, or move a terminal's cursor. In JSON an entry
is one line, and everything outside printable ASCII is escaped. As text, control characters, line separators (U+0085,
U+2028, U+2029) and bidirectional overrides are, and each further line of a message is indented: an entry alone begins
at the first column.
"""

import datetime
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import orjson

_UNSAFE: Final = {
    code: f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)
} | {ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}  # fmt: skip
_LEVEL_WIDTH: Final = 7
_INDENT: Final = " " * 4
MAX_VALUE: Final = 2000
"""Characters of one value."""
MAX_LONG_VALUE: Final = 50_000
"""Of one that is a `LongText`."""
FLOAT_DIGITS: Final = 6
"""Of a fraction, behind the point."""
# `json.dumps` with arguments makes an encoder for every call.
_encode: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode
_second: tuple[int, str] = (-1, "")
"""The last line's second, and how it is written."""

_PLAIN: Final = frozenset((str, int, bool))
"""What a line holds as it is, texts up to their length."""


class LongText(str):
    """A value that may take some room in its line."""

    __slots__ = ()


def json_line(at: float, level: str, message: str, fields: Mapping[str, Any]) -> bytes:
    """`{"time": …, "level": …, "event": …, …}` and a line break."""
    told = {
        name: value if type(value) in _PLAIN else _value(value)
        for name, value in fields.items()
        if value is not None
    }
    entry = {"time": time_of(at), "level": level, "event": message, **told}
    line = plain_line(entry)
    if line is not None:
        return line
    whole = {name: _value(value) for name, value in fields.items() if value is not None}
    return _encode({**entry, "event": message[:MAX_VALUE], **whole}).encode() + b"\n"


def plain_line(entry: Mapping[str, Any]) -> bytes | None:
    """The entry as a line, where nothing in it needs to be cut or escaped by hand."""
    try:
        line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # an integer beyond 64 bits, half a surrogate pair
        return None
    # In a short line no value is too long. What is plain needs no more: orjson escapes the rest of ASCII's control
    # characters as `json` does.
    return line if len(line) <= MAX_VALUE and line.isascii() and b"\x7f" not in line else None


def text_line(at: float, level: str, message: str, fields: Mapping[str, Any]) -> bytes:
    """`12:00:00.000 INFO    chat answered  model=… cost_usd=…` and a line break; beneath, indented, what further lines
    the message has."""
    first, *further = message[:MAX_VALUE].split("\n")
    parts = [time_of(at)[11:23], level.upper().ljust(_LEVEL_WIDTH), _escaped(first)]
    parts += [f"{name}={_quoted(_value(value))}" for name, value in fields.items() if value is not None]
    lines = [" ".join(parts), *(f"{_INDENT}{_escaped(line)}" for line in further)]
    return "\n".join(lines).encode("utf-8", "backslashreplace") + b"\n"


def time_of(at: float) -> str:
    """RFC 3339 in UTC, with milliseconds. Within a second only they change."""
    global _second
    whole = int(at)
    known, text = _second
    if whole != known:
        text = datetime.datetime.fromtimestamp(whole, datetime.UTC).isoformat()[:19]
        _second = (whole, text)
    return f"{text}.{int((at - whole) * 1000):03d}Z"


def digits_of(number: Decimal) -> str:
    """Without an exponent."""
    text = str(number)
    return format(number, "f") if "E" in text else text


def _value(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        return round(value, FLOAT_DIGITS)
    if kind is Decimal:
        return digits_of(value)
    if kind is int or kind is bool:
        return value
    return str(value)[: MAX_LONG_VALUE if kind is LongText else MAX_VALUE]


def _escaped(text: str) -> str:
    return text if text.isascii() and text.isprintable() and "\\" not in text else text.translate(_UNSAFE)


def _quoted(value: Any) -> str:
    text = str(value)
    escaped = _escaped(text)
    if not text or " " in text or '"' in text or "=" in text:
        return '"' + escaped.replace('"', '\\"') + '"'
    return escaped
