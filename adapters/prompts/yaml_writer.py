"""A prompt's document as YAML for people: long texts as literal blocks, the rest on one line."""

import json
import re
from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject, JSONValue

_ORDER: Final = ("description", "variables", "messages", "template")
"""Texts last: they are long."""
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_\-./]*(?: [A-Za-z0-9_\-./(][A-Za-z0-9_\-./();,'’…]*)*\Z")
"""Texts that are surely read as themselves without quotes."""
_RESERVED: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
"""Some of them mean something to other readers of YAML only."""
_UNPRINTABLE: Final = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_MAX_PLAIN: Final = 100


def write_yaml(document: JSONObject) -> str:
    """Text that `read_yaml` reads as `document`; the same for the same document."""
    ordered = sorted(document.items(), key=lambda item: _rank(item[0]))
    return "".join(_entry(key, value, 0) for key, value in ordered)


def _rank(key: str) -> int:
    return _ORDER.index(key) if key in _ORDER else -1


def _entry(key: str, value: JSONValue, indent: int) -> str:
    return f"{' ' * indent}{_scalar(key)}:{_after(value, indent)}"


def _after(value: JSONValue, indent: int) -> str:
    """What follows a colon or a dash, with the line break."""
    if isinstance(value, str):
        text = _literal(value, indent + 2) if "\n" in value else _scalar(value)
        return f" {text}\n"
    if isinstance(value, Mapping) and value and indent < 4:
        return "\n" + "".join(_entry(key, item, indent + 2) for key, item in value.items())
    if indent == 0 and isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        return "\n" + "".join(_item(item, indent + 2) for item in value)
    return f" {_flow(value)}\n"


def _item(value: JSONValue, indent: int) -> str:
    if isinstance(value, Mapping) and value:
        lines = "".join(_entry(key, item, indent + 2) for key, item in value.items())
        return f"{' ' * indent}- {lines[indent + 2 :]}"
    return f"{' ' * indent}-{_after(value, indent)}"


def _literal(text: str, indent: int) -> str:
    """A literal block, where one can hold `text` as it is; else a quoted text."""
    body = text.rstrip("\n")
    if _UNPRINTABLE.search(text) or not body.strip(" ") or body.startswith("\t"):
        return _quoted(text)
    # The reader takes the first line's indentation for the block's, so it is told where that line has its own.
    hint = "2" if body.startswith((" ", "\n")) else ""
    ends = len(text) - len(body)
    chomp = "-" if ends == 0 else "" if ends == 1 else "+"
    lines = text.removesuffix("\n").split("\n")
    return f"|{hint}{chomp}\n" + "\n".join(f"{' ' * indent}{line}" if line else "" for line in lines)


def _scalar(text: str) -> str:
    if len(text) <= _MAX_PLAIN and _WORD.match(text) and text.lower() not in _RESERVED:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    """JSON's quoting is YAML's, but for characters that YAML wants escaped."""
    return _UNPRINTABLE.sub(
        lambda match: f"\\u{ord(match.group()):04x}", json.dumps(text, ensure_ascii=False)
    )


def _flow(value: JSONValue) -> str:
    """`[a, b]`, `{x: 1}` and scalars, on one line."""
    if isinstance(value, str):
        return _quoted(value) if re.search(r"[^A-Za-z0-9_]", value) else _scalar(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value, allow_nan=False)
