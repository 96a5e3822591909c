"""Names and ids of past tool calls, as vendors accept them.

Models invent names that no tool has (`functions.get`), and servers make ids of any form (`functions.get:0`). Both are
stored and shown as they came. A vendor that refuses one would refuse the whole conversation for ever, and so it is sent
a fitting one in its place: every character but letters, digits, `_` and `-` becomes `_`, what is too long is cut, and an
id that was changed ends with 8 hexadecimal digits of its SHA-256, so that two calls stay two. The same id always becomes
the same, so that a call and its result still meet.

Source: the 400s of OpenAI (`messages.*.tool_calls.*.function.name` matches `^[a-zA-Z0-9_-]{1,64}$`, `….id` has at most
40 characters) and Anthropic (`tool_use.id` matches `^[a-zA-Z0-9_-]+$`, `tool_use.name` the same with at most 128).
"""

import re
from hashlib import sha256
from typing import Final

_MAX_NAME: Final = 64
_MAX_ID: Final = 40
_DIGITS: Final = 8
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_OTHER: Final = re.compile(r"[^A-Za-z0-9_-]")


def accepted_name(name: str) -> str:
    """The name of a called function."""
    if _NAME.fullmatch(name) is not None:
        return name
    return _OTHER.sub("_", name[:_MAX_NAME]) or "_"


def accepted_id(call_id: str) -> str:
    """The id of a call, as `id` of the call and of its result."""
    if _ID.fullmatch(call_id) is not None:
        return call_id
    digits = sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{_OTHER.sub('_', call_id[: _MAX_ID - _DIGITS - 1])}_{digits}"
