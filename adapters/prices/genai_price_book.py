"""List prices out of the `genai-prices` package, as shipped: nothing is fetched."""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from application.ports.price_book import Price
from domain.model import ModelRef
from domain.usage import Usage

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, ModelInfo, TieredPrices

_MILLION: Final = Decimal(1_000_000)
_FREE: Final = Price(input_per_mtok=Decimal(0), output_per_mtok=Decimal(0), cached_input_per_mtok=Decimal(0))
_MAX_CACHED: Final = 4096

Rate: TypeAlias = "Decimal | TieredPrices"


@attrs.frozen(kw_only=True)
class _Rates:
    """USD for a million tokens of each kind, where the price depends on nothing but the prompt's length."""

    input: Rate
    output: Rate
    cached: Rate
    written: Rate


@attrs.define(kw_only=True)
class GenaiPriceBook:
    """Prices text tokens; web searches, audio and batch discounts are not lor3's to price.

    Order: overrides, then `demo` (free), then genai-prices under the vendor that `vendors` maps a provider to. A
    provider without a vendor has no prices: a compatible server of one's own sells under its own terms. Cached
    input and cache writes cost their own price where the book has one, else the input price; the 5-minute price
    is taken for a write. A long prompt moves all its tokens to the higher tier, as vendors bill. Reasoning tokens
    are output tokens.

    The book is read at the first look-up of a vendor's model, in about 0.2 s: make one at start.
    """

    _vendors: Mapping[str, str]
    """Provider as configured → vendor id in genai-prices, such as `{"claude-eu": "anthropic"}`."""
    _overrides: Mapping[ModelRef, Price] = attrs.field(factory=dict)
    _free: frozenset[str] = frozenset(("demo",))
    """Providers that cost nothing."""
    _cache: dict[tuple[ModelRef, datetime.date], _Rates | None] = attrs.field(factory=dict, init=False)

    def cost(self, model: ModelRef, usage: Usage, *, at: datetime.datetime) -> Decimal | None:
        rates = self._rates(model, at)
        if rates is None:
            return None
        prompt = usage.input_tokens
        cached = min(usage.cached_input_tokens, prompt)
        written = min(usage.cache_write_tokens, prompt - cached)
        total = (prompt - cached - written) * _rate(rates.input, prompt) + usage.output_tokens * _rate(
            rates.output, prompt
        )
        if cached:
            total += cached * _rate(rates.cached, prompt)
        if written:
            total += written * _rate(rates.written, prompt)
        return total / _MILLION

    def price(self, model: ModelRef, *, at: datetime.datetime) -> Price | None:
        override = self._overrides.get(model)
        if override is not None:
            return override
        if model.provider in self._free:
            return _FREE
        rates = self._rates(model, at)
        if rates is None:
            return None
        return Price(
            input_per_mtok=_rate(rates.input, 0),
            output_per_mtok=_rate(rates.output, 0),
            cached_input_per_mtok=_rate(rates.cached, 0),
        )

    def _rates(self, model: ModelRef, at: datetime.datetime) -> _Rates | None:
        # No price in the book that lor3 uses changes within a day, so a look-up holds for its UTC date.
        key = (model, at.astimezone(datetime.UTC).date() if at.tzinfo is not datetime.UTC else at.date())
        try:
            return self._cache[key]
        except KeyError:
            rates = self._look_up(model, at)
            if len(self._cache) >= _MAX_CACHED:  # model names can come from callers
                self._cache.clear()
            self._cache[key] = rates
            return rates

    def _look_up(self, model: ModelRef, at: datetime.datetime) -> _Rates | None:
        override = self._overrides.get(model)
        if override is None and model.provider in self._free:
            override = _FREE
        if override is not None:
            return _rates_of(override)
        vendor = self._vendors.get(model.provider)
        if vendor is None:
            return None
        info = _find(vendor, model.model)
        return None if info is None else _text_rates(info, at)


def _rates_of(price: Price) -> _Rates | None:
    if price.input_per_mtok is None or price.output_per_mtok is None:
        return None
    cached = price.cached_input_per_mtok
    return _Rates(
        input=price.input_per_mtok,
        output=price.output_per_mtok,
        cached=price.input_per_mtok if cached is None else cached,
        written=price.input_per_mtok,
    )


def _find(vendor: str, model: str) -> "ModelInfo | None":
    from genai_prices.data_snapshot import get_snapshot  # 0.2 s and 30 MB, pydantic included

    try:
        _, info = get_snapshot().find_provider_model(model, None, vendor, None)
    except LookupError:
        return None
    return info


def _text_rates(info: "ModelInfo", at: datetime.datetime) -> _Rates | None:
    if isinstance(info.prices, list) and any(_by_the_hour(each) for each in info.prices):
        return None  # off-peak prices change within a day
    prices = info.get_prices(at)
    input_rate, output_rate = prices.input_mtok, prices.output_mtok
    if input_rate is None or output_rate is None:
        return None
    return _Rates(
        input=input_rate,
        output=output_rate,
        cached=input_rate if prices.cache_read_mtok is None else prices.cache_read_mtok,
        written=input_rate if prices.cache_write_mtok is None else prices.cache_write_mtok,
    )


def _by_the_hour(price: "ConditionalPrice") -> bool:
    return hasattr(price.constraint, "start_time")


def _rate(rate: Rate, prompt_tokens: int) -> Decimal:
    if isinstance(rate, Decimal):
        return rate
    applicable = rate.base
    for tier in rate.tiers:  # ascending
        if prompt_tokens > tier.start:
            applicable = tier.price
    return applicable
