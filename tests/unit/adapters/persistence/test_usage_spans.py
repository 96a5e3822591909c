"""Which part of a time is read from where."""

import datetime
from typing import TypeAlias

import pytest

from adapters.persistence.usage_spans import Span, Spans
from domain.usage_report import UsageQuery

Texts: TypeAlias = tuple[str, str]


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(f"2026-11-{text}+00:00")


def span(since: str, until: str) -> Span:
    return at(since), at(until)


@pytest.mark.parametrize(
    ("since", "until", "days", "hours", "edges"),
    [
        ("01T00:00", "03T00:00", [("01T00:00", "03T00:00")], [], []),
        (
            "01T05:30",
            "03T02:15",
            [("02T00:00", "03T00:00")],
            [("01T06:00", "02T00:00"), ("03T00:00", "03T02:00")],
            [("01T05:30", "01T06:00"), ("03T02:00", "03T02:15")],
        ),
        ("01T05:00", "01T09:00", [], [("01T05:00", "01T09:00")], []),
        ("01T23:00", "02T01:00", [], [("01T23:00", "02T01:00")], []),
        ("01T05:10", "01T05:20", [], [], [("01T05:10", "01T05:20")]),
        ("01T05:10", "01T06:20", [], [], [("01T05:10", "01T06:20")]),
    ],
)
def test_parts_are_the_whole_time(
    since: str, until: str, days: list[Texts], hours: list[Texts], edges: list[Texts]
) -> None:
    """Days where they are whole, hours where they are, the rest from messages."""
    spans = Spans.of(UsageQuery(since=at(since), until=at(until)))

    assert spans.days == tuple(span(*each) for each in days)
    assert spans.hours == tuple(span(*each) for each in hours)
    assert spans.edges == tuple(span(*each) for each in edges)


def test_hour_that_nothing_is_behind_counts_whole() -> None:
    """Up to now no message need be read."""
    spans = Spans.of(UsageQuery(since=at("01T00:00"), until=at("02T03:20"), is_open=True))

    assert (spans.hours, spans.edges) == ((span("02T00:00", "02T04:00"),), ())


def test_days_are_of_no_use_for_hours() -> None:
    """All of them are hours then."""
    spans = Spans.of(UsageQuery(since=at("01T00:00"), until=at("05T00:00")), by_hour=True)

    assert (spans.days, spans.hours) == ((), (span("01T00:00", "05T00:00"),))


def test_all_of_time_is_a_time() -> None:
    """Its ends are no whole hours."""
    first = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    last = datetime.datetime.max.replace(tzinfo=datetime.UTC)
    spans = Spans.of(UsageQuery(since=first, until=last))

    assert spans.days[0][0] == first
    assert spans.edges[-1][1] == last
