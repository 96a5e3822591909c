"""Strict JSON (RFC 8259) with the place of every key: no NaN, nothing given twice, nothing unbounded."""

import re
from bisect import bisect_right
from json import JSONDecodeError, JSONDecoder
from typing import Final, NoReturn

import attrs

from adapters.prompts.parsed import (
    MAX_DEPTH,
    MAX_FAULTS,
    MAX_VALUES,
    SURROGATE,
    Flaw,
    Malformed,
    Parsed,
    Spot,
    TextSpot,
    below,
    printable,
)
from domain.json_value import JSONValue

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<real>(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")
_WORD: Final = re.compile(r"-?[A-Za-z]+")
_WORDS: Final = {"true": True, "false": False, "null": None}
_STRINGS: Final = JSONDecoder()
_MAX_DIGITS: Final = 308


def read_json(text: str) -> Parsed:
    """
    Raises:
        Malformed: with every flaw that was found.
    """
    reader = _Reader(text=text, starts=[0, *(match.end() for match in re.finditer("\n", text))])
    value = reader.document()
    if reader.flaws:
        raise Malformed(*reader.flaws)
    if not isinstance(value, dict):
        reader.spots[""] = reader.first
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return Parsed(value=value, spots=reader.spots, texts=reader.texts, values=reader.value_spots, lines=lines)


@attrs.define(kw_only=True)
class _Reader:
    """A position in the text that moves on as values are read."""

    text: str
    starts: list[int]
    """Of the lines."""
    spots: dict[str, Spot] = attrs.field(factory=dict)
    texts: dict[str, TextSpot] = attrs.field(factory=dict)
    value_spots: dict[str, Spot] = attrs.field(factory=dict)
    flaws: list[Flaw] = attrs.field(factory=list)
    first: Spot = Spot(line=1, column=1)
    """Where the document begins."""
    _at: int = 0
    _values: int = 0

    def document(self) -> JSONValue:
        self._skip()
        self.first = self._spot(self._at)
        value = self._value("", 0)
        self._skip()
        if self._at < len(self.text):
            self._give_up(self._at, "something follows the document; keep one prompt in a file")
        return value

    def _value(self, path: str, depth: int) -> JSONValue:
        self._skip()
        self._count()
        start = self.text[self._at : self._at + 1]
        if start in ("{", "["):
            if depth >= MAX_DEPTH:
                self._give_up(self._at, f"is nested deeper than {MAX_DEPTH} levels; make it flatter")
            return self._object(path, depth + 1) if start == "{" else self._array(path, depth + 1)
        self.value_spots[path] = self._spot(self._at)
        if start == '"':
            at = self._at
            text = self._string()
            spot = self._spot(at + 1)
            faithful = self.text.startswith(text, at + 1)
            self.texts[path] = TextSpot(line=spot.line, column=spot.column, faithful=faithful)
            return text
        number = _NUMBER.match(self.text, self._at)
        return self._word() if number is None else self._number(number)

    def _object(self, path: str, depth: int) -> JSONValue:
        made: dict[str, JSONValue] = {}
        lines: dict[str, int] = {}
        self._at += 1
        if self._next("}"):
            return made
        while True:
            self._skip()
            at = self._at
            if self.text[at : at + 1] != '"':
                what = (
                    "a comma too many"
                    if self.text[at : at + 1] == "}"
                    else 'a key in double quotes, as in "name"'
                )
                self._give_up(at, f"not valid JSON: {what}{'' if 'comma' in what else ' must stand here'}")
            self._count()
            key = self._string()
            spot = self._spot(at)
            inner = below(path, key)
            if key in lines:
                message = f"is given twice, on lines {lines[key]} and {spot.line}; keep one"
                self._flaw(
                    Flaw(message=message, path=printable(inner), spot=spot, line_text=self._line(spot))
                )
            lines.setdefault(key, spot.line)
            self.spots[inner] = spot
            if not self._next(":"):
                self._give_up(self._at, "not valid JSON: a `:` must stand here")
            made[key] = self._value(inner, depth)
            if self._next("}"):
                return made
            if not self._next(","):
                self._give_up(self._at, "not valid JSON: a `,` or `}` must stand here")

    def _array(self, path: str, depth: int) -> JSONValue:
        made: list[JSONValue] = []
        self._at += 1
        if self._next("]"):
            return made
        while True:
            self._skip()
            inner = below(path, len(made))
            self.spots[inner] = self._spot(self._at)
            made.append(self._value(inner, depth))
            if self._next("]"):
                return made
            if not self._next(","):
                self._give_up(self._at, "not valid JSON: a `,` or `]` must stand here")

    def _string(self) -> str:
        at = self._at
        text: str
        try:
            text, self._at = _STRINGS.raw_decode(self.text, at)
        except JSONDecodeError as error:
            what = error.msg[:1].lower() + error.msg[1:].removesuffix(" at").removesuffix(" starting")
            self._give_up(error.pos, f"not valid JSON: {what}")
        if SURROGATE.search(text):
            self._give_up(at, "not valid text: half of a surrogate pair; write both halves, or the character")
        return text

    def _number(self, match: "re.Match[str]") -> int | float:
        text = match.group()
        if len(text) > _MAX_DIGITS:
            self._give_up(self._at, f"a number has more than {_MAX_DIGITS} digits; write it as a text")
        number = float(text) if match["real"] else int(text)
        if number in (float("inf"), float("-inf")):
            self._give_up(self._at, f"`{printable(text)}` is too large a number")
        self._at = match.end()
        return number

    def _word(self) -> JSONValue:
        match = _WORD.match(self.text, self._at)
        if match is None:
            self._give_up(self._at, "not valid JSON: a value must stand here")
        word = match.group()
        if word not in _WORDS:
            self._give_up(self._at, f"`{printable(word)}` is not JSON; write texts in double quotes")
        self._at = match.end()
        return _WORDS[word]

    def _skip(self) -> None:
        match = _SPACE.match(self.text, self._at)
        assert match is not None  # noqa: S101 - for the type checker: no space is a match too
        self._at = match.end()

    def _next(self, character: str) -> bool:
        """Whether `character` comes next; then it is behind us."""
        self._skip()
        if not self.text.startswith(character, self._at):
            return False
        self._at += 1
        return True

    def _count(self) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            self._give_up(self._at, f"holds more than {MAX_VALUES:,} values; make it smaller")

    def _spot(self, at: int) -> Spot:
        line = bisect_right(self.starts, at)
        return Spot(line=line, column=at - self.starts[line - 1] + 1)

    def _flaw(self, flaw: Flaw) -> None:
        self.flaws.append(flaw)
        if len(self.flaws) >= MAX_FAULTS:
            raise Malformed(*self.flaws)

    def _give_up(self, at: int, message: str) -> NoReturn:
        spot = self._spot(min(at, len(self.text)))
        raise Malformed(*self.flaws, Flaw(message=message, spot=spot, line_text=self._line(spot)))

    def _line(self, spot: Spot) -> str:
        start = self.starts[spot.line - 1]
        return self.text[start:].partition("\n")[0].rstrip("\r")
