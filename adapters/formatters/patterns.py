"""Regular expressions of callers, matched by RE2: in linear time, in bounded memory.

JSON Schema means ECMA-262. RE2 reads nearly all of it: `\\d` and `\\w` are ASCII in both, `$` is the end of the text in
both, `\\uXXXX` is translated. What differs: `\\s` is ASCII white space here; look-around, backreferences and
repetitions above 1,000 don't exist, and a pattern that uses them is refused with the schema.
"""

import functools
import re
from typing import Any, Final

import re2  # type: ignore[import-untyped] # ships no types

MAX_CHARACTERS: Final = 1_000
_MAX_BYTES: Final = 1024 * 1024
"""Of one compiled pattern with its automaton."""
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)


class PatternRefused(Exception):
    """The pattern can't be used. The message says why and what to do."""


class Pattern:
    """A compiled pattern. `cost_of` is in evaluations: about 4 µs each, at worst."""

    __slots__ = ("_compiled", "_size")

    def __init__(self, pattern: str) -> None:
        options = re2.Options()
        options.max_mem = _MAX_BYTES
        options.log_errors = False  # it writes the pattern to stderr
        options.never_capture = True
        self._compiled: Any = re2.compile(_ESCAPE.sub(_translated, pattern), options)
        self._size: int = self._compiled.programsize

    def cost_of(self, text: str) -> int:
        return 1 + len(text) * self._size // 1_000

    def is_in(self, text: str) -> bool:
        """Unanchored, as JSON Schema has it."""
        return self._compiled.search(text) is not None


@functools.lru_cache(maxsize=128)
def compiled(pattern: str) -> Pattern:
    """Kept for the next answer: at most 128 patterns of 1 MiB.

    Raises:
        PatternRefused: RE2 does not take it.
    """
    if len(pattern) > MAX_CHARACTERS:
        raise PatternRefused(f"is longer than {MAX_CHARACTERS} characters; shorten the pattern")
    try:
        return Pattern(pattern)
    except re2.error as error:
        if b"too large" in error.args[0]:
            raise PatternRefused("is too large when compiled; repeat fewer things fewer times") from None
        raise PatternRefused(
            "is not a regular expression that can be used: RE2's syntax is meant, which has no look-around, no "
            "backreferences and no repetition above 1,000; rewrite it without, or say it in `description`"
        ) from None


def _translated(escape: re.Match[str]) -> str:
    return escape[0] if escape[1] is None else f"\\x{{{escape[1]}}}"
