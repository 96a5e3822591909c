"""Errors in the words of the command line, where the core has those of the API."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from domain.errors import LabelProtected, PreconditionFailed

_WORDS: Final = (
    (re.compile(r"say `force` to"), "add `--force` to"),
    (re.compile(r"leave `If-Match` out"), "leave `--if-match` out"),
    (re.compile(r"leave `If-None-Match` out"), "edit it once more"),
    (re.compile(r'its ETag is "([^"]*)" now'), r"for `--if-match` it is at \1 now"),
)


@contextmanager
def own_words() -> Iterator[None]:
    """Raises what is raised inside, with options in place of fields and headers."""
    try:
        yield
    except (LabelProtected, PreconditionFailed) as error:
        error.detail = option_words(error.detail)
        error.args = (error.detail,)
        raise


def option_words(sentence: str) -> str:
    for pattern, word in _WORDS:
        sentence = pattern.sub(word, sentence)
    return sentence
