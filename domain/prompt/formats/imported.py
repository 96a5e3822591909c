"""A prompt of another tool, as a prompt of lor3."""

import re
import unicodedata
from typing import Final

from domain.errors import Fault
from domain.prompt.reference import NAME_PATTERN, PromptName
from domain.prompt.source import Origin, PromptSource
from domain.prompt.template_fault import Place
from domain.values import frozen

_NAME: Final = re.compile(rf"{NAME_PATTERN}\Z")
_MAX_READ: Final = 1_000
"""Characters that a name is made of. Bringing accents in order takes quadratic time, and names are short."""
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.\-]+")


@frozen(kw_only=True)
class ImportedPrompt:
    name: str | None
    """As the other tool has it, or None where it has none; `name_from` makes it a name of lor3."""
    source: PromptSource
    message: str | None = None
    """Why that version was made, where the other tool keeps such a word."""
    notes: tuple[str, ...] = ()
    """What a prompt of lor3 has no place for, a line each."""


def name_from(text: str) -> PromptName | None:
    """`text` as it is where it is a name already, else the nearest one: `Math Tutor` → `math_tutor`.

    None where nothing of it can be in a name.
    """
    if _NAME.match(text):
        return PromptName(text)
    plain = unicodedata.normalize("NFKD", text[:_MAX_READ]).encode("ascii", "ignore").decode().lower()
    name = _UNFIT.sub("_", plain).strip("_.-")[:128]
    return PromptName(name) if _NAME.match(name) else None


def fault_in(text: str, offset: int, message: str, *, path: str, origin: Origin | None = None) -> Fault:
    """A fault at a place of `text`, with the line itself and a caret beneath."""
    return Place(text=text, path=path, origin=origin).fault(offset, message)


def printed(text: str) -> str:
    """`text` for an error: short, on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= 60 else flat[:59] + "…"
