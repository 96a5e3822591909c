"""Which ids messages of a time can have: those bounds leave the partitions of other months alone."""

import datetime
from typing import Final

from adapters.persistence.identifiers import CLOCKS_DIFFER_MS, FIRST, LAST
from adapters.persistence.months import first_id_at

_SLACK: Final = datetime.timedelta(milliseconds=CLOCKS_DIFFER_MS)
"""An id is drawn before its message is made, on a clock that may go otherwise."""
_EPOCH: Final = datetime.datetime.fromtimestamp(0, datetime.UTC)
_LAST_DAY: Final = datetime.datetime.max.replace(tzinfo=datetime.UTC) - _SLACK


def first_since(moment: datetime.datetime) -> str:
    """No message that was made then or later has a lesser id, but for one that took a day to be answered."""
    return first_id_at(moment - _SLACK) if moment > _EPOCH else FIRST


def first_after(moment: datetime.datetime) -> str:
    """No message that was made before has this id or a greater one; copies of forks aside, which bear the times of
    their originals.
    """
    return first_id_at(moment + _SLACK) if moment < _LAST_DAY else LAST
