"""Token counts as providers report them, some of them garbled."""

from typing import Any, Final

_LIMIT: Final = 10**9


def token_count(value: Any) -> int | None:
    """A count that can be believed: a whole number from 0 to 10⁹, else None. An explicit 0 stays 0."""
    if type(value) is int:
        return value if 0 <= value <= _LIMIT else None
    if type(value) is float and value.is_integer() and 0 <= value <= _LIMIT:
        return int(value)
    return None
