"""Which model a name means."""

import datetime

import pytest

from domain.catalogue import Catalogue
from domain.errors import InvalidRequest
from domain.model import ModelRef, ModelSpec

TODAY = datetime.date(2026, 11, 1)
GPT = ModelRef("openai", "gpt-x")
CLAUDE = ModelRef("anthropic", "claude-x")


def _catalogue(*further: ModelRef) -> Catalogue:
    return Catalogue(
        specs={ref: ModelSpec(ref=ref) for ref in (GPT, CLAUDE, *further)},
        aliases={"fast": GPT},
        provider_aliases={"claude": "anthropic"},
        providers=frozenset(("openai", "azure")),
    )


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("openai:gpt-x", GPT),
        ("fast", GPT),
        ("gpt-x", GPT),
        ("openai:gpt-unlisted", ModelRef("openai", "gpt-unlisted")),
    ],
)
def test_a_model_goes_by_several_names(text: str, ref: ModelRef) -> None:
    """Its own in full, an alias, and alone where it is listed."""
    assert ref == _catalogue().resolve(text, today=TODAY).ref


@pytest.mark.parametrize("text", ["gpt-unlisted", "claude-x", "opnai:gpt-x", ""])
def test_a_name_that_nothing_goes_by_is_told_apart(text: str) -> None:
    """Some protocols have a status for that. A model of a provider that is not configured is none of ours."""
    with pytest.raises(InvalidRequest) as caught:
        _catalogue().resolve(text, today=TODAY, path="there")

    assert [("there", True)] == [(fault.path, fault.is_unknown_name) for fault in caught.value.faults]


def test_a_name_that_several_providers_have_needs_one_of_them() -> None:
    """Nobody's key is used by chance."""
    with pytest.raises(InvalidRequest, match="write one of `azure:gpt-x`, `openai:gpt-x`"):
        _catalogue(ModelRef("azure", "gpt-x")).resolve("gpt-x", today=TODAY)
