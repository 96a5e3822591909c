"""Points in time as a person writes them."""

import datetime

import pytest

from entrypoints.cli.misuse import Misused
from entrypoints.cli.moments import duration_from, moment_from

_NOW = datetime.datetime(2026, 11, 20, 12, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", "2026-11-20T11:00:00+00:00"),
        ("24h", "2026-11-19T12:30:00+00:00"),
        ("30d", "2026-10-21T12:30:00+00:00"),
        (" 2 w ", "2026-11-06T12:30:00+00:00"),
        ("3s", "2026-11-20T12:29:57+00:00"),
        ("1y", "2025-11-20T12:30:00+00:00"),
        ("yesterday", "2026-11-19T00:00:00+00:00"),
        ("Today", "2026-11-20T00:00:00+00:00"),
        ("2026-11-01", "2026-11-01T00:00:00+00:00"),
        ("2026-11-01T09:30:00Z", "2026-11-01T09:30:00+00:00"),
        ("2026-11-01 09:30", "2026-11-01T09:30:00+00:00"),
        ("2026-11-01T09:30:00+02:00", "2026-11-01T07:30:00+00:00"),
    ],
)
def test_moment_is_read(text: str, expected: str) -> None:
    """How long ago, a day, a time; UTC where no zone is named."""
    assert moment_from(text, now=_NOW, path="--since").isoformat() == expected


@pytest.mark.parametrize(
    "text",
    ["", "last year", "30", "30q", "-3d", "999999w", "2026-13-01", "0001-01-01T00:00+14:00", "\x1b[2J"],
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    """Naming the option; what it says is fit for a terminal."""
    with pytest.raises(Misused) as caught:
        moment_from(text, now=_NOW, path="--since")

    assert caught.value.faults[0].path == "--since"
    assert "24h" in caught.value.detail
    assert "hours, days, weeks" in caught.value.detail
    assert "\x1b" not in caught.value.detail


def test_length_of_time_may_be_seconds() -> None:
    """Of an overlap that is tried out; years too."""
    assert duration_from("3s", path="--overlap") == 3.0
    assert duration_from("1y", path="--expires") == 365 * 86_400.0
