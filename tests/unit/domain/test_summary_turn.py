"""A summary as a turn of the prompt."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model import ModelRef
from domain.summary_turn import MAX_SUMMARY_CHARACTERS, bounded_summary, is_summary_turn, summary_turn
from domain.thread import ThreadSummary
from tests.support.compiling import user
from tests.support.threads import SESSION


def summary(text: str, token_count: int | None = None) -> ThreadSummary:
    return ThreadSummary(
        up_to=1, text=text, token_count=token_count, model=ModelRef("a", "s"), created_at=SESSION.created_at
    )


@pytest.mark.parametrize("text", ["They met. " * 2000, "彼らは会った。" * 2000, "First line\n" * 2000])
def test_long_summary_ends_with_a_sentence(text: str) -> None:
    """Its provider counted the whole, so the budget counts again."""
    bounded = bounded_summary(summary(text, token_count=4000))

    assert MAX_SUMMARY_CHARACTERS - 20 < len(bounded.text) <= MAX_SUMMARY_CHARACTERS
    assert bounded.text.endswith((".", "。", "First line"))
    assert bounded.token_count is None


def test_long_summary_without_sentences_is_cut_where_it_must_be() -> None:
    """And says so."""
    bounded = bounded_summary(summary("a. " + "x" * 100_000))

    assert len(bounded.text) == MAX_SUMMARY_CHARACTERS
    assert bounded.text.endswith("x…")


@pytest.mark.parametrize(("token_count", "expected"), [(1, None), (100, None), (125, 125), (1001, None)])
def test_count_that_can_not_be_the_text_s_is_not_believed(token_count: int, expected: int | None) -> None:
    """Neither far below its size nor above its bytes."""
    assert bounded_summary(summary("x" * 1000, token_count)).token_count == expected


@given(st.text(), st.integers(0, 3) | st.integers(7_000, 9_000), st.none() | st.integers(0, 20_000))
def test_every_summary_is_bounded(text: str, times: int, token_count: int | None) -> None:
    """Never longer, and bounding it again changes nothing."""
    bounded = bounded_summary(summary(text * times, token_count))

    assert len(bounded.text) <= MAX_SUMMARY_CHARACTERS
    assert bounded_summary(bounded) == bounded
    assert bounded.text == text * times or bounded.text[:-1] in text * times


def test_turn_of_a_caller_is_no_summary() -> None:
    """Though it quotes the label: only the memory marks what it puts in."""
    turn = summary_turn("They met.", 3)

    assert (is_summary_turn(turn), turn.pinned) == (True, True)
    assert not is_summary_turn(user(turn.text))
    assert not is_summary_turn(attrs.evolve(turn, pinned=False))
