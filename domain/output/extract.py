"""Finds the JSON in an answer that also holds other words."""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

# Both patterns are possessive: no character is looked at twice from the same start, however hostile the text.
_FENCE: Final = re.compile(r"^[ \t]*+(?P<fence>`{3,}+|~{3,}+)(?P<info>[^\n]*+)", re.MULTILINE)
_LANGUAGE: Final = re.compile(r"[ \t]*+(?P<language>[^\s`]*+)")
# A JSON string can't hold a raw line break, so one without an end is seen at the end of its line.
_TOKEN: Final = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+(?P<end>"?)|[{}\[\]]')
_CLOSER: Final = {"{": "}", "[": "]"}
_OPENER: Final = re.compile(r"[{\[]")
_MAX_STARTS: Final = 32
_MAX_TOKENS: Final = 1_000_000
"""Brackets and strings looked at in all; about 0.2 s."""
_SPARE_CHARACTERS: Final = 1_000_000
"""Looked at beyond twice the text."""
_MAX_FENCE_LINES: Final = 10_000
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
    for language, body in islice(_blocks(text), _MAX_FENCES):
        if body:
            (marked if language in ("json", "jsonc", "json5") else others).append(body)
    for body in marked + others:
        yield from _parsed(body, parse)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """The language and the stripped body of each fenced block; one that is not closed reaches to the end."""
    fence, language, start = "", "", 0
    for line in islice(_FENCE.finditer(text), _MAX_FENCE_LINES):
        if not fence:
            named = _LANGUAGE.match(line["info"])
            fence, language, start = line["fence"], named["language"].lower() if named else "", line.end()
        elif line["fence"].startswith(fence):
            yield language, text[start : line.start()].strip()
            fence = ""
    if fence:
        yield language, text[start:].strip()


def _balanced(text: str, parse: Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
    position, tokens, characters = 0, _MAX_TOKENS, 2 * len(text) + _SPARE_CHARACTERS
    for _ in range(_MAX_STARTS):
        opener = _OPENER.search(text, position)
        if opener is None or tokens <= 0 or characters <= 0:
            return
        position = opener.end()
        is_closed, end, read = _end_of(text, opener.start(), tokens)
        tokens -= read
        characters -= end - opener.start()
        if is_closed:
            for piece in _parsed(text[opener.start() : end], parse):
                yield piece
                position = end


def _end_of(text: str, start: int, max_tokens: int) -> tuple[bool, int, int]:
    """Whether the value that opens at `start` closes, where reading stopped, and how many tokens were read."""
    expected: list[str] = []
    read, end = 0, start
    for token in _TOKEN.finditer(text, start):
        mark, end = token[0], token.end()
        read += 1
        if mark in _CLOSER:
            expected.append(_CLOSER[mark])
        elif mark[0] == '"':
            if not token["end"]:
                return False, end, read
        elif expected.pop() != mark:
            return False, end, read
        elif not expected:
            return True, end, read
        if read >= max_tokens:
            return False, end, read
    return False, len(text), read
