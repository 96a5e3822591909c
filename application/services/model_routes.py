"""What follows from the names of models alone, worked out once a day for all chats that name the same."""

import datetime
from collections.abc import Mapping
from typing import Final

import attrs

from domain.catalogue import Catalogue
from domain.chat import ChatRequest
from domain.chat_defaults import ChatDefaults
from domain.errors import Fault, InvalidRequest
from domain.model import ModelSpec
from domain.routing.plan import Candidate, plan_candidates
from domain.values import frozen

MOST_ROUTES: Final = 256
"""Combinations of model and fallbacks that are kept: callers can name any model."""


@frozen(kw_only=True, eq=False)
class Route:
    """Whom to ask, in which order."""

    specs: tuple[ModelSpec, ...]
    request: ChatRequest
    """With all that is configured, and no messages."""
    candidates: tuple[Candidate, ...]
    """Of a chat that asks no more of a model than text."""
    warnings: tuple[str, ...]


@frozen(kw_only=True)
class ModelRoutes:
    """Of one configuration, which never changes: another one has routes of its own."""

    _defaults: ChatDefaults
    _catalogue: Catalogue
    _unavailable: Mapping[str, str]
    """Provider name → why it can't be called."""
    _words_for_schema: bool
    known: dict[tuple[str | None, tuple[str, ...] | None, datetime.date], Route] = attrs.field(
        factory=dict, init=False, eq=False, repr=False
    )
    """By the names that the caller gave, None where it gave none, and the day: models are switched off on a day."""

    def resolve(
        self, model: str | None, fallbacks: tuple[str, ...] | None, today: datetime.date
    ) -> tuple[tuple[ModelSpec, ...], tuple[Fault, ...]]:
        """The models that are meant, None being those that are configured, and which of the names mean none."""
        names = [("model", model or self._defaults.primary)]
        others = fallbacks if fallbacks is not None else self._defaults.fallbacks
        names += [(f"fallbacks[{index}]", name) for index, name in enumerate(others)]
        specs: list[ModelSpec] = []
        faults: list[Fault] = []
        for path, name in names:
            try:
                specs.append(self._catalogue.resolve(name, today=today, path=path))
            except InvalidRequest as error:
                faults.extend(error.faults)
        return tuple(specs), tuple(faults)

    def keep(
        self,
        model: str | None,
        fallbacks: tuple[str, ...] | None,
        today: datetime.date,
        specs: tuple[ModelSpec, ...],
    ) -> Route:
        """The route of `specs`, which these names were resolved to; `known` from then on."""
        defaults = self._defaults
        request = ChatRequest(
            messages=(),
            system=defaults.system,
            model=specs[0].ref,
            fallbacks=tuple([spec.ref for spec in specs[1:]]),
            max_tokens=defaults.max_tokens,
            temperature=defaults.temperature,
            top_p=defaults.top_p,
            stop=defaults.stop,
            seed=defaults.seed,
        )
        candidates = plan_candidates(
            request, specs, unavailable=self._unavailable, words_for_schema=self._words_for_schema
        )
        route = Route(
            specs=specs,
            request=request,
            candidates=candidates,
            warnings=_lifecycle_warnings(candidates, today),
        )
        if len(self.known) >= MOST_ROUTES:
            self.known.clear()
        self.known[model, fallbacks, today] = route
        return route


def _lifecycle_warnings(candidates: tuple[Candidate, ...], today: datetime.date) -> tuple[str, ...]:
    return tuple(
        f"{spec.ref} was switched off on {spec.retired_on}"
        + (f"; use {spec.replaced_by}" if spec.replaced_by is not None else "")
        for spec in (candidate.spec for candidate in candidates)
        if spec.is_retired(today)
    )
