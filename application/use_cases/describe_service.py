"""Describe what this lor3 offers, for a UI to draw itself."""

from collections.abc import Mapping

import attrs

from application.ports.clock import Clock
from application.ports.price_book import Price, PriceBook
from application.services.route_health import RouteHealth
from domain.catalogue import Catalogue
from domain.errors import InvalidRequest
from domain.model import ModelRef, ModelSpec
from domain.model_rights import ModelRights
from domain.values import frozen


@frozen(kw_only=True)
class ModelView:
    """A model that a caller may name."""

    spec: ModelSpec
    price: Price | None
    """What holds today."""
    coming: tuple[Price, ...]
    """What is known to hold later, the next one first."""
    health: str
    """`ok`, `degraded` (breaker half open), `down` (breaker open), `cooling` (the provider closed it)
    or `unavailable` (no key)."""
    retired: bool


@frozen(kw_only=True)
class ServiceDescription:
    """An allow-list: holds no secret, no URL and no host."""

    models: tuple[ModelView, ...]
    aliases: tuple[tuple[str, ModelRef], ...]
    formats: tuple[str, ...]
    passes: tuple[str, ...]
    warnings: tuple[str, ...]


@attrs.define(kw_only=True)
class DescribeService:
    """Reads only what is in memory.

    A UI draws its list of models from this: those of the catalogue, and those that the configuration names without
    their being listed there. Models that nobody here can call are left out; those that the defaults name stay, with
    the health `unavailable`.
    """

    _catalogue: Catalogue
    _prices: PriceBook
    _health: RouteHealth
    _clock: Clock
    _unavailable: Mapping[str, str]
    _formats: tuple[str, ...]
    _passes: tuple[str, ...]
    _warnings: tuple[str, ...]
    _defaults: frozenset[ModelRef]
    """What a chat is answered by where its caller names no model, and a summary."""
    _unoffered: frozenset[str] = frozenset()
    """Providers whose models can be called but are not to be chosen."""
    _rights: ModelRights = attrs.field(init=False, eq=False)

    @_rights.default
    def _resolving(self) -> ModelRights:
        return ModelRights(self._catalogue)

    def execute(self, allowed: tuple[str, ...] = ()) -> ServiceDescription:
        """Models in the order of their names.

        Args:
            allowed: those that the caller may ask, as `Caller.models`; none allows all.
        """
        now = self._clock.now()
        models = tuple(
            ModelView(
                spec=spec,
                price=self._prices.price(spec.ref, at=now),
                coming=self._prices.coming(spec.ref, after=now),
                health=self._health_of(spec.ref),
                retired=spec.is_retired(now.date()),
            )
            for spec in map(self._catalogue.spec, sorted(self._models()))
            if self._rights.allows(allowed, spec.ref)
        )
        aliases = tuple(
            sorted(
                (name, ref)
                for name, ref in self._catalogue.aliases.items()
                if self._is_offered(ref) and self._rights.allows(allowed, ref)
            )
        )
        return ServiceDescription(
            models=models,
            aliases=aliases,
            formats=self._formats,
            passes=self._passes,
            warnings=self._warnings,
        )

    def may_ask(self, allowed: tuple[str, ...], name: str) -> bool:
        """Whether a configured model is one of those."""
        if not allowed:
            return True
        try:
            ref = self._catalogue.resolve(name, today=self._clock.now().date()).ref
        except InvalidRequest:  # of a provider that is not configured: nobody may
            return False
        return self._rights.allows(allowed, ref)

    def defaults(self) -> tuple[str, ...]:
        """The health of each model that answers where a caller names none, as in `ModelView`."""
        return tuple(self._health_of(ref) for ref in sorted(self._defaults))

    def _health_of(self, ref: ModelRef) -> str:
        return "unavailable" if ref.provider in self._unavailable else self._health.health(ref)

    def _models(self) -> frozenset[ModelRef]:
        known = {*self._catalogue.specs, *self._catalogue.aliases.values(), *self._defaults}
        return frozenset(ref for ref in known if self._is_offered(ref))

    def _is_offered(self, model: ModelRef) -> bool:
        if model.provider in self._unavailable:
            return model in self._defaults
        return model.provider in self._catalogue.providers - self._unoffered
