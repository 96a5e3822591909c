"""The one mapping of characters that a wire or a database can't carry."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

import attrs

T = TypeVar("T")

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


def clean_value(value: T) -> T:
    """As `clean`, for attrs values and what they hold: every type stays what it is."""
    return cast("T", _cleaned(value))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return UNFIT.sub(REPLACEMENT, value) if UNFIT.search(value) else value
    if isinstance(value, tuple):
        return tuple([_cleaned(item) for item in value])
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, Mapping):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if attrs.has(type(value)):
        fields = attrs.fields(type(value))
        given = {field.alias: _cleaned(getattr(value, field.name)) for field in fields if field.init}
        return attrs.evolve(value, **given)
    return value
