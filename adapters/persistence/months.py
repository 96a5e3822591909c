"""Months, and which ids belong to them.

A UUIDv7 begins with 48 bits of Unix milliseconds (RFC 9562, section 5.7), so a range of time is a range of ids.
"""

import datetime
from collections.abc import Iterator
from typing import Self

from adapters.persistence.identifiers import first_id
from domain.values import frozen


def first_id_at(moment: datetime.datetime) -> str:
    """No UUIDv7 made at this time or later is less, and none made a millisecond earlier is more."""
    # Not `timestamp`, which is a float and rounds.
    since = moment - datetime.datetime.fromtimestamp(0, datetime.UTC)
    return first_id(since // datetime.timedelta(milliseconds=1))


@frozen(order=True)
class Month:
    """A month of UTC."""

    number: int
    """Counted from January of the year 0."""

    @classmethod
    def of(cls, moment: datetime.datetime) -> Self:
        utc = moment.astimezone(datetime.UTC)
        return cls(utc.year * 12 + utc.month - 1)

    @property
    def name(self) -> str:
        """As partitions have it: `2026_11`."""
        return f"{self.number // 12:04}_{self.number % 12 + 1:02}"

    @property
    def start(self) -> datetime.datetime:
        return datetime.datetime(self.number // 12, self.number % 12 + 1, 1, tzinfo=datetime.UTC)

    @property
    def first_id(self) -> str:
        return first_id_at(self.start)

    @property
    def next(self) -> "Month":
        return Month(self.number + 1)

    def and_following(self, count: int) -> "Iterator[Month]":
        """This one and `count` more."""
        return (Month(self.number + offset) for offset in range(count + 1))
