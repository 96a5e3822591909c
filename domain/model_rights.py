"""Which models a key may ask."""

import datetime
from typing import Final

import attrs

from domain.catalogue import Catalogue
from domain.errors import InvalidRequest
from domain.model import ModelRef
from domain.model_pattern import Pieces, matches, pieces_of
from domain.values import frozen

_KEPT: Final = 1_000
"""Lists of patterns that are kept resolved: there are as many as keys and tokens."""


@frozen
class ModelRights:
    """Resolves what a key's `models` means.

    An entry is `provider:model`, an alias, the name alone of a listed model, or a pattern with `*` that is matched
    with `provider:model`; a provider may be written by its other name in all of them. A retired model that is served
    by its replacement is allowed with it.
    """

    _catalogue: Catalogue
    _resolved: dict[tuple[str, ...], tuple[frozenset[ModelRef], tuple[Pieces, ...]]] = attrs.field(
        factory=dict, init=False, eq=False, repr=False
    )

    def allows(self, models: tuple[str, ...], ref: ModelRef) -> bool:
        """
        Args:
            models: a caller's; none allows all.
        """
        if not models:
            return True
        found = self._resolved.get(models)
        if found is None:
            if len(self._resolved) >= _KEPT:
                self._resolved.clear()
            found = self._resolved[models] = self._resolve(models)
        refs, patterns = found
        return ref in refs or (bool(patterns) and _any_matches(patterns, str(ref)))

    def means_something(self, text: str) -> bool:
        """Whether an entry of `models` can allow a model of the configured providers.

        What a provider has beyond the listed models is not known, so every name of its is one; of a pattern one of its
        listed models is expected, where it has any.
        """
        if "*" not in text:
            return bool(self._resolve((text,))[0])
        pieces = self._pattern(text)
        providers = self._catalogue.providers
        listed = [ref for ref in self._catalogue.specs if ref.provider in providers]
        unlisted = providers - {ref.provider for ref in listed}
        provider, colon, _ = pieces[0].partition(":")
        if colon:
            return provider in unlisted or _any_matches_of(pieces, listed)
        return bool(unlisted) or _any_matches_of(pieces, listed)

    def _resolve(self, models: tuple[str, ...]) -> tuple[frozenset[ModelRef], tuple[Pieces, ...]]:
        refs: set[ModelRef] = set()
        patterns: list[Pieces] = []
        for text in models:
            if "*" in text:
                patterns.append(self._pattern(text))
                continue
            # Once as it is, once as a model that was switched off is served.
            for today in (datetime.date.min, datetime.date.max):
                try:
                    refs.add(self._catalogue.resolve(text, today=today).ref)
                except InvalidRequest:  # of a provider that is not configured (any more): it allows nothing
                    break
        return frozenset(refs), tuple(patterns)

    def _pattern(self, text: str) -> Pieces:
        provider, colon, model = text.partition(":")
        return pieces_of(f"{self._catalogue.provider_aliases.get(provider, provider)}{colon}{model}")


def _any_matches(patterns: tuple[Pieces, ...], name: str) -> bool:
    return any(matches(pieces, name) for pieces in patterns)


def _any_matches_of(pieces: Pieces, refs: list[ModelRef]) -> bool:
    return any(matches(pieces, str(ref)) for ref in refs)


def told(models: tuple[str, ...]) -> str:
    """For an error: what is allowed."""
    return ", ".join(f"`{each}`" for each in models)
