"""Charts of blocks."""

import datetime
from decimal import Decimal

import pytest

from application.use_cases.observe_chats import Observation
from domain.usage_report import Grain, SeriesPoint, UsageQuery
from entrypoints.cli.charts import blocks, draw_charts

_UNTIL = datetime.datetime(2026, 11, 23, 12, 30, tzinfo=datetime.UTC)


def _observed(hours: int, every: Grain, *ago_h: int) -> Observation:
    """One request each, so many hours ago."""
    points = tuple(
        SeriesPoint(
            group=None,
            start=(_UNTIL - datetime.timedelta(hours=ago)).replace(minute=0),
            requests=1,
            errors=0,
            tokens=7,
            cost_usd=Decimal("0.5"),
        )
        for ago in ago_h
    )
    query = UsageQuery(since=_UNTIL - datetime.timedelta(hours=hours), until=_UNTIL)
    return Observation(query=query, every=every, series=points)


def _drawn(capsys: pytest.CaptureFixture[str], observed: Observation, columns: int) -> list[str]:
    draw_charts(
        observed,
        (("requests", lambda point: point.requests, str), ("failed", lambda point: point.errors, str)),
        columns=columns,
    )
    return capsys.readouterr().out.splitlines()


def test_blocks_are_beside_the_highest() -> None:
    """The least is seen, and none is no block."""
    assert blocks([0, 0.001, 4, 8]) == "·▁▅█"
    assert blocks([]) == ""


def test_a_day_is_drawn_by_hour(capsys: pytest.CaptureFixture[str]) -> None:
    """The hour that it begins in and the one under way are both there; what never happened has no line."""
    lines = _drawn(capsys, _observed(24, "hour", 24, 0, 0), columns=80)

    assert lines == [
        "requests  ▅" + "·" * 23 + "█  max 2.0",
        "          11-22 12:00   11-23 12:00  an hour a block, UTC",
    ]


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize(("hours", "every"), [(95, "hour"), (24 * 365, "day"), (24 * 36_000, "day")])
def test_no_line_is_longer_than_the_terminal(
    capsys: pytest.CaptureFixture[str], hours: int, every: Grain, columns: int
) -> None:
    """Hours and days are put together where there are too many."""
    lines = _drawn(capsys, _observed(hours, every, hours - 1, 1), columns=columns)

    assert len(lines) == 2
    assert max(len(line) for line in lines[:1]) <= columns


def test_nothing_is_drawn_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Not even a line of time."""
    assert _drawn(capsys, _observed(24, "hour"), columns=80) == []
