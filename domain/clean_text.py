"""The one mapping of characters that a wire or a database can't carry."""

import re
from collections.abc import Mapping
from typing import Any, Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for each U+0000, which PostgreSQL's text refuses, and each lone surrogate, which UTF-8 can't say."""
UNFIT: Final = re.compile("[\0\ud800-\udfff]")


def clean(value: Any) -> Any:
    """The same value with every unfit character replaced, in keys and texts at any depth.

    Walks by recursion: whoever takes values from outside bounds their depth first.
    """
    if isinstance(value, str):
        return UNFIT.sub(REPLACEMENT, value)
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item) for item in value]
    return value
