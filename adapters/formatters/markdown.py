"""Well-formed Markdown."""

import re
import string
from typing import Final

import attrs

from domain.json_value import JSONObject
from domain.output.formatter import Formatted
from domain.values import frozen

_SYNTAX: Final = re.compile(r"[*_`#\[\]<>!|~\\=+&\r\t]|^[ \-]|^\d+[.)]|^-{2,}", re.MULTILINE)
_FENCE: Final = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<rest>.*)", re.DOTALL)
_MAX_CHARACTERS: Final = 10_000
_MAX_MARKS: Final = 2_000
"""Lines and characters with a meaning: mdformat takes about 0.1 ms for each, with the second pass that proves it."""
_MARK: Final = re.compile(r"[*_`#\[\]<>!|~\\&\n]")
_MAX_BLOCKS: Final = 200
_BLOCK: Final = re.compile(r"^[ \t>]*(?:[-*+]|\d+[.)])(?=\s)", re.MULTILINE)
"""A list item: mdformat's time grows with the square of their number (1,250 take 1.2 s, 250 take 0.08 s)."""
_DEEP: Final = re.compile(r"^[ \t]*(?:(?:[>*+-]|\d+[.)])[ \t]*){8,}|[\[*_!(]{40,}", re.MULTILINE)
_IGNORED: Final = str.maketrans("", "", string.punctuation + string.whitespace)


@frozen
class MarkdownFormatter:
    """Closes open code fences and normalises with mdformat (CommonMark).

    Text without any Markdown syntax comes back exactly as it was. Formatting twice changes nothing more. Nothing
    is lost: where mdformat would drop or reorder a word, add or remove a backslash (formulas: `\\(x_1\\)`), or is
    not stable on the text, or where the text is large (over 10,000 characters, 2,000 marks or 200 list items) or nested
    deeply, only the fences are closed. `output` and `text` are the same string.
    """

    name: str = attrs.field(default="markdown", init=False)
    wants_json: bool = attrs.field(default=False, init=False)
    is_instant: bool = attrs.field(default=False, init=False)
    instruction: str | None = attrs.field(
        default="Format the answer as Markdown (CommonMark): close every code fence and name its language.",
        init=False,
    )

    def format(self, text: str, *, schema: JSONObject | None) -> Formatted:
        if _SYNTAX.search(text) is None:
            return Formatted(output=text, text=text)
        closed = close_fences(text)
        normalised = _normalised(closed)
        result = closed if normalised is None else normalised
        return Formatted(output=result, text=result)


def close_fences(text: str) -> str:
    """`text` with a closing line for a code fence that is open at its end; unchanged where there is none.

    Follows CommonMark 0.31, section 4.5, except that a fence may be indented at will, as inside lists.
    """
    if "```" not in text and "~~~" not in text:
        return text
    opened: re.Match[str] | None = None
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if match is None:
            continue
        if opened is None:
            if match["fence"][0] == "~" or "`" not in match["rest"]:
                opened = match
        elif _closes(match, opened):
            opened = None
    if opened is None:
        return text
    line_break = "" if text.endswith("\n") else "\n"
    return f"{text}{line_break}{opened['indent']}{opened['fence']}"


def _closes(match: re.Match[str], opened: re.Match[str]) -> bool:
    fence, opening = match["fence"], opened["fence"]
    return fence[0] == opening[0] and len(fence) >= len(opening) and not match["rest"].strip()


def _normalised(text: str) -> str | None:
    """mdformat's version, or None where it can't be trusted with `text`."""
    if len(text) > _MAX_CHARACTERS or _DEEP.search(text) is not None:
        return None
    if sum(1 for _ in _MARK.finditer(text)) > _MAX_MARKS:
        return None
    if sum(1 for _ in _BLOCK.finditer(text)) > _MAX_BLOCKS:
        return None
    once = _mdformat(text)
    if (
        once is None
        or _words(once) != _words(text)
        or once.count("\\") != text.count("\\")
        or close_fences(once) != once
        or (once != text and _mdformat(once) != once)
    ):
        return None
    return once


def _mdformat(text: str) -> str | None:
    import mdformat  # 30 ms and markdown-it: only for those who use this format

    try:
        formatted: str = mdformat.text(text, options={"number": True})
    except (
        Exception
    ):  # a formatter must not fail on a model's text, and mdformat asserts and raises of all kinds
        return None
    return formatted.rstrip("\n")


def _words(text: str) -> str:
    """Everything but white space and ASCII punctuation, in order."""
    return "".join(text.translate(_IGNORED).split())
