"""Points in time on the command line: `30d` ago, a day, or a time."""

import datetime
import re
from typing import Final

_AGO: Final = re.compile(r"(\d{1,6})\s*([smhdwy])")
_LONGEST: Final = datetime.timedelta(days=36_500)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_UNITS: Final = "s, m, h, d, w and y are seconds, minutes, hours, days, weeks and years of 365 days"
_DAYS_AGO: Final = {"today": 0, "yesterday": 1}


def moment_from(text: str, *, now: datetime.datetime, path: str) -> datetime.datetime:
    """`90m`, `24h`, `30d`, `4w` and `1y` before `now`; a UTC day at its beginning, `today` and `yesterday` too; an
    RFC 3339 time, in UTC where it names no other zone.

    Raises:
        Misused: it is none of these.
    """
    from domain.suggestion import shown
    from entrypoints.cli.misuse import misused

    written = text.strip()
    try:
        ago = _AGO.fullmatch(written)
        if ago is not None:
            return now - datetime.timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
        if written.lower() in _DAYS_AGO:
            midnight = now.astimezone(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            return midnight - datetime.timedelta(days=_DAYS_AGO[written.lower()])
        moment = datetime.datetime.fromisoformat(written)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=datetime.UTC)
        return moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise misused(
            path,
            f"`{shown(text)}` is no time; write how long ago, such as 24h or 30d ({_UNITS}), a day such as "
            "2026-11-01, today or yesterday, or a time such as 2026-11-01T09:30:00Z",
        ) from error


def duration_from(text: str, *, path: str) -> float:
    """`30s`, `90m`, `24h`, `30d`, `4w` or `1y`, in seconds; `0` is none at all.

    Raises:
        Misused: it is none of these.
    """
    from domain.suggestion import shown
    from entrypoints.cli.misuse import misused

    written = text.strip()
    if written == "0":
        return 0.0
    found = _AGO.fullmatch(written)
    if found is None or int(found[1]) == 0:
        raise misused(
            path, f"`{shown(text)}` is no length of time; write one such as 90m, 24h or 30d: {_UNITS}"
        )
    length = datetime.timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    if length > _LONGEST:
        raise misused(path, f"`{shown(text)}` is too long; write at most {_LONGEST.days}d")
    return length.total_seconds()
