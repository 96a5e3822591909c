"""Ids as the tables hold them."""

import datetime

import pytest

from adapters.persistence.identifiers import FIRST, LAST, canonical, oldest_message
from adapters.system import UUID7Generator


@pytest.mark.parametrize(
    "text", ["", "x", "0" * 32, FIRST[:-1], FIRST + "\n", FIRST + "0", "\0", "{" + FIRST + "}"]
)
def test_what_is_no_uuid_has_no_canonical_form(text: str) -> None:
    """So it is nobody's id, and no query is made for it."""
    assert canonical(text) is None


def test_canonical_form_is_in_small_letters() -> None:
    """As both databases compare it."""
    assert canonical(LAST.upper()) == LAST


def test_bound_lies_a_day_before_the_thread() -> None:
    """By the thread's own id; messages of a replica whose clock is behind are still found."""
    thread_id = UUID7Generator().new()
    bound = oldest_message(thread_id)

    assert FIRST < bound < thread_id
    milliseconds = int(thread_id[:8] + thread_id[9:13], 16) - int(bound[:8] + bound[9:13], 16)
    assert datetime.timedelta(days=1) == datetime.timedelta(milliseconds=milliseconds)
    assert canonical(bound) == bound


@pytest.mark.parametrize(
    "thread_id",
    [
        "9b2d7c54-63a1-4e0c-8f5e-3f6f1d7f0a11",  # version 4
        "01a206ef-e42b-7789-c83b-5c39517ceb60",  # another variant
        "00000000-0000-7000-8000-000000000001",  # within a day of 1970
    ],
)
def test_id_that_tells_no_time_bounds_nothing(thread_id: str) -> None:
    """Its messages may have any id."""
    assert oldest_message(thread_id) == FIRST
