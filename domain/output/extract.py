"""Finds the JSON in an answer that also holds other words."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

_FENCE: Final = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^\n]*\n(?P<body>.*?)(?:^[ \t]*(?P=fence)|\Z)",
    re.MULTILINE | re.DOTALL,
)
# A JSON string can't hold a raw line break, so a stray quotation mark spoils no more than its line.
_TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|[{}\[\]]')
_CLOSER: Final = {"{": "}", "[": "]"}
_OPENER: Final = re.compile(r"[{\[]")
_MAX_STARTS: Final = 32
_MAX_TOKENS: Final = 1_000_000
"""Brackets and strings looked at in all; about 0.2 s."""
_MAX_FENCES: Final = 16


def json_pieces(text: str, parse: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    """The JSON in `text`: each piece as it was written, and its value.

    The whole text, if that is JSON; else every fenced block that is, those marked json first; else the objects
    and arrays in the prose, from left to right, none from inside another. `parse` raises ValueError for what is
    not JSON. The work is bounded, so that a hostile text costs no more than a long one.
    """
    whole = text.strip().removeprefix("\ufeff").strip()
    if not whole:
        return
    for tier in (_whole, _fenced, _balanced):
        found = False
        for piece in tier(whole, parse):
            found = True
            yield piece
        if found:
            return


def _parsed(piece: str, parse: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    try:
        value = parse(piece)
    except ValueError:
        return
    yield piece, value


_whole = _parsed


def _fenced(text: str, parse: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    if "```" not in text and "~~~" not in text:
        return
    marked: list[str] = []
    others: list[str] = []
    for match in islice(_FENCE.finditer(text), _MAX_FENCES):
        body = match["body"].strip()
        if body:
            (marked if match["language"].lower() in ("json", "jsonc", "json5") else others).append(body)
    for body in marked + others:
        yield from _parsed(body, parse)


def _balanced(text: str, parse: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    position, tokens = 0, _MAX_TOKENS
    for _ in range(_MAX_STARTS):
        opener = _OPENER.search(text, position)
        if opener is None or tokens <= 0:
            return
        position = opener.end()
        end, read = _end_of(text, opener.start(), tokens)
        tokens -= read
        if end is not None:
            for piece in _parsed(text[opener.start() : end], parse):
                yield piece
                position = end


def _end_of(text: str, start: int, max_tokens: int) -> tuple[int | None, int]:
    """Where the value that opens at `start` closes, None where it does not, and how many tokens were read."""
    expected: list[str] = []
    read = 0
    for token in _TOKEN.finditer(text, start):
        mark = token[0]
        read += 1
        if mark in _CLOSER:
            expected.append(_CLOSER[mark])
        elif mark[0] != '"':
            if expected.pop() != mark:
                return None, read
            if not expected:
                return token.end(), read
        if read >= max_tokens:
            break
    return None, read
