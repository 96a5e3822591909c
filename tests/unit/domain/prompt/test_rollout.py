"""Which version a reference means, for whom."""

import datetime
from collections import Counter

import attrs

from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, PromptReference
from domain.prompt.rollout import choose_version
from domain.prompt.version import Label, Prompt, Weights

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
PLAIN = Prompt(
    tenant=DEFAULT_TENANT,
    name=PromptName("agent"),
    latest=5,
    next_number=6,
    created_at=NOW,
    updated_at=NOW,
)


def labelled(name: str, weights: Weights) -> Prompt:
    return attrs.evolve(PLAIN, labels=(Label(name=name, weights=weights, moved_at=NOW),))


def chosen(prompt: Prompt, reference: str, key: str = "") -> int | None:
    return choose_version(prompt, PromptReference.parse(reference), key=key)


def test_bare_name_means_production_else_the_newest() -> None:
    """A label of any other name changes nothing for it."""
    assert chosen(PLAIN, "agent") == 5
    assert chosen(labelled("staging", ((2, 1),)), "agent") == 5
    assert chosen(labelled("production", ((3, 1),)), "agent") == 3


def test_version_and_label_are_taken_at_their_word() -> None:
    """`latest` is always there; a label that is not there means nothing."""
    prompt = labelled("production", ((3, 1),))

    assert chosen(prompt, "agent:v2") == 2
    assert chosen(prompt, "agent@production") == 3
    assert chosen(prompt, "agent@latest") == 5
    assert chosen(prompt, "agent@staging") is None


def test_rollout_is_sticky_and_keeps_its_weights() -> None:
    """The same key sees the same version each time; many keys see them as weighted (binomial, 6 sigma)."""
    prompt = labelled("production", ((3, 90), (4, 10)))
    first = {key: chosen(prompt, "agent", str(key)) for key in range(10_000)}

    assert first == {key: chosen(prompt, "agent", str(key)) for key in range(10_000)}
    share = Counter(first.values())[4]
    assert abs(share - 1_000) < 6 * (10_000 * 0.1 * 0.9) ** 0.5


def test_growing_rollout_moves_only_towards_the_version_that_grows() -> None:
    """Nobody who had the new version gets the old one again."""
    small, large = labelled("p", ((3, 90), (4, 10))), labelled("p", ((3, 50), (4, 50)))
    before = {key: chosen(small, "agent@p", str(key)) for key in range(2_000)}
    after = {key: chosen(large, "agent@p", str(key)) for key in range(2_000)}

    assert all(after[key] == 4 for key in before if before[key] == 4)
    assert len(set(after.values())) == 2


def test_label_and_prompt_draw_apart() -> None:
    """Two experiments must not pick the same users."""
    first = labelled("a", ((3, 1), (4, 1)))
    second = labelled("b", ((3, 1), (4, 1)))
    same = sum(
        chosen(first, "agent@a", str(key)) == chosen(second, "agent@b", str(key)) for key in range(2_000)
    )

    assert 800 < same < 1_200


def test_etag_of_a_prompt_that_was_made_anew_is_another() -> None:
    """Its revisions begin again, and an editor of the old one must not match."""
    again = attrs.evolve(PLAIN, created_at=NOW + datetime.timedelta(seconds=1))

    assert PLAIN.etag != again.etag
    assert PLAIN.etag != attrs.evolve(PLAIN, revision=2).etag
