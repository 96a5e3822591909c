"""A flat template written as text again, so that it parses to what renders the same."""

import json
import re
from typing import Any, Final

from domain.prompt.program import Program

_BRACES: Final = re.compile(r"\{{2,}+|\{\Z")
_BLANK_LINE: Final = re.compile(r"[ \t]*+(?:\r?\n|\Z)")
_GUARD: Final = '{{""}}'
"""Prints nothing, and keeps the line it is in from being a tag's own."""


def flat_text(program: Program) -> str:
    """A template whose program is `program`, or renders the same."""
    pieces: list[str] = []
    line = ""
    """What the last line holds so far; a tag counts as no white space."""
    for index, operation in enumerate(program):
        if isinstance(operation, str):
            pieces.append(_BRACES.sub(_quoted, operation) if index + 1 < len(program) else _last(operation))
            newline = operation.rfind("\n")
            line = operation[newline + 1 :] if newline >= 0 else line + operation
            continue
        tag = _tag(program, index)
        if tag.startswith(("{{#", "{{^", "{{/")):
            if line == "" and _is_block(program, index):
                pieces.append(f"{tag}\n")
                continue
            if not line.strip(" \t") and _blank_follows(program, index):
                pieces.append(_GUARD)
        pieces.append(tag)
        line += "tag"
    return "".join(pieces)


def _tag(program: Program, index: int) -> str:
    operation: Any = program[index]
    match operation[0]:
        case "value":
            return f"{{{{{operation[2]}}}}}"
        case "section":
            return f"{{{{#{operation[2]}}}}}"
        case "inverted":
            return f"{{{{^{operation[2]}}}}}"
        case "with":
            named = " ".join(
                f"{name}={json.dumps(value, ensure_ascii=False) if how == 'const' else value}"
                for name, how, value in operation[1]
            )
            return f"{{{{#with {named}}}}}"
        case _:
            opened: Any = program[operation[1]]
            return f"{{{{/{'with' if opened[0] == 'with' else opened[2]}}}}}"


def _is_block(program: Program, index: int) -> bool:
    """Whether the tag, which begins a line, is to have the line to itself: a section of whole lines."""
    operation: Any = program[index]
    if operation[0] == "end":
        return True
    before_end = program[operation[-1] - 1]
    whole = isinstance(before_end, tuple) and before_end[0] == "end"
    whole = whole or (isinstance(before_end, str) and before_end.endswith("\n"))
    return whole or _blank_follows(program, index)


def _blank_follows(program: Program, index: int) -> bool:
    if index + 1 == len(program):
        return True
    following = program[index + 1]
    return isinstance(following, str) and _BLANK_LINE.match(following) is not None


def _quoted(match: re.Match[str]) -> str:
    return f'{{{{"{match[0]}"}}}}'


def _last(text: str) -> str:
    return re.sub(r"\{{2,}+", _quoted, text)
