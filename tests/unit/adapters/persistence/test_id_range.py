"""Which ids can belong to a time."""

import datetime

from adapters.persistence.id_range import first_after, first_since

DAY = datetime.timedelta(days=1)


def test_bounds_are_a_day_wider_than_the_time() -> None:
    """In the first 48 bits of a UUIDv7: Unix milliseconds."""
    moment = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)

    def milliseconds(text: str) -> int:
        return int(text[:8] + text[9:13], 16)

    at = int(moment.timestamp() * 1000)
    assert (at - 86_400_000, at + 86_400_000) == (
        milliseconds(first_since(moment)),
        milliseconds(first_after(moment)),
    )
    assert first_since(moment)[14:] == "0000-0000-000000000000"


def test_ends_of_time_have_bounds() -> None:
    """Before 1970 there was no UUIDv7, and all of them are before the year 10,000."""
    first = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    last = datetime.datetime.max.replace(tzinfo=datetime.UTC)

    assert first_since(first) == first_after(first) == "00000000-0000-0000-0000-000000000000"
    assert first_since(first + DAY) < first_since(last) < first_after(last)
