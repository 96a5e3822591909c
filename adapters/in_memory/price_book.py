"""Prices that a test sets."""

import datetime
from collections.abc import Mapping
from decimal import Decimal

import attrs

from application.ports.price_book import Ceiling, Price
from domain.chat import NO_PARAMETERS
from domain.json_value import JSONValue
from domain.model import ModelRef
from domain.usage import AT_LIST_PRICE, PricedApart, Usage
from domain.values import frozen

_MILLION = Decimal(1_000_000)


@frozen
class FixedPriceBook:
    """Knows `prices` and nothing else; tokens from and to a cache cost the input price where no other is
    given, and image and audio tokens always."""

    prices: Mapping[ModelRef, Price] = attrs.field(factory=dict)

    def cost(
        self, model: ModelRef, usage: Usage, *, at: datetime.datetime, apart: PricedApart = AT_LIST_PRICE
    ) -> Decimal | None:
        price = self.price(model, at=at)
        if price is None or price.input_per_mtok is None or price.output_per_mtok is None:
            return None
        cached = min(usage.cached_input_tokens, usage.input_tokens)
        written = min(usage.cache_write_tokens, usage.input_tokens - cached)
        for_an_hour = min(apart.cache_write_1h_tokens, written)
        write = _or(price.cache_write_per_mtok, price.input_per_mtok)
        return (
            (usage.input_tokens - cached - written) * price.input_per_mtok
            + cached * _or(price.cached_input_per_mtok, price.input_per_mtok)
            + (written - for_an_hour) * write
            + for_an_hour * _or(price.cache_write_1h_per_mtok, write)
            + usage.output_tokens * price.output_per_mtok
        ) / _MILLION

    def price(self, model: ModelRef, *, at: datetime.datetime) -> Price | None:
        return self.prices.get(model)

    def coming(self, model: ModelRef, *, after: datetime.datetime) -> tuple[Price, ...]:
        return ()

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
        of_prompt = (
            price.input_per_mtok,
            price.cached_input_per_mtok,
            price.cache_write_per_mtok,
            price.cache_write_1h_per_mtok,
        )
        highest = max(rate for rate in of_prompt if rate is not None)
        return Ceiling(input_per_mtok=highest, output_per_mtok=price.output_per_mtok)


def _or(rate: Decimal | None, other: Decimal) -> Decimal:
    return other if rate is None else rate
