"""Retry hints in all their forms."""

import pytest

from adapters.providers.hints import retry_after_s, should_retry


def _lookup(**headers: str):  # type: ignore[no-untyped-def]  # a closure over one dict
    return lambda name: headers.get(name.replace("-", "_"))


_DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry_after": "2"}, 2.0),
        ({"retry_after": " 1.5 "}, 1.5),
        ({"retry_after": "0"}, 0.0),
        ({"retry_after": "3600"}, 3600.0),
        ({"retry_after_ms": "250"}, 0.25),
        ({"retry_after_ms": "250", "retry_after": "9"}, 0.25),
        ({"retry_after_ms": "soon", "retry_after": "9"}, 9.0),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "NaN"}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "1e9"}, None),
        ({"retry_after": "9" * 400}, None),
        ({"retry_after": "abc"}, None),
        ({"retry_after": ""}, None),
        ({"retry_after": "٣"}, None),
        ({"retry_after": "1_0"}, None),
        ({"retry_after": "Sun, 22 Nov 2026 10:00:30 GMT", "date": _DATE}, 30.0),
        ({"retry_after": "Sun, 22 Nov 2026 09:00:00 GMT", "date": _DATE}, None),
        ({"retry_after": "Sun, 22 Nov 2026 10:00:30 GMT"}, None),
        ({"retry_after": "Sun, 99 Nov 99999 10:00:30 GMT", "date": _DATE}, None),
    ],
)
def test_retry_after_is_read_or_dropped(headers: dict[str, str], expected: float | None) -> None:
    """Numbers, milliseconds and dates count; garbage is as good as nothing."""
    assert expected == retry_after_s(_lookup(**headers))


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("false", False), (" True ", True), ("1", None), ("", None)]
)
def test_should_retry_is_read_or_dropped(text: str, expected: bool | None) -> None:
    """Only the two words that both vendors send are believed."""
    assert expected is should_retry(_lookup(x_should_retry=text))


def test_absent_should_retry_is_none() -> None:
    """No word is no opinion."""
    assert should_retry(_lookup()) is None
