"""What a person thought of an answer."""

import datetime
from typing import Final, Literal, TypeAlias

import attrs

from domain.ids import MessageId, ThreadId
from domain.values import frozen

Rating: TypeAlias = Literal["thumbs_up", "thumbs_down", 1, 2, 3, 4, 5]
RATINGS: Final[tuple[Rating, ...]] = ("thumbs_up", "thumbs_down", 1, 2, 3, 4, 5)
MAX_COMMENT: Final = 4096
"""Characters."""
MAX_TAGS: Final = 16
MAX_TAG: Final = 64
"""Characters."""
MAX_USER: Final = 256
"""Characters."""


@frozen(kw_only=True)
class Feedback:
    """The newest word on an answer; earlier ones are history."""

    rating: Rating
    comment: str | None = None
    tags: tuple[str, ...] = ()
    """In alphabetical order, each once."""
    user: str | None = None
    """The caller's opaque id of whoever rated."""
    given_at: datetime.datetime

    def says_the_same(self, other: "Feedback") -> bool:
        """Whether both differ in nothing but their time."""
        return attrs.evolve(self, given_at=other.given_at) == other


@frozen(kw_only=True)
class FeedbackChange:
    """One entry of an answer's history."""

    position: int
    """1, 2, 3 … of this message."""
    feedback: Feedback | None
    """None where it was taken back."""
    at: datetime.datetime


@frozen(kw_only=True)
class RatedMessage:
    """Feedback with the answer it is about, in a list."""

    message_id: MessageId
    thread_id: ThreadId
    position: int
    feedback: Feedback


def score(rating: Rating) -> float:
    """The rating as a number from 0 to 1, so that thumbs and stars can be averaged: (n - 1) / 4, and 1 or 0."""
    if isinstance(rating, int):
        return (rating - 1) / 4
    return 1.0 if rating == "thumbs_up" else 0.0
