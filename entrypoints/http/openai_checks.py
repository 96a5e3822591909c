"""What a field of OpenAI's may hold where lor3's own bodies have nothing like it."""

import re
from typing import Final

import attrs

from domain.json_value import JSONObject, JSONValue
from domain.suggestion import shown
from entrypoints.http.checks import Faults, Schemas, fault

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}")
_ELSEWHERE: Final = frozenset(
    (
        "base", "callback", "callbacks", "endpoint", "endpoints", "header", "headers", "host", "hosts", "key", "keys",
        "proxies", "proxy", "secret", "secrets", "uri", "uris", "url", "urls", "webhook", "webhooks",
    )
)  # fmt: skip
"""Words of names by which servers let a caller say where they call, and with which credential."""
_WORDS: Final = re.compile(r"[_.\-]")


@attrs.frozen(kw_only=True)
class Refused:
    """A field that is known and can't be served."""

    why: str
    harmless: tuple[JSONValue, ...] = ()
    """Values that ask for nothing, and so are as good as left out. null always is."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> None:
        if not any(value is each for each in self.harmless):
            fault(faults, path, self.why)

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"enum": [None, *self.harmless]}


@attrs.frozen
class Tolerated:
    """A field that says nothing to a model; whatever it holds is passed over."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> None:
        return None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {}


@attrs.frozen
class LeftOut:
    """A field of a turn that is sent back which no provider is sent; reads as whether it held anything."""

    def read(self, value: JSONValue, path: str, faults: Faults) -> bool:
        return value is not None

    def schema(self, schemas: Schemas) -> JSONObject:
        return {}


@attrs.frozen(kw_only=True)
class Exactly:
    """One value, which is also the default."""

    value: JSONValue
    why: str

    def read(self, value: JSONValue, path: str, faults: Faults) -> JSONValue:
        # `1 == True` in Python, and not in JSON.
        if value != self.value or isinstance(value, bool) is not isinstance(self.value, bool):
            fault(faults, path, self.why)
            return None
        return value

    def schema(self, schemas: Schemas) -> JSONObject:
        return {"const": self.value}


def look_over_name(name: str, faults: Faults) -> None:
    """Faults a further parameter whose name no provider could take, or by which a caller would choose where a call
    goes: that is the configuration's alone."""
    if _NAME.fullmatch(name) is None:
        fault(faults, shown(name), "is no name that a parameter can have: letters, digits, `_`, `.` and `-`")
    elif name[:2].lower() == "x-" or not _ELSEWHERE.isdisjoint(_WORDS.split(name.lower())):
        fault(
            faults,
            name,
            "where providers are and how they are called is configured, not asked for; leave it out",
        )
