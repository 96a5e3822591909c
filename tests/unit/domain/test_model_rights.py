"""What a key's `models` allows."""

import datetime

import pytest

from domain.catalogue import Catalogue
from domain.model import ModelRef, ModelSpec
from domain.model_rights import ModelRights

OLD, NEW, MINI, OPUS = (
    ModelRef("openai", "gpt-4"),
    ModelRef("openai", "gpt-5.2"),
    ModelRef("openai", "gpt-5-mini"),
    ModelRef("anthropic", "claude-opus-5-5"),
)


def rights(*, reroute_retired: bool = True) -> ModelRights:
    off = datetime.date(2026, 10, 23)
    specs = (
        ModelSpec(ref=OLD, retired_on=off, replaced_by=NEW),
        *(ModelSpec(ref=ref) for ref in (NEW, MINI, OPUS)),
    )
    return ModelRights(
        Catalogue(
            specs={spec.ref: spec for spec in specs},
            aliases={"fast": MINI, "claude:opus": OPUS},
            provider_aliases={"claude": "anthropic"},
            providers=frozenset(("openai", "anthropic")),
            reroute_retired=reroute_retired,
        )
    )


@pytest.mark.parametrize(
    ("models", "allowed"),
    [
        ((), {OLD, NEW, MINI, OPUS}),
        (("openai:gpt-5.2",), {NEW}),
        (("fast",), {MINI}),
        (("gpt-5-mini",), {MINI}),
        (("claude:opus",), {OPUS}),
        (("openai:*",), {OLD, NEW, MINI}),
        (("*:gpt-5*",), {NEW, MINI}),
        (("claude:*",), {OPUS}),
        (("*",), {OLD, NEW, MINI, OPUS}),
        (("openai:gpt-4",), {OLD, NEW}),
        (("openai:gpt-[45]*",), set()),
        (("openai:gpt-?*",), set()),
        (("opnai:gpt-5.2", "fast"), {MINI}),
        (("openai",), set()),
        (("OPENAI:*",), set()),
    ],
)
def test_names_aliases_and_patterns_allow_what_they_mean(
    models: tuple[str, ...], allowed: set[ModelRef]
) -> None:
    """None allows all; `*` alone is a pattern; what means nothing allows nothing."""
    right = rights()

    assert allowed == {ref for ref in (OLD, NEW, MINI, OPUS) if right.allows(models, ref)}


def test_a_replacement_is_allowed_only_where_it_is_served() -> None:
    """Else the retired model is asked itself."""
    assert not rights(reroute_retired=False).allows(("openai:gpt-4",), NEW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openai:gpt-5.2", True),
        ("openai:of-its-own", True),
        ("fast", True),
        ("opnai:gpt-5.2", False),
        ("nothing", False),
        ("*", True),
        ("openai:*", True),
        ("claude:*", True),
        ("openai:gpt-7*", False),
        ("opnai:*", False),
        ("*mini", True),
        ("*maxi", False),
    ],
)
def test_an_entry_that_can_allow_nothing_is_known(text: str, expected: bool) -> None:
    """By the providers that are configured and the models that are listed."""
    assert expected == rights().means_something(text)
