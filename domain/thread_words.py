"""What people may call a thread: its title and its tags."""

from collections.abc import Sequence
from typing import Final

from domain.clean_text import clean
from domain.errors import Fault, InvalidRequest

MAX_TITLE: Final = 256
"""Characters."""
MAX_TAGS: Final = 32
MAX_TAG: Final = 64
"""Characters."""


def checked_title(title: str | None) -> str | None:
    """The title as it is stored.

    Raises:
        InvalidRequest: it is blank or too long.
    """
    if title is None:
        return None
    faults = _text_faults(title, "title", MAX_TITLE, remedy="leave it out, or give null to take it away")
    if faults:
        raise InvalidRequest.of(*faults)
    return str(clean(title))


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """The tags as they are stored: in alphabetical order, each once.

    Raises:
        InvalidRequest: there are too many, or some are blank or too long; names all of them.
    """
    faults: list[Fault] = []
    if len(tags) > MAX_TAGS:
        faults.append(
            Fault(path="tags", message=f"a thread has at most {MAX_TAGS} tags, here are {len(tags)}")
        )
    else:
        for index, tag in enumerate(tags):
            faults += _text_faults(tag, f"tags[{index}]", MAX_TAG, remedy="leave it out")
    if faults:
        raise InvalidRequest.of(*faults)
    return tuple(sorted({str(clean(tag)) for tag in tags}))


def _text_faults(text: str, path: str, limit: int, *, remedy: str) -> list[Fault]:
    if not text.strip():
        return [Fault(path=path, message=f"must not be empty; {remedy}")]
    if len(text) > limit:
        return [Fault(path=path, message=f"must have at most {limit} characters; it has {len(text):,}")]
    return []
