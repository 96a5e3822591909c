"""From the bytes of one file to a prompt's source, with everything that is wrong."""

import re
from typing import Final

import attrs

from adapters.prompts.json_reader import read_json
from adapters.prompts.parsed import Flaw, Malformed, Parsed, Spot, TextSpot
from adapters.prompts.yaml_reader import read_yaml
from domain.errors import Fault, InvalidRequest
from domain.prompt.document import read_source
from domain.prompt.source import Origin, PromptSource, Turn

YAML_SUFFIXES: Final = (".yaml", ".yml")
JSON_SUFFIX: Final = ".json"
TEXT_SUFFIXES: Final = (".md", ".txt")
_OF_A_VALUE: Final = re.compile(
    r"template|messages(\[\d+\](\.(role|content))?)?|description"
    r"|variables(\.[A-Za-z_][A-Za-z0-9_]*(\.(type|default|description|values|enum))?)?"
)
"""Paths of keys that a document has: what is wrong is what they hold. With any other one the key itself is."""
SUFFIXES: Final = (*YAML_SUFFIXES, JSON_SUFFIX, *TEXT_SUFFIXES)


class Broken(Exception):
    """A file that can't be used."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults[0].message)
        self.faults = faults


def parse_prompt(content: bytes, *, suffix: str, shown: str) -> PromptSource:
    """The prompt in a file, with an `Origin` for each turn.

    Args:
        suffix: one of `SUFFIXES`.
        shown: the file's path as messages have it.

    Raises:
        Broken: with every fault; each message starts with the file and, where it is known, the line.
    """
    try:
        text = _decoded(content)
        if suffix in TEXT_SUFFIXES:
            return _fragment(text, shown)
        parsed = read_json(text) if suffix == JSON_SUFFIX else read_yaml(text)
    except Malformed as error:
        raise Broken(*(Fault(path="", message=flaw.sentence(shown)) for flaw in error.flaws)) from error
    if parsed.value is None:
        raise Broken(Fault(path="", message=f"{shown}: is empty; write `template: …`, or delete the file"))
    try:
        source = read_source(parsed.value)
    except InvalidRequest as error:
        raise Broken(*(_placed(fault, parsed, shown) for fault in error.faults)) from error
    turns = (_with_origin(turn, index, source, parsed, shown) for index, turn in enumerate(source.turns))
    return attrs.evolve(source, turns=tuple(turns))


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Malformed(
            Flaw(message="is not UTF-8 text; save it as UTF-8", spot=Spot(line=line, column=1))
        ) from error


def _fragment(text: str, shown: str) -> PromptSource:
    # As YAML has it too: what a text says must not depend on the editor that saved it.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise Broken(Fault(path="", message=f"{shown}: is empty; write its text, or delete the file"))
    try:
        source = read_source({"template": text})
    except InvalidRequest as error:
        raise Broken(
            *(Fault(path="", message=f"{shown}: {fault.message}") for fault in error.faults)
        ) from error
    origin = Origin(file=shown, line=1)
    turns = tuple(attrs.evolve(turn, origin=origin) for turn in source.turns)
    return attrs.evolve(source, turns=turns, declares=False)


def _placed(fault: Fault, parsed: Parsed, shown: str) -> Fault:
    at_value = _OF_A_VALUE.fullmatch(fault.path) is not None
    flaw = parsed.flaw(fault.path, fault.message, at_value=at_value)
    return Fault(path="", message=flaw.sentence(shown))


def _with_origin(turn: Turn, index: int, source: PromptSource, parsed: Parsed, shown: str) -> Turn:
    path = f"messages[{index}].content" if source.is_chat else "template"
    spot = parsed.texts.get(path)
    return turn if spot is None else attrs.evolve(turn, origin=_origin(path, spot, shown))


def _origin(path: str, spot: TextSpot, shown: str) -> Origin:
    if spot.faithful:
        return Origin(file=shown, line=spot.line, column=spot.column)
    # Its lines are no lines of the file, so they are counted from its own first one.
    return Origin(file=f"{shown} (`{path}` on line {spot.line})", line=1)
