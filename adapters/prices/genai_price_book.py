"""List prices out of the `genai-prices` package, as shipped: nothing is fetched."""

import datetime
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import attrs

from adapters.prices import genai_package
from adapters.prices.rates import Rates, at_length, highest
from adapters.prices.snapshot import Snapshot
from application.ports.price_book import Ceiling, Price
from domain.chat import NO_PARAMETERS
from domain.json_value import JSONValue
from domain.model import ModelRef
from domain.usage import Usage

_MILLION: Final = Decimal(1_000_000)
_FREE: Final = Price(input_per_mtok=Decimal(0), output_per_mtok=Decimal(0), cached_input_per_mtok=Decimal(0))
_A_DAY: Final = datetime.timedelta(days=1)
_MAX_CACHED: Final = 4096


@attrs.define(kw_only=True)
class GenaiPriceBook:
    """Prices text tokens; web searches, audio and batch discounts are not lor3's to price.

    Order: overrides, then `demo` (free), then genai-prices under the vendor that `vendors` maps a provider to. A
    provider without a vendor has no prices: a compatible server of one's own sells under its own terms. Cached
    input and cache writes cost their own price where the book has one, else the input price; the 5-minute price
    is taken for a write. A long prompt moves all its tokens to the higher tier, as vendors bill. Reasoning tokens
    are output tokens.

    Vendors that the snapshot lists are looked up there, the others in the package, which takes 0.16 s and 27 MB
    at the first look-up.
    """

    _vendors: Mapping[str, str]
    """Provider as configured → vendor id in genai-prices, such as `{"claude-eu": "anthropic"}`."""
    _overrides: Mapping[ModelRef, Price] = attrs.field(factory=dict)
    _free: frozenset[str] = frozenset(("demo",))
    """Providers that cost nothing."""
    _snapshot_path: Path | None = None
    """Of `config/prices.json`; None asks the package always."""
    _snapshot: Snapshot | None = attrs.field(default=None, init=False)
    _cache: dict[tuple[ModelRef, datetime.date], Rates | None] = attrs.field(factory=dict, init=False)

    def cost(self, model: ModelRef, usage: Usage, *, at: datetime.datetime) -> Decimal | None:
        rates = self._rates(model, at)
        if rates is None:
            return None
        prompt = usage.input_tokens
        cached = min(usage.cached_input_tokens, prompt)
        written = min(usage.cache_write_tokens, prompt - cached)
        total = (prompt - cached - written) * at_length(
            rates.input, prompt
        ) + usage.output_tokens * at_length(rates.output, prompt)
        if cached:
            total += cached * at_length(rates.cached, prompt)
        if written:
            total += written * at_length(rates.written, prompt)
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
            input_per_mtok=at_length(rates.input, 0),
            output_per_mtok=at_length(rates.output, 0),
            cached_input_per_mtok=at_length(rates.cached, 0),
        )

    def ceiling(
        self,
        model: ModelRef,
        prompt_tokens: int,
        *,
        at: datetime.datetime,
        parameters: Mapping[str, JSONValue] = NO_PARAMETERS,
    ) -> Ceiling | None:
        found = [
            self._rates(model, day) for day in (at, at + _A_DAY)
        ]  # a call may outlast the day it begins on
        known = [rates for rates in found if rates is not None]
        if len(known) < len(found):
            return None
        return Ceiling(
            input_per_mtok=max(
                highest(rate, prompt_tokens)
                for rates in known
                for rate in (rates.input, rates.cached, rates.written)
            ),
            output_per_mtok=max(highest(rates.output, prompt_tokens) for rates in known),
        )

    def _rates(self, model: ModelRef, at: datetime.datetime) -> Rates | None:
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

    def _look_up(self, model: ModelRef, at: datetime.datetime) -> Rates | None:
        override = self._overrides.get(model)
        if override is None and model.provider in self._free:
            override = _FREE
        if override is not None:
            return _rates_of(override)
        vendor = self._vendors.get(model.provider)
        if vendor is None:
            return None
        if self._snapshot is None and self._snapshot_path is not None:
            self._snapshot = Snapshot.read(self._snapshot_path)
        if self._snapshot is not None and self._snapshot.lists(vendor):
            return self._snapshot.find(vendor, model.model, at)
        return genai_package.find(vendor, model.model, at)


def _rates_of(price: Price) -> Rates | None:
    if price.input_per_mtok is None or price.output_per_mtok is None:
        return None
    cached = price.cached_input_per_mtok
    return Rates(
        input=price.input_per_mtok,
        output=price.output_per_mtok,
        cached=price.input_per_mtok if cached is None else cached,
        written=price.input_per_mtok,
    )
