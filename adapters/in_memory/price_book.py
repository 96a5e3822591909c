"""Prices that a test sets."""

import datetime
from collections.abc import Mapping
from decimal import Decimal

import attrs

from application.ports.price_book import Ceiling, Price
from domain.chat import NO_PARAMETERS
from domain.json_value import JSONValue
from domain.model import ModelRef
from domain.usage import Usage

_MILLION = Decimal(1_000_000)


@attrs.frozen
class FixedPriceBook:
    """Knows `prices` and nothing else; cached tokens cost the input price where no other is given."""

    prices: Mapping[ModelRef, Price] = attrs.field(factory=dict)

    def cost(self, model: ModelRef, usage: Usage, *, at: datetime.datetime) -> Decimal | None:
        price = self.price(model, at=at)
        if price is None or price.input_per_mtok is None or price.output_per_mtok is None:
            return None
        cached_price = price.cached_input_per_mtok
        if cached_price is None:
            cached_price = price.input_per_mtok
        cached = min(usage.cached_input_tokens, usage.input_tokens)
        return (
            (usage.input_tokens - cached) * price.input_per_mtok
            + cached * cached_price
            + usage.output_tokens * price.output_per_mtok
        ) / _MILLION

    def price(self, model: ModelRef, *, at: datetime.datetime) -> Price | None:
        return self.prices.get(model)

    def ceiling(
        self,
        model: ModelRef,
        prompt_tokens: int,
        *,
        at: datetime.datetime,
        parameters: Mapping[str, JSONValue] = NO_PARAMETERS,
    ) -> Ceiling | None:
        price = self.price(model, at=at)
        if price is None or price.input_per_mtok is None or price.output_per_mtok is None:
            return None
        highest = max(price.input_per_mtok, price.cached_input_per_mtok or price.input_per_mtok)
        return Ceiling(input_per_mtok=highest, output_per_mtok=price.output_per_mtok)
