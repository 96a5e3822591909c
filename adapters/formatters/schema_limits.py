"""How large a caller's JSON Schema may be. Looked at first, before anything recurses into it or compiles it."""

from collections.abc import Mapping
from typing import Any, Final

from domain.errors import Fault

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 20_000
"""All JSON values, those in `enum` and `default` included."""
MAX_BYTES: Final = 256 * 1024


def size_faults(schema: Any) -> tuple[Fault, ...]:
    """What makes `schema` too deep or too large, apart from its bytes. Looks at no more than MAX_VALUES values."""
    level, seen, depth = [schema], 1, 1
    while level:
        if depth > MAX_DEPTH:
            return (
                Fault(
                    path="schema",
                    message=f"is nested deeper than {MAX_DEPTH} levels; make it flatter with `$defs`",
                ),
            )
        below: list[Any] = []
        for container in level:
            seen += len(container)
            if seen > MAX_VALUES:
                return (
                    Fault(path="schema", message=f"holds more than {MAX_VALUES} values; make it smaller"),
                )
            each = container.values() if isinstance(container, Mapping) else container
            below.extend(value for value in each if isinstance(value, Mapping | list | tuple))
        level = below
        depth += 1
    return ()
