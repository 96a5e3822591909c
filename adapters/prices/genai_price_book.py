"""List prices out of the `genai-prices` package, as shipped: nothing is fetched."""

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs

from adapters.prices import genai_package
from adapters.prices.rates import FALLBACK, Rate, Rates, at_length, highest, rates_of
from adapters.prices.snapshot import Snapshot
from application.ports.price_book import Ceiling, Price
from domain.chat import NO_PARAMETERS
from domain.json_value import JSONValue
from domain.model import ModelRef
from domain.usage import AT_LIST_PRICE, STANDARD_TIER, PricedApart, Usage

_MILLION: Final = Decimal(1_000_000)
_FREE: Final = Price(input_per_mtok=Decimal(0), output_per_mtok=Decimal(0), cached_input_per_mtok=Decimal(0))
_NOTHING: Final = Rates(**dict.fromkeys((field.name for field in attrs.fields(Rates)), Decimal(0)))
_NAMES: Final[Mapping[str, str]] = {
    "input": "input_per_mtok",
    "output": "output_per_mtok",
    "cached": "cached_input_per_mtok",
    "written": "cache_write_per_mtok",
    "written_1h": "cache_write_1h_per_mtok",
    "image": "image_input_per_mtok",
    "audio": "audio_input_per_mtok",
    "audio_out": "audio_output_per_mtok",
}
"""What `Price` calls a kind of token."""
_REGIONS: Final[Mapping[tuple[str | None, str], Decimal]] = {("anthropic", "us"): Decimal("1.1")}
"""What every price is multiplied by. Source: "Data residency pricing" on Anthropic's pricing page, Claude 4.6 and
later; earlier models refuse `inference_geo`."""
_TIER_PARAMETERS: Final = ("service_tier", "speed")
_STANDARD_WORDS: Final = frozenset(("auto", "default", "standard", "standard_only"))
"""What a request says where it asks for no special tier. `auto` leaves it to the provider's project settings."""
_A_DAY: Final = datetime.timedelta(days=1)
_MAX_CACHED: Final = 4096


def _in_order(
    overrides: Mapping[ModelRef, Price | Sequence[Price]],
) -> Mapping[ModelRef, tuple[Price, ...]]:
    return {
        model: (entry,)
        if isinstance(entry, Price)
        else tuple(sorted(entry, key=lambda price: price.starts_on or datetime.date.min))
        for model, entry in overrides.items()
    }


