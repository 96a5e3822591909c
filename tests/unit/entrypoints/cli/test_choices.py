"""Words of a closed set."""

import pytest

from entrypoints.cli.choices import one_of
from entrypoints.cli.feedback_rate import rating_from
from entrypoints.cli.misuse import Misused


def test_word_is_taken_in_any_case() -> None:
    """And without the blanks around it."""
    assert one_of(" Model ", ["model", "day"], path="--group-by") == "model"


def test_wrong_word_is_told_with_the_one_that_was_meant() -> None:
    """Together with all there are."""
    with pytest.raises(Misused, match="did you mean `prompt_version`") as caught:
        one_of("promt_version", ["model", "prompt_version"], path="--group-by")

    assert "model, prompt_version" in caught.value.detail


@pytest.mark.parametrize(
    ("text", "rating"), [("thumbs_up", "thumbs_up"), ("THUMBS_DOWN", "thumbs_down"), ("1", 1), ("5", 5)]
)
def test_rating_is_read(text: str, rating: object) -> None:
    """Thumbs are words, stars are numbers."""
    assert rating_from(text, path="--rating") == rating


@pytest.mark.parametrize("text", ["0", "6", "4.5", "up", "", "٣"])
def test_other_ratings_are_refused(text: str) -> None:
    """The scale is closed."""
    with pytest.raises(Misused, match="--rating"):
        rating_from(text, path="--rating")
