"""Patterns of models' names: `*` stands for any text, and everything else for itself."""

from typing import Final, TypeAlias

MOST_MODELS: Final = 64
"""Names and patterns of one key or token."""
MOST_NAME: Final = 256
"""Characters of one of them."""

Pieces: TypeAlias = tuple[str, ...]
"""What stands before, between and after the `*` of a pattern; a single one is a name without any."""


def pieces_of(pattern: str) -> Pieces:
    """Read once, matched often. Several `*` in a row are one."""
    first, *others = pattern.split("*")
    if not others:
        return (first,)
    return (first, *filter(None, others[:-1]), others[-1])


def matches(pieces: Pieces, text: str) -> bool:
    """Whether the pattern stands for the whole text, which may be a pattern, too: then for all that it stands for.

    Each piece is looked for once, behind the one before it, so that nobody's pattern takes long: the first place where
    a piece fits leaves the others the most room, and no other place has to be tried.
    """
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return text == first
    if not text.startswith(first):
        return False
    at = len(first)
    for piece in pieces[1:-1]:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(text) - at >= len(last) and text.endswith(last)
