"""Which part of a report's time is read from days, which from hours, and which from the messages themselves."""

import datetime
from typing import Final, TypeAlias

from domain.usage_report import UsageQuery, hour_of, whole_hours
from domain.values import frozen

Span: TypeAlias = tuple[datetime.datetime, datetime.datetime]
"""The end is exclusive."""

_HOUR: Final = datetime.timedelta(hours=1)
_DAY: Final = datetime.timedelta(days=1)
_LAST: Final = datetime.datetime.max.replace(tzinfo=datetime.UTC) - _DAY


@frozen(kw_only=True)
class Spans:
    """Together they are the whole time, and no two of them overlap."""

    days: tuple[Span, ...]
    hours: tuple[Span, ...]
    log: Span
    """Days and hours once more: of what is not added to them yet. It may be empty."""
    edges: tuple[Span, ...]
    """Parts of hours."""

    @classmethod
    def of(cls, query: UsageQuery, *, by_hour: bool = False) -> "Spans":
        """
        Args:
            by_hour: days are of no use.
        """
        since, until = query.since, query.until
        end = whole_hours(query).until if query.is_open else hour_of(until)
        first = min(_first_hour(since), until)
        if first >= end:
            # All of it lies in one hour, or is nothing.
            return cls(days=(), hours=(), log=(since, since), edges=_kept((since, until)))
        edges = _kept((since, first), (end, until))
        first_day, end_day = _first_day(first), _day_of(end)
        if by_hour or first_day >= end_day:
            return cls(days=(), hours=((first, end),), log=(first, end), edges=edges)
        return cls(
            days=((first_day, end_day),),
            hours=_kept((first, first_day), (end_day, end)),
            log=(first, end),
            edges=edges,
        )

    @classmethod
    def of_messages(cls, since: datetime.datetime, until: datetime.datetime) -> "Spans":
        """All of it from the messages."""
        return cls(days=(), hours=(), log=(since, since), edges=_kept((since, until)))


def _kept(*spans: Span) -> tuple[Span, ...]:
    return tuple([span for span in spans if span[0] < span[1]])


def _first_hour(moment: datetime.datetime) -> datetime.datetime:
    hour = hour_of(moment)
    return hour if hour == moment or hour > _LAST else hour + _HOUR


def _first_day(hour: datetime.datetime) -> datetime.datetime:
    day = _day_of(hour)
    return day if day == hour or day > _LAST else day + _DAY


def _day_of(hour: datetime.datetime) -> datetime.datetime:
    return hour.replace(hour=0)
