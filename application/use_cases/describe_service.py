"""Describe what this lor3 offers, for a UI to draw itself."""

import attrs

from application.ports.price_book import Price
from domain.model import ModelRef, ModelSpec


@attrs.frozen(kw_only=True)
class ModelView:
    spec: ModelSpec
    price: Price | None
    health: str
    """`ok`, `degraded` (breaker half open), `down` (breaker open) or `cooling` (the provider closed it)."""
    retired: bool


@attrs.frozen(kw_only=True)
class ServiceDescription:
    """An allow-list: holds no secret, no URL and no host."""

    models: tuple[ModelView, ...]
    aliases: tuple[tuple[str, ModelRef], ...]
    formats: tuple[str, ...]
    passes: tuple[str, ...]
    warnings: tuple[str, ...]


@attrs.define(kw_only=True)
class DescribeService:
    def execute(self) -> ServiceDescription:
        raise AssertionError
