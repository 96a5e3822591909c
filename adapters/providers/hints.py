"""What a provider says about trying again, in headers that come in many shapes."""

import email.utils
import math
import re
from collections.abc import Callable
from typing import Final

HeaderLookup = Callable[[str], str | None]

_NUMBER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def retry_after_s(header: HeaderLookup) -> float | None:
    """Seconds to wait: from `retry-after-ms` (OpenAI), else `Retry-After` as seconds or as an HTTP date.

    A date is measured from the answer's own `Date`, so no clock has to agree. Anything else (negative, NaN,
    words, a date that has passed) is None.
    """
    milliseconds = _number(header("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = header("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    until, now = _date(text), _date(header("date"))
    if until is None or now is None or until < now:
        return None
    return until - now


def should_retry(header: HeaderLookup) -> bool | None:
    """`x-should-retry`, which both vendors send; None where it is absent or garbled."""
    text = header("x-should-retry")
    if text is None:
        return None
    return {"true": True, "false": False}.get(text.strip().lower())


def _number(text: str | None) -> float | None:
    if text is None or not _NUMBER.fullmatch(text.strip()):
        return None
    return float(text)


def _date(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return seconds if math.isfinite(seconds) else None
