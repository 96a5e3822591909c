"""Points in time on the command line: `30d` ago, a day, or a time."""

import datetime
import re
from typing import Final

_AGO: Final = re.compile(r"(\d{1,6})\s*([mhdw])")
_LONGEST: Final = datetime.timedelta(days=36_500)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment_from(text: str, *, now: datetime.datetime, path: str) -> datetime.datetime:
    """`90m`, `24h`, `30d` and `4w` before `now`; a UTC day at its beginning; an RFC 3339 time, in UTC where it names
    no other zone.

    Raises:
        Misused: it is none of these.
    """
    from domain.suggestion import shown
    from entrypoints.cli.misuse import misused

    written = text.strip()
    try:
        ago = _AGO.fullmatch(written)
        if ago is not None:
            return now - datetime.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        moment = datetime.datetime.fromisoformat(written)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=datetime.UTC)
        return moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise misused(
            path,
            f"`{shown(text)}` is no time; write how long ago, such as 24h or 30d, a day such as "
            "2026-11-01, or a time such as 2026-11-01T09:30:00Z",
        ) from error


def duration_from(text: str, *, path: str) -> float:
    """`90m`, `24h`, `30d` or `4w`, in seconds; `0` is none at all.

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
        raise misused(path, f"`{shown(text)}` is no length of time; write one such as 90m, 24h, 30d or 4w")
    length = datetime.timedelta(**{_UNITS[found[2]]: int(found[1])})
    if length > _LONGEST:
        raise misused(path, f"`{shown(text)}` is too long; write at most {_LONGEST.days}d")
    return length.total_seconds()
