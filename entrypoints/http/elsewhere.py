"""Parameters by which a caller would choose where a call goes, or with which credential: the configuration's alone.

Compatible servers and proxies take such under many names, in every style of writing, and inside of other parameters
too. A name is looked at in its words, whether they are parted by `_`, `.`, `-` or capitals, and, for those that are
written together, for what can be nothing else.
"""

import re
from collections.abc import Iterator
from typing import Final

from domain.json_value import JSONValue
from domain.suggestion import shown
from entrypoints.http.checks import Faults, fault

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_WORDS: Final = frozenset(
    (
        "auth", "authorization", "base", "bearer", "callback", "callbacks", "credential", "credentials", "endpoint",
        "endpoints", "header", "headers", "host", "hostname", "hosts", "key", "keys", "password", "proxies", "proxy",
        "secret", "secrets", "uri", "uris", "url", "urls", "webhook", "webhooks",
    )
)  # fmt: skip
_TOGETHER: Final = re.compile(
    "^token$|(?:access|api|auth|bearer|refresh|security|session)_?token$"
    "|api_?(?:base|host|key|ur[il])|base_?ur[il]|(?:access|secret)_?key|(?:credential|endpoint|header|proxy|uri|url|webhook)s?$"
)
"""Searched for in the name in lower case. `token` is a credential on its own, but not in `stop_token_ids`."""
_SCHEMAS: Final = frozenset(("$defs", "definitions", "patternProperties", "properties"))
"""Objects of JSON Schema whose names are the caller's own, each with a schema."""
_MAX_NAMES: Final = 10_000
"""That are looked at inside of one parameter; none that a provider is meant to read has more."""
_WHY: Final = "where providers are and how they are called is configured, not asked for; leave it out"


def look_over_parameter(name: str, value: JSONValue, faults: Faults) -> None:
    """Faults a further parameter whose name no provider could take, or which chooses such a thing, however deep."""
    if _NAME.fullmatch(name) is None:
        fault(faults, shown(name), "is no name that a parameter can have: letters, digits, `_`, `.` and `-`")
    elif _is_elsewhere(name):
        fault(faults, name, _WHY)
    elif isinstance(value, dict | list | tuple):
        for number, (path, inner) in enumerate(_names_in(value, name)):
            if number >= _MAX_NAMES:
                fault(faults, name, f"holds more than {_MAX_NAMES:,} names; leave some out")
                return
            if _is_elsewhere(inner):
                fault(faults, path, _WHY)


def _is_elsewhere(name: str) -> bool:
    if name[:2] in ("x-", "X-"):
        return True
    words = {word.lower() for word in _WORD.findall(name)}
    return not _WORDS.isdisjoint(words) or _TOGETHER.search(name.lower().replace("-", "_")) is not None


def _names_in(value: JSONValue, path: str) -> Iterator[tuple[str, str]]:
    """Each name inside, with its path. A body's depth is bounded where it is parsed."""
    if isinstance(value, dict):
        own_names = path.rpartition(".")[2] in _SCHEMAS
        for name, item in value.items():
            where = f"{path}.{shown(name)}"
            if not (own_names and isinstance(item, dict | bool)):
                yield where, name
            yield from _names_in(item, where)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if isinstance(item, dict | list | tuple):
                yield from _names_in(item, f"{path}[{index}]")
