"""A document with the place of everything in it, so that faults can point into the file."""

import re
from collections.abc import Mapping
from typing import Final

import attrs

from domain.json_value import JSONValue
from domain.prompt.source import Origin
from domain.prompt.template_fault import Place

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 20_000
"""In one document, keys counted too."""
MAX_FAULTS: Final = 50
"""Of one file."""
SURROGATE: Final = re.compile("[\ud800-\udfff]")


@attrs.frozen(kw_only=True)
class Spot:
    """A place in a file; both count from 1, columns in characters."""

    line: int
    column: int


@attrs.frozen(kw_only=True)
class TextSpot:
    """Where the first character of a text stands."""

    line: int
    column: int
    faithful: bool
    """Whether its lines are lines of the file, each from `column` on; not so where breaks are escaped or folded."""


@attrs.frozen(kw_only=True)
class Parsed:
    """A document. Paths are written as in faults: `variables.name.type`, `messages[0].content`."""

    value: JSONValue
    spots: Mapping[str, Spot]
    """Of each key and each item of a list."""
    texts: Mapping[str, TextSpot]
    """Of each text."""

    def spot(self, path: str) -> Spot | None:
        """Where `path` is, else what surrounds it."""
        while path:
            if path in self.spots:
                return self.spots[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return None


@attrs.frozen(kw_only=True)
class Flaw:
    """One thing that is wrong with a file."""

    message: str
    path: str = ""
    spot: Spot | None = None
    line_text: str | None = None
    """The line of the file that the spot is on, where a message is to show it."""

    def sentence(self, file: str) -> str:
        """`config/prompts/x.yaml, line 7: variables.name: …`, then perhaps the line and a caret under the spot."""
        text = f"{self.path}: {self.message}" if self.path else self.message
        if self.spot is None:
            return f"{file}: {text}"
        if self.line_text is None:
            return f"{file}, line {self.spot.line}: {text}"
        place = Place(text=self.line_text, path="", origin=Origin(file=file, line=self.spot.line))
        return place.fault(self.spot.column - 1, text).message


class Malformed(Exception):
    """A file that is no document, with everything that was found wrong before it could not be read further."""

    def __init__(self, *flaws: Flaw) -> None:
        super().__init__(flaws[0].message)
        self.flaws = flaws


def below(path: str, key: str | int) -> str:
    """The path of what `key` holds."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def printable(text: str, limit: int = 64) -> str:
    """`text` for a message: short, and without characters that a terminal would obey."""
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(character if character.isprintable() else "�" for character in short)
