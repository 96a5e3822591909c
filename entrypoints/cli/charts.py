"""Small charts for a terminal: a line of blocks, one for each hour or day."""

import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from application.use_cases.observe_chats import Observation
    from domain.usage_report import Grain, SeriesPoint

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_HEAD: Final = 10
"""Columns of what stands in front of a line."""
_TAIL: Final = 22
"""Columns that are left for what stands behind it."""
_MOST: Final = 800
"""Hours or days that are drawn though nothing happened in them."""
_STEP: "Final[dict[Grain, datetime.timedelta]]" = {
    "hour": datetime.timedelta(hours=1),
    "day": datetime.timedelta(days=1),
}

Measure = tuple[str, "Callable[[SeriesPoint], float]", Callable[[float], str]]
"""What it is called, its number of a point, and how that is written."""


def draw_charts(observed: "Observation", measures: Sequence[Measure], *, columns: int) -> None:
    """A line a measure with its highest value, and the time below; nothing of what never happened."""
    if not observed.series:
        return
    times = slots(observed, room=max(8, columns - _HEAD - _TAIL))
    width = len(times)
    is_drawn = False
    for name, number, shown in measures:
        sums = [0.0] * width
        for point in observed.series:
            sums[_slot(times, point.start)] += number(point)
        highest = max(sums)
        if highest > 0:
            is_drawn = True
            click.echo(f"{name:<{_HEAD}}{blocks(sums)}  max {shown(highest)}")
    if not is_drawn:
        return
    form = "%m-%d %H:%M" if observed.every == "hour" else "%m-%d"
    first, last = times[0].strftime(form), times[-1].strftime(form)
    each = _each(times, observed.every)
    line = f"{first}{last:>{width - len(first)}}" if width > len(first) + len(last) else first
    click.echo(click.style(f"{'':<{_HEAD}}{line}  {each} a block, UTC", dim=True))


def blocks(numbers: Sequence[float]) -> str:
    """`▁·█`: each number beside the highest; a dot for none."""
    highest = max(numbers, default=0.0)
    return "".join(
        "·" if number <= 0 else _BLOCKS[min(len(_BLOCKS) - 1, int(number / highest * len(_BLOCKS)))]
        for number in numbers
    )


def slots(observed: "Observation", *, room: int) -> list[datetime.datetime]:
    """When each block begins: hours, days, or as many of them together as fit `room` blocks."""
    step = _STEP[observed.every]
    since = observed.query.since.astimezone(datetime.UTC)
    begin = since.replace(minute=0, second=0, microsecond=0)
    if observed.every == "day":
        begin = begin.replace(hour=0)
    first = min(point.start for point in observed.series)
    if observed.query.until - begin > step * _MOST:
        begin = max(begin, first)  # what is kept begins much later than `--since 2000-01-01`
    begin = min(begin, first)
    count = max(1, -((begin - observed.query.until) // step))
    together = -(-count // room)
    return [begin + step * together * at for at in range(-(-count // together))]


def _slot(times: Sequence[datetime.datetime], start: datetime.datetime) -> int:
    from bisect import bisect_right

    return max(0, bisect_right(times, start) - 1)


def _each(times: Sequence[datetime.datetime], every: "Grain") -> str:
    together = 1 if len(times) < 2 else (times[1] - times[0]) // _STEP[every]
    return {"hour": "an hour", "day": "a day"}[every] if together == 1 else f"{together} {every}s"
