"""Which ids messages of a time can have: those bounds leave the partitions of other months alone."""

import datetime
from typing import Final

from adapters.persistence.identifiers import CLOCKS_DIFFER_MS, FIRST, LAST

_END_MS: Final = 2**48


def first_since(moment: datetime.datetime) -> str:
    """No message that was made then or later has a lesser id, but for one that took a day to be answered."""
    return _least_id(_milliseconds(moment) - CLOCKS_DIFFER_MS)


def first_after(moment: datetime.datetime) -> str:
    """No message that was made before has this id or a greater one; copies of forks aside, which bear the times of
    their originals.
    """
    return _least_id(_milliseconds(moment) + CLOCKS_DIFFER_MS)


def _least_id(milliseconds: int) -> str:
    """A UUIDv7 begins with 48 bits of Unix time (RFC 9562, section 5.7)."""
    if milliseconds <= 0:
        return FIRST
    if milliseconds >= _END_MS:
        return LAST
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"


def _milliseconds(moment: datetime.datetime) -> int:
    # Not `timestamp`, which is a float and rounds.
    since = moment - datetime.datetime.fromtimestamp(0, datetime.UTC)
    return since // datetime.timedelta(milliseconds=1)
