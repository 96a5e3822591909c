"""What comes out of Redis: anybody may have written it."""

import json
from typing import Any, Final

_MAX_BYTES: Final = 10_000


def decoded_object(value: object) -> dict[str, Any]:
    """The JSON object in `value`; an empty one for anything else: an old schema and garbage are a miss."""
    if not isinstance(value, bytes | str) or len(value) > _MAX_BYTES:
        return {}
    try:
        entry = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
