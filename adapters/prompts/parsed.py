"""A document with the place of everything in it, so that faults can point into the file."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from domain.json_value import JSONValue
from domain.prompt.source import Origin
from domain.prompt.template_fault import Place
from domain.values import frozen

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 20_000
"""In one document, keys counted too."""
MAX_FAULTS: Final = 50
"""Of one file."""
SURROGATE: Final = re.compile("[\ud800-\udfff]")


@frozen(kw_only=True)
class Spot:
    """A place in a file; both count from 1, columns in characters."""

    line: int
    column: int


@frozen(kw_only=True)
class TextSpot:
    """Where the first character of a text stands."""

    line: int
    column: int
    faithful: bool
    """Whether its lines are lines of the file, each from `column` on; not so where breaks are escaped or folded."""


@frozen(kw_only=True)
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


@frozen(kw_only=True)
class Parsed:
    """A document. Paths are written as in faults: `variables.name.type`, `messages[0].content`."""

    value: JSONValue
    spots: Mapping[str, Spot]
    """Of each key and each item of a list; at the empty path a document that is no object."""
    texts: Mapping[str, TextSpot]
    """Of each text."""
    values: Mapping[str, Spot]
    """Of each value that is no collection and stands in its key's line."""
    lines: Sequence[str]
    """Of the file."""

    def flaw(self, path: str, message: str, *, at_value: bool) -> Flaw:
        """One that shows the line where `path` is, else what surrounds it.

        Args:
            at_value: whether to point to what the key has, not to the key.
        """
        spot = self._spot(path, at_value=at_value)
        # A fault of a template shows its line already.
        has_line = spot is not None and "\n" not in message and spot.line <= len(self.lines)
        shown = self.lines[spot.line - 1] if spot is not None and has_line else None
        return Flaw(message=message, path=path, spot=spot, line_text=shown)

    def _spot(self, path: str, *, at_value: bool) -> Spot | None:
        while path:
            if path in self.spots:
                return self.values.get(path, self.spots[path]) if at_value else self.spots[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
            at_value = True  # what is meant stands there, or is missing there
        return self.spots.get("")


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
