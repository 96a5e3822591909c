"""The plain part of YAML, safely: no anchors, no tags, no merge keys, nothing given twice, nothing unbounded.

Reads the parser's events one by one, so that a bomb is refused before anything is made of it. Plain scalars
are what YAML 1.2's core schema says (https://yaml.org/spec/1.2.2/#103-core-schema), not 1.1's: `no` is a text,
and so is `12:30`.
"""

import re
from typing import Any, Final, TypeAlias

import attrs
import yaml

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

# libyaml is thirty times as fast where PyYAML was built with it.
_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
# As libyaml has it; PyYAML's own parser lets U+FEFF pass.
_UNFIT: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_BASE: Final = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_JSON: Final = re.compile(r"[-+]?\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_MAX_DIGITS: Final = 308
_BREAKS: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML 1.1 counts as the end of a line, and so do the parser's marks."""
_CLOSING: Final = {'"': ('"', "quote"), "'": ("'", "quote"), "[": ("]", "list"), "{": ("}", "object")}
_QUOTING: Final = "; quote a text that holds `{{…}}` or `: `, or write it on the lines below a `|`"


@attrs.define(kw_only=True)
class _Mapping:
    path: str
    value: dict[str, JSONValue] = attrs.field(factory=dict)
    lines: dict[str, int] = attrs.field(factory=dict)
    key: str | None = None


@attrs.define(kw_only=True)
class _Sequence:
    path: str
    value: list[JSONValue] = attrs.field(factory=list)


_Frame: TypeAlias = _Mapping | _Sequence


def read_yaml(text: str, *, loader: Any = _LOADER) -> Parsed:
    """
    Args:
        loader: PyYAML's class whose parser is used, with or without libyaml.

    Raises:
        Malformed: with every flaw that was found.
    """
    lines = _BREAKS.split(text)
    unfit = _UNFIT.search(text)
    if unfit is not None:
        before = _BREAKS.split(text[: unfit.start()])
        spot = Spot(line=len(before), column=len(before[-1]) + 1)
        code = ord(unfit.group())
        raise Malformed(
            Flaw(
                message=f'the character U+{code:04X} may not stand in YAML; write "\\u{code:04X}" in double quotes',
                spot=spot,
                line_text=lines[spot.line - 1],
            )
        )
    reader = _Reader(lines=lines)
    try:
        for event in yaml.parse(text, Loader=loader):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        raise Malformed(*reader.flaws, _syntax(error, lines, end=len(text.rstrip()))) from error
    except yaml.YAMLError as error:
        raise Malformed(*reader.flaws, Flaw(message="is not YAML; save it as plain UTF-8 text")) from error
    if reader.flaws:
        raise Malformed(*reader.flaws)
    return Parsed(
        value=reader.root, spots=reader.spots, texts=reader.texts, values=reader.value_spots, lines=lines
    )


@attrs.define(kw_only=True)
class _Reader:
    """Builds the value from events."""

    lines: list[str]
    root: JSONValue = None
    spots: dict[str, Spot] = attrs.field(factory=dict)
    texts: dict[str, TextSpot] = attrs.field(factory=dict)
    value_spots: dict[str, Spot] = attrs.field(factory=dict)
    flaws: list[Flaw] = attrs.field(factory=list)
    _stack: list[_Frame] = attrs.field(factory=list)
    _documents: int = 0
    _values: int = 0

    def take(self, event: yaml.Event) -> None:
        """
        Raises:
            Malformed: reading on would make no sense.
        """
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._give_up(event, "holds several documents; keep one prompt in a file")
        elif isinstance(event, yaml.NodeEvent):
            self._values += 1
            if self._values > MAX_VALUES:
                self._give_up(event, f"holds more than {MAX_VALUES:,} values; make it smaller")
            self._refuse_references(event)
            frame = self._stack[-1] if self._stack else None
            if isinstance(frame, _Mapping) and frame.key is None:
                self._take_key(frame, event)
            else:
                self._take_value(frame, event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()

    def _refuse_references(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._note(event, f"the alias `*{printable(event.anchor or '')}` is refused; write the value out")
            return
        if event.anchor is not None:
            self._note(event, f"the anchor `&{printable(event.anchor)}` is refused; write values out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            shown = printable(tag.replace("tag:yaml.org,2002:", "!!"))
            self._note(event, f"the tag `{shown}` is refused; write plain values")

    def _take_key(self, frame: _Mapping, event: yaml.NodeEvent) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            hint = _QUOTING if "{{" in self._line(_spot(event)) else ""
            self._give_up(event, f"a key must be a text{hint}")
            return
        key: str = event.value
        if SURROGATE.search(key):
            self._note(event, "holds half of a surrogate pair; write the character itself")
        spot = _spot(event)
        line = spot.line
        path = below(frame.path, key)
        if not event.style and key == "<<":
            self._note(event, "the merge key `<<` is refused; write the values out")
        elif not event.style and key == "":
            self._note(event, "a key is missing before the `:`")
        elif key in frame.lines:
            message = f"is given twice, on lines {frame.lines[key]} and {line}; keep one"
            self._flaw(Flaw(message=message, path=printable(path), spot=spot, line_text=self._line(spot)))
        frame.lines.setdefault(key, line)
        frame.key = key
        self.spots[path] = spot

    def _take_value(self, frame: _Frame | None, event: yaml.NodeEvent) -> None:
        if isinstance(frame, _Mapping):
            path = below(frame.path, frame.key or "")
        elif isinstance(frame, _Sequence):
            path = below(frame.path, len(frame.value))
            self.spots[path] = _spot(event)
        else:
            path = ""
            if not isinstance(event, yaml.MappingStartEvent):
                self.spots[path] = _spot(event)
        value: JSONValue = None
        opened: _Frame | None = None
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
            spot = _spot(event)
            # Nothing at all, and a block, have no place of their own in the key's line.
            if path in self.spots and spot.line == self.spots[path].line and (event.value or event.style):
                self.value_spots[path] = spot
        elif isinstance(event, yaml.MappingStartEvent):
            opened = _Mapping(path=path)
        elif isinstance(event, yaml.SequenceStartEvent):
            opened = _Sequence(path=path)
        if opened is not None:
            value = opened.value
            self._stack.append(opened)
            if len(self._stack) > MAX_DEPTH:
                self._give_up(event, f"is nested deeper than {MAX_DEPTH} levels; make it flatter")
        if isinstance(frame, _Mapping):
            frame.value[frame.key or ""] = value
            frame.key = None
        elif isinstance(frame, _Sequence):
            frame.value.append(value)
        else:
            self.root = value

    def _scalar(self, event: yaml.ScalarEvent, path: str) -> JSONValue:
        text: str = event.value
        if SURROGATE.search(text):  # libyaml refuses it by itself
            self._note(event, "holds half of a surrogate pair; write the character itself")
        if not event.style and not getattr(event, "tag", None):
            value = self._plain(event, text)
            if not isinstance(value, str):
                return value
        self.texts[path] = self._text_spot(event)
        return text

    def _plain(self, event: yaml.ScalarEvent, text: str) -> JSONValue:
        if text in _NULL:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _NOT_JSON.match(text):
            self._note(event, f"`{text}` is no number that JSON has; write another, or quote the text")
            return None
        if len(text) > _MAX_DIGITS:
            return text
        if _INTEGER.match(text):
            return int(text)
        if _OTHER_BASE.match(text):
            return int(text, 0)
        if _FLOAT.match(text):
            number = float(text)
            if number in (float("inf"), float("-inf")):
                self._note(event, f"`{printable(text)}` is too large a number")
            return number
        return text

    def _text_spot(self, event: yaml.ScalarEvent) -> TextSpot:
        spot = _spot(event)
        if event.style == "|":
            return TextSpot(line=spot.line + 1, column=self._indentation(event, spot.line) + 1, faithful=True)
        if event.style == ">":
            return TextSpot(line=spot.line + 1, column=1, faithful=False)
        quote = 1 if event.style else 0
        faithful = bool(event.value) and self._line(spot)[spot.column - 1 + quote :].startswith(event.value)
        return TextSpot(line=spot.line, column=spot.column + quote, faithful=faithful)

    def _indentation(self, event: yaml.ScalarEvent, head: int) -> int:
        """Of the literal block below line `head`: what the file has before a line, less what the text itself has."""
        for index, line in enumerate(_BREAKS.split(event.value)):
            if line.strip(" ") and head + index < len(self.lines):
                return _spaces(self.lines[head + index]) - _spaces(line)
        return 0

    def _line(self, spot: Spot) -> str:
        return self.lines[spot.line - 1] if spot.line <= len(self.lines) else ""

    def _note(self, event: yaml.Event, message: str) -> None:
        spot = _spot(event)
        self._flaw(Flaw(message=message, spot=spot, line_text=self._line(spot)))

    def _give_up(self, event: yaml.Event, message: str) -> None:
        self._note(event, message)
        raise Malformed(*self.flaws)

    def _flaw(self, flaw: Flaw) -> None:
        self.flaws.append(flaw)
        if len(self.flaws) >= MAX_FAULTS:
            raise Malformed(*self.flaws)


def _spot(event: yaml.Event) -> Spot:
    mark = event.start_mark
    assert mark is not None  # noqa: S101 - for the type checker: a parser's events have marks
    return Spot(line=mark.line + 1, column=mark.column + 1)


def _spaces(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _syntax(error: yaml.MarkedYAMLError, lines: list[str], *, end: int) -> Flaw:
    """
    Args:
        end: of the text, as an index.
    """
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Flaw(message="is not YAML; check indentation, quotes and brackets")
    opens = error.context_mark
    if opens is not None and opens.line < len(lines) and mark.index >= end:
        # Nothing is wrong at the end of the file: what was opened before is still open there.
        spot = Spot(line=opens.line + 1, column=opens.column + 1)
        line = lines[opens.line]
        character = line[opens.column : opens.column + 1]
        if character in _CLOSING:
            closing, what = _CLOSING[character]
            message = f"not valid YAML: the {what} that opens here is never closed; write a `{closing}` where it ends"
            return Flaw(message=message, spot=spot, line_text=line)
    spot = Spot(line=min(mark.line, len(lines) - 1) + 1, column=mark.column + 1)
    line = lines[spot.line - 1]
    opened = error.context_mark.line if error.context_mark is not None else mark.line
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation or line[mark.column : mark.column + 1] == "\t":
        what = "a tab can't indent YAML; use spaces"
    elif "{{" in line or (opened < len(lines) and "{{" in lines[opened]):
        what = f"not valid YAML: {_problem(error)}{_QUOTING}"
    elif "mapping values" in (error.problem or ""):
        what = "a `:` is not expected here; quote a text that holds `: `, or mend the indentation"
    else:
        what = f"not valid YAML: {_problem(error)}; check indentation, quotes and brackets"
    return Flaw(message=what, spot=spot, line_text=line)


def _problem(error: yaml.MarkedYAMLError) -> str:
    return (
        f"{error.problem or error.context} {error.context if error.problem and error.context else ''}".strip()
    )
