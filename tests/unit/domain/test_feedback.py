"""Ratings as numbers, and when two words are the same."""

import datetime

import attrs
import pytest

from domain.feedback import RATINGS, Feedback, score
from domain.ids import DEFAULT_TENANT as DEFAULT
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.rollout import label_meant
from domain.prompt.version import Label, Prompt

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)


def test_scores_are_from_nothing_to_one() -> None:
    """Thumbs are the ends, and stars lie evenly between them."""
    assert [1.0, 0.0, 0.0, 0.25, 0.5, 0.75, 1.0] == [score(rating) for rating in RATINGS]


def test_words_that_differ_in_their_time_alone_are_the_same() -> None:
    """Anything else makes them differ."""
    said = Feedback(rating=3, comment="x", tags=("a",), user="u", given_at=NOW)

    assert said.says_the_same(attrs.evolve(said, given_at=NOW + datetime.timedelta(days=1)))
    for other in (
        attrs.evolve(said, rating=4),
        attrs.evolve(said, comment=None),
        attrs.evolve(said, tags=()),
        attrs.evolve(said, user="v"),
    ):
        assert not said.says_the_same(other)


@pytest.mark.parametrize(
    ("reference", "labels", "expected"),
    [
        ("p@staging", ("staging",), "staging"),
        ("p", ("production", "staging"), "production"),
        ("p@production", ("production",), "production"),
        ("p", ("staging",), None),
        ("p:v2", ("production",), None),
        ("p@latest", ("production",), None),
    ],
)
def test_label_of_a_choice_is_the_one_that_was_meant(
    reference: str, labels: tuple[str, ...], expected: str | None
) -> None:
    """Named, or meant by a bare name; a number and the newest version are chosen by none."""
    prompt = Prompt(
        tenant=DEFAULT,
        name=PromptName("p"),
        latest=2,
        next_number=3,
        labels=tuple(Label(name=name, weights=((1, 1), (2, 1)), moved_at=NOW) for name in labels),
        created_at=NOW,
        updated_at=NOW,
    )

    assert expected == label_meant(prompt, PromptReference.parse(reference))
