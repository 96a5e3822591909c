"""Words that errors share: a name made fit to be shown, and `did you mean …?` for one that does not exist."""

import difflib
from collections.abc import Iterable
from typing import Final

_LONGEST: Final = 64
_MOST: Final = 200


def suggestion(wrong: str, names: Iterable[str]) -> str:
    """`; did you mean `name`?` or nothing. Looks at no more than 200 names, for the search is slow."""
    known = [name for name, _ in zip(names, range(_MOST), strict=False)]
    close = difflib.get_close_matches(wrong[:_LONGEST], known, n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""


def shown(text: str) -> str:
    """`text` short enough and plain enough for an error."""
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(character if character.isprintable() else "�" for character in short)
