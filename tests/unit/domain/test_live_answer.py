"""Positions: what a reader has seen, as a number."""

import pytest

from domain.answer import ChatEvent, Delta, Reset, ToolCalled, ToolCallGrew
from domain.live_answer import RUN, after, rest_of
from domain.message import ToolCall
from domain.model import ModelRef

CALLED = ToolCalled(ToolCall(id="c1", name="f", arguments="{}"))
RESET = Reset(reason="x", from_model=ModelRef("a", "x"), to_model=ModelRef("b", "y"))


@pytest.mark.parametrize(
    ("position", "event", "expected"),
    [
        (1, Delta("héllo🎈"), 7),
        (1, Delta(""), 1),
        (7, CALLED, 8),
        (7, ToolCallGrew(index=0, arguments="long"), 8),
        (0, RESET, RUN),
        (RUN - 1, RESET, RUN),
        (RUN, RESET, 2 * RUN),
        (RUN + 5, Delta("ab"), RUN + 7),
    ],
)
def test_text_counts_its_characters_and_a_reset_begins_the_next_run(
    position: int, event: ChatEvent, expected: int
) -> None:
    """Every other event counts one."""
    assert expected == after(position, event)


@pytest.mark.parametrize(
    ("seen", "expected"), [(0, "abc"), (10, "abc"), (11, "bc"), (12, "c"), (13, None), (99, None)]
)
def test_of_a_text_the_part_is_new_that_was_not_seen(seen: int, expected: str | None) -> None:
    """The text begins at 10."""
    rest = rest_of(Delta("abc"), 10, seen)

    assert (None if expected is None else Delta(expected)) == rest


@pytest.mark.parametrize(("seen", "is_new"), [(0, True), (10, True), (11, False)])
def test_other_events_are_new_whole_or_not_at_all(seen: int, is_new: bool) -> None:
    """The call begins at 10."""
    assert (CALLED if is_new else None) == rest_of(CALLED, 10, seen)
