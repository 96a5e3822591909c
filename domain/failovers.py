"""After which tries another model was asked."""

from collections.abc import Sequence

from domain.attempt import Attempt


def fell_back(attempts: Sequence[Attempt]) -> tuple[bool, ...]:
    """Of each of a chat's attempts, in their order, whether another model was tried in its place.

    A second try at the same model is none, and a summary of the thread and the answer itself are two things.
    """
    last = len(attempts) - 1
    return tuple(
        [
            index < last
            and attempt.outcome != "ok"
            and attempts[index + 1].purpose == attempt.purpose
            and attempts[index + 1].model != attempt.model
            for index, attempt in enumerate(attempts)
        ]
    )
