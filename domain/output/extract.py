"""Finds the JSON in an answer that also holds other words."""

import re
from collections.abc import Iterator
from typing import Final

_FENCE: Final = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^\n]*\n(?P<body>.*?)(?:^[ \t]*(?P=fence)|\Z)",
    re.MULTILINE | re.DOTALL,
)
# A JSON string can't hold a raw line break, so a stray quotation mark spoils no more than its line.
_TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|[{}\[\]]')
_CLOSER: Final = {"{": "}", "[": "]"}
_OPENER: Final = re.compile(r"[{\[]")
_MAX_STARTS: Final = 32
_MAX_FENCES: Final = 16


def json_candidates(text: str) -> Iterator[str]:
    """Pieces of `text` that may be JSON, the likeliest first; each is for the caller to parse.

    In order: the whole text; fenced blocks marked json; other fenced blocks; balanced objects and arrays from
    left to right. Looks at no more than 32 openings, so its cost stays linear on hostile texts.
    """
    whole = text.strip().removeprefix("\ufeff").strip()
    if not whole:
        return
    yield whole
    if "```" in whole or "~~~" in whole:
        yield from _fenced(whole)
    yield from _balanced(whole)


def _fenced(text: str) -> Iterator[str]:
    others: list[str] = []
    for number, match in enumerate(_FENCE.finditer(text)):
        if number >= _MAX_FENCES:
            break
        body = match["body"].strip()
        if not body:
            continue
        if match["language"].lower() in ("json", "jsonc", "json5"):
            yield body
        else:
            others.append(body)
    yield from others


def _balanced(text: str) -> Iterator[str]:
    position = 0
    for _ in range(_MAX_STARTS):
        opener = _OPENER.search(text, position)
        if opener is None:
            return
        end = _end_of(text, opener.start())
        if end is not None:
            yield text[opener.start() : end]
        position = opener.end()


def _end_of(text: str, start: int) -> int | None:
    """Where the value that opens at `start` closes; None where it does not, or where brackets cross."""
    expected: list[str] = []
    for token in _TOKEN.finditer(text, start):
        mark = token[0]
        if mark in _CLOSER:
            expected.append(_CLOSER[mark])
        elif mark[0] != '"':
            if expected.pop() != mark:
                return None
            if not expected:
                return token.end()
    return None