@attrs.define(kw_only=True)
class GenaiPriceBook:
    """Prices tokens; web searches and batch discounts are not lor3's to price.

    Order: overrides, then `demo` (free), then genai-prices under the vendor that `vendors` maps a provider to. A
    provider without a vendor has no prices: a compatible server of one's own sells under its own terms. A kind of
    token costs its own price where the book has one, else that of `rates.FALLBACK`; sound has none but its own. A long prompt moves all its
    tokens to the higher price, as vendors bill. Reasoning tokens are output tokens. In a tier such as `priority` or
    `fast` an answer costs what that tier does, and has no price where the book does not list it.

    Vendors that the snapshot lists are looked up there, the others in the package, which takes 0.16 s and 27 MB
    at the first look-up.
    """

    _vendors: Mapping[str, str]
    """Provider as configured → vendor id in genai-prices, such as `{"claude-eu": "anthropic"}`."""
    _overrides: Mapping[ModelRef, tuple[Price, ...]] = attrs.field(factory=dict, converter=_in_order)
    """Given as one price, or as several that begin on different days. Before the first of them begins, the list price
    holds. An override counts for every tier and region: it is what the answer costs."""
    _free: frozenset[str] = frozenset(("demo",))
    """Providers that cost nothing."""
    _snapshot_path: Path | None = None
    """Of `config/prices.json`; None asks the package always."""
    _snapshot: Snapshot | None = attrs.field(default=None, init=False)
    _cache: dict[tuple[ModelRef, datetime.date, str], Rates | None] = attrs.field(factory=dict, init=False)

    def cost(
        self, model: ModelRef, usage: Usage, *, at: datetime.datetime, apart: PricedApart = AT_LIST_PRICE
    ) -> Decimal | None:
        rates = self._rates(model, at, apart.tier)
        if rates is None:
            return None
        prompt = usage.input_tokens
        cached = min(usage.cached_input_tokens, prompt)
        written = min(usage.cache_write_tokens, prompt - cached)
        fresh, answer = prompt - cached - written, usage.output_tokens
        total = Decimal(0)
        if apart is not AT_LIST_PRICE:
            if (apart.input_audio_tokens and rates.audio is None) or (
                apart.output_audio_tokens and rates.audio_out is None
            ):
                return None
            for_an_hour = min(apart.cache_write_1h_tokens, written)
            # Providers don't say which of the cached tokens were sound or image; these are taken for text.
            sound = min(apart.input_audio_tokens, fresh)
            images = min(apart.input_image_tokens, fresh - sound)
            spoken = min(apart.output_audio_tokens, answer)
            written, fresh, answer = written - for_an_hour, fresh - sound - images, answer - spoken
            for tokens, rate in (
                (for_an_hour, rates.written_1h),
                (sound, rates.audio),
                (images, rates.image),
                (spoken, rates.audio_out),
            ):
                if tokens and rate is not None:
                    total += tokens * at_length(rate, prompt)
        total += fresh * at_length(rates.input, prompt) + answer * at_length(rates.output, prompt)
        if cached:
            total += cached * at_length(rates.cached, prompt)
        if written:
            total += written * at_length(rates.written, prompt)
        if apart.region is not None and model not in self._overrides:
            total *= _REGIONS.get((self._vendors.get(model.provider), apart.region), 1)
        return total / _MILLION

    def price(self, model: ModelRef, *, at: datetime.datetime) -> Price | None:
        override = self._override(model, _day(at))
        if override is not None:
            return override
        if model.provider in self._free:
            return _FREE
        rates = self._rates(model, at, STANDARD_TIER)
        if rates is None:
            return None
        shown: dict[str, Any] = {_NAMES[kind]: at_length(getattr(rates, kind), 0) for kind in _told(rates)}
        return Price(**shown)

    def coming(self, model: ModelRef, *, after: datetime.datetime) -> tuple[Price, ...]:
        today = _day(after)
        return tuple(
            price
            for price in self._overrides.get(model, ())
            if price.starts_on is not None and price.starts_on > today
        )

    def ceiling(
        self,
        model: ModelRef,
        prompt_tokens: int,
        *,
        at: datetime.datetime,
        parameters: Mapping[str, JSONValue] = NO_PARAMETERS,
    ) -> Ceiling | None:
        tiers = {STANDARD_TIER}  # a provider that is short of a tier serves in the standard one
        for name in _TIER_PARAMETERS:
            asked = parameters.get(name) if parameters else None
            if isinstance(asked, str) and asked not in _STANDARD_WORDS:
                tiers.add(asked)
        # A call may outlast the day it begins on.
        found = [self._rates(model, day, tier) for day in (at, at + _A_DAY) for tier in sorted(tiers)]
        known = [rates for rates in found if rates is not None]
        if len(known) < len(found):
            return None
        # Anthropic writes to a cache only where it is asked to.
        may_write = self._vendors.get(model.provider) != "anthropic" or "cache_control" in parameters
        kinds = ("input", "cached", "image", "audio", *(("written", "written_1h") if may_write else ()))
        factor = self._region_factor(model, parameters)
        sent = [getattr(rates, kind) for rates in known for kind in kinds]
        said = [rate for rates in known for rate in (rates.output, rates.audio_out)]
        return Ceiling(
            input_per_mtok=factor * max(highest(rate, prompt_tokens) for rate in sent if rate is not None),
            output_per_mtok=factor * max(highest(rate, prompt_tokens) for rate in said if rate is not None),
        )

    def _region_factor(self, model: ModelRef, parameters: Mapping[str, JSONValue]) -> Decimal:
        region = parameters.get("inference_geo")
        if not isinstance(region, str) or model in self._overrides:
            return Decimal(1)
        return _REGIONS.get((self._vendors.get(model.provider), region), Decimal(1))

    def _rates(self, model: ModelRef, at: datetime.datetime, tier: str) -> Rates | None:
        # No price in the book that lor3 uses changes within a day, so a look-up holds for its UTC date.
        key = (model, _day(at), tier)
        try:
            return self._cache[key]
        except KeyError:
            rates = self._look_up(model, at, tier)
            if len(self._cache) >= _MAX_CACHED:  # model names can come from callers
                self._cache.clear()
            self._cache[key] = rates
            return rates

    def _look_up(self, model: ModelRef, at: datetime.datetime, tier: str) -> Rates | None:
        override = self._override(model, _day(at))
        if override is None and model.provider in self._free:
            return _NOTHING
        if override is not None:
            return rates_of({kind: getattr(override, name) for kind, name in _NAMES.items()})
        vendor = self._vendors.get(model.provider)
        if vendor is None:
            return None
        if self._snapshot is None and self._snapshot_path is not None:
            self._snapshot = Snapshot.read(self._snapshot_path)
        if self._snapshot is not None and self._snapshot.lists(vendor):
            return self._snapshot.find(vendor, model.model, at, tier)
        return genai_package.find(vendor, model.model, at, tier)

    def _override(self, model: ModelRef, day: datetime.date) -> Price | None:
        found = None
        for price in self._overrides.get(model, ()):
            if price.starts_on is None or price.starts_on <= day:
                found = price
        return found


def _day(at: datetime.datetime) -> datetime.date:
    return at.date() if at.tzinfo is datetime.UTC else at.astimezone(datetime.UTC).date()


def _told(rates: Rates) -> tuple[str, ...]:
    """The kinds to show: what costs the same as its neighbour is left out, but for cached input."""
    return tuple(kind for kind in _NAMES if kind == "cached" or getattr(rates, kind) != _usual(rates, kind))


def _usual(rates: Rates, kind: str) -> Rate | None:
    """What a kind costs without a price of its own; None where it has none then."""
    return getattr(rates, FALLBACK[kind]) if kind in FALLBACK else None
