"""Ids and positions as the tables hold them, and what a UUIDv7 says of its time."""

import re
from typing import Final

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")

FIRST: Final = "00000000-0000-0000-0000-000000000000"
"""No id is less."""
LAST: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
"""No UUIDv7 is more."""
END: Final = 2**31 - 1
"""No position of a message reaches it."""
CLOCKS_DIFFER_MS: Final = 24 * 60 * 60 * 1000
"""By how much a message's id may seem older than its thread's, which another replica made."""


def canonical(row_id: str) -> str | None:
    """None for what is no UUID, and so is nobody's id."""
    return row_id.lower() if _UUID.match(row_id) else None


def oldest_message(thread_id: str) -> str:
    """What no id of the thread's messages is less than, so that older months need not be looked at.

    `FIRST` where the thread's id is no UUIDv7.

    Args:
        thread_id: canonical
    """
    if thread_id[14] != "7" or thread_id[19] not in "89ab":
        return FIRST
    milliseconds = int(thread_id[:8] + thread_id[9:13], 16) - CLOCKS_DIFFER_MS
    text = f"{max(milliseconds, 0):012x}"
    return f"{text[:8]}-{text[8:]}-0000-0000-000000000000"
