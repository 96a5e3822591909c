"""Token counts as providers report them, some of them garbled."""

from typing import Any, Final

from domain.usage import STANDARD_TIER

_LIMIT: Final = 10**9
_LONGEST_TIER: Final = 32
_AT_LIST_PRICE: Final = frozenset(("", "auto", "default", "standard", "standard_only"))
"""How providers call the tier that their price lists are for."""


def token_count(value: Any) -> int | None:
    """A count that can be believed: a whole number from 0 to 10⁹, else None. An explicit 0 stays 0."""
    if type(value) is int:
        return value if 0 <= value <= _LIMIT else None
    if type(value) is float and value.is_integer() and 0 <= value <= _LIMIT:
        return int(value)
    return None


def detail(details: Any, name: str) -> int:
    """A count out of an object of details; 0 where there is no object, or nothing in it that can be believed."""
    if type(details) is not dict:
        return 0
    value = details.get(name)
    return count(value) if value else 0


def count(value: Any) -> int:
    """As `token_count`, with 0 for what can't be believed."""
    return token_count(value) or 0


def tier_of(value: Any) -> str:
    """The tier that an answer was processed in, in lower case; `standard` where the provider does not say another."""
    if type(value) is not str or len(value) > _LONGEST_TIER:
        return STANDARD_TIER
    tier = value.lower()
    return STANDARD_TIER if tier in _AT_LIST_PRICE else tier
