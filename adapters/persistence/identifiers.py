"""Ids and positions as the tables hold them, and what a UUIDv7 says of its time."""

import re
from typing import Final

from domain.values import frozen

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")

FIRST: Final = "00000000-0000-0000-0000-000000000000"
"""No id is less."""
LAST: Final = "ffffffff-ffff-ffff-ffff-ffffffffffff"
"""No UUIDv7 is more."""
END: Final = 2**31 - 1
"""No position of a message reaches it."""
_DAY_MS: Final = 24 * 60 * 60 * 1000
CLOCKS_DIFFER_MS: Final = _DAY_MS
"""By how much a message's id may seem older than its thread's, which another replica made."""
AHEAD_MS: Final = 7 * _DAY_MS
"""By how much a message's id may come from the future: what is further ahead is not found."""
RECENT_MS: Final = 62 * _DAY_MS
"""How far back the last messages of a thread are looked for first."""


def canonical(row_id: str) -> str | None:
    """None for what is no UUID, and so is nobody's id."""
    return row_id.lower() if _UUID.match(row_id) else None


@frozen(kw_only=True)
class MessageIds:
    """Which ids the messages of a thread can have, so that other months need not be looked at."""

    oldest: str
    newest: str
    recent: str
    """Not less than `oldest`: what most threads' last messages have, for a first look."""


def message_ids(thread_id: str, *, now_s: float) -> MessageIds:
    """All ids where the thread's is no UUIDv7.

    Args:
        thread_id: canonical
        now_s: Unix time
    """
    oldest = oldest_message(thread_id)
    if oldest == FIRST:
        return MessageIds(oldest=FIRST, newest=LAST, recent=FIRST)
    now_ms = round(now_s * 1000)
    return MessageIds(
        oldest=oldest, newest=first_id(now_ms + AHEAD_MS), recent=max(oldest, first_id(now_ms - RECENT_MS))
    )


def oldest_message(thread_id: str) -> str:
    """What no id of the thread's messages is less than, so that older months need not be looked at.

    `FIRST` where the thread's id is no UUIDv7.

    Args:
        thread_id: canonical
    """
    if thread_id[14] != "7" or thread_id[19] not in "89ab":
        return FIRST
    return first_id(int(thread_id[:8] + thread_id[9:13], 16) - CLOCKS_DIFFER_MS)


def first_id(milliseconds: int) -> str:
    """No UUIDv7 of this millisecond (Unix time) or later is less, and none of one before is more."""
    text = f"{max(milliseconds, 0):012x}"
    return f"{text[:8]}-{text[8:]}-0000-0000-000000000000"
