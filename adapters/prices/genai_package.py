"""The price list of the `genai-prices` package, asked directly or written down as a snapshot.

Importing the package's data takes 0.16 s and 27 MB, pydantic and an HTTP client included, for 1,100 models of
which a server sells a dozen. So lor3 ships the few kilobytes it needs as `config/prices.json`, and asks the
package itself only where that file can't answer. After an upgrade of genai-prices: `make prices`.
"""

import datetime
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson

from adapters.prices.rates import FALLBACK, Rate, Rates, Tiered, rates_of
from domain.usage import STANDARD_TIER

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, MatchLogic, ModelInfo, ModelPrice, TieredPrices

DISTRIBUTION: Final = "genai-prices"
SNAPSHOT_VENDORS: Final = ("anthropic", "openai")
_KINDS: Final[Mapping[str, str]] = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "written": "cache_write_mtok",
    "written_1h": "cache_write_1h_mtok",
    "image": "input_image_mtok",
    "audio": "input_audio_mtok",
    "audio_out": "output_audio_mtok",
}
"""What genai-prices calls a kind of token."""
_USUAL_TIER_KEY: Final = "service_tier"
_TIER_KEY: Final[Mapping[str, str]] = {"anthropic": "speed"}
"""The condition under which genai-prices lists a vendor's tiers."""
_AS_STANDARD: Final = frozenset(("default",))
"""Tiers at list price, which the wires report as `standard`."""


def find(vendor: str, model: str, at: datetime.datetime, tier: str = STANDARD_TIER) -> Rates | None:
    """The price of a vendor's model at a time; None where the package has none for text, or not in that tier."""
    from genai_prices.data_snapshot import get_snapshot  # not before it is needed: see above

    try:
        _, info = get_snapshot().find_provider_model(model, None, vendor, None)
    except LookupError:
        return None
    return None if _by_the_hour(info) else _rates(_prices(info, vendor, at, tier))


def snapshot(vendors: tuple[str, ...] = SNAPSHOT_VENDORS) -> bytes:
    """The text of `config/prices.json`: the format that `adapters/prices/snapshot.py` describes.

    Raises:
        ValueError: the package says something that the format can't hold.
    """
    from importlib.metadata import version

    from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

    listed: dict[str, Any] = {}
    for vendor in vendors:
        provider = find_provider_by_id(get_snapshot().providers, vendor)
        if provider is None or provider.fallback_model_providers:
            raise ValueError(f"{vendor}: not listed by itself")
        listed[vendor] = [
            {"match": _clauses(info.match), "prices": _periods(info), **_in_tiers(info, vendor)}
            for info in provider.models
        ]
    head = {"generated_by": "make prices", DISTRIBUTION: version(DISTRIBUTION)}
    # A line a model, so that a diff shows which prices moved.
    text = orjson.dumps(head)[:-1] + b',"vendors":{'
    blocks = (
        orjson.dumps(vendor) + b":[\n" + b",\n".join(orjson.dumps(model) for model in models) + b"\n]"
        for vendor, models in listed.items()
    )
    return text + b",\n".join(blocks) + b"}}\n"


def _clauses(match: "MatchLogic") -> list[list[str]]:
    """Any of these: `[kind, text]`. A model's name is in lower case when it is matched."""
    if hasattr(match, "or_"):
        return [clause for each in match.or_ for clause in _clauses(each)]
    for kind in ("equals", "starts_with", "ends_with", "contains"):
        if hasattr(match, kind):
            return [[kind, getattr(match, kind).lower()]]
    if hasattr(match, "regex"):
        return [["regex", match.regex]]
    raise ValueError(f"{type(match).__name__} has no place in the snapshot")


def _periods(info: "ModelInfo") -> list[dict[str, Any] | None]:
    """Prices, the first of them the one that holds where no other does; null is a price that lor3 can't use."""
    if _by_the_hour(info):
        return [None]
    listed = info.prices if isinstance(info.prices, list) else [_always(info.prices)]
    return [_period(each) for each in listed]


def _always(prices: "ModelPrice") -> "ConditionalPrice":
    from genai_prices.types import ConditionalPrice

    return ConditionalPrice(prices=prices)


def _period(conditional: "ConditionalPrice") -> dict[str, Any]:
    period: dict[str, Any] = {}
    if conditional.constraint is not None:
        period["from"] = getattr(conditional.constraint, "start_date").isoformat()  # noqa: B009 - narrowed before
    return period | _written(_rates(conditional.prices))


def _written(rates: Rates | None) -> dict[str, Any]:
    """Without what follows from the rest."""
    if rates is None:
        return {}
    return {
        kind: _plain(rate)
        for kind, rate in attrs.asdict(rates, recurse=False).items()
        if rate is not None and (kind not in FALLBACK or rate != getattr(rates, FALLBACK[kind]))
    }


def _in_tiers(info: "ModelInfo", vendor: str) -> dict[str, Any]:
    """`{"tiers": {"priority": [...]}}`: in each tier that has its own prices, from each day on which one changes."""
    key = _TIER_KEY.get(vendor, _USUAL_TIER_KEY)
    variants = info.price_variants or ()
    tiers = sorted({variant.when[key] for variant in variants if key in variant.when} - _AS_STANDARD)
    if not tiers or _by_the_hour(info):
        return {}
    listed = info.prices if isinstance(info.prices, list) else []
    constraints = [each.constraint for each in (*listed, *variants) if each.constraint is not None]
    days = sorted({getattr(each, "start_date") for each in constraints})  # noqa: B009 - narrowed before
    ever = datetime.date(1970, 1, 1)
    found: dict[str, list[dict[str, Any]]] = {tier: [] for tier in tiers}
    for tier, periods in found.items():
        for day in (ever, *days):
            at = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
            period = _written(_rates(_prices(info, vendor, at, tier)))
            if day != ever:
                if {**periods[-1], "from": ""} == {**period, "from": ""}:
                    continue  # another tier's day
                period = {"from": day.isoformat(), **period}
            periods.append(period)
    return {"tiers": found}


def _plain(rate: Rate) -> Any:
    if isinstance(rate, Decimal):
        return str(rate)
    return {"base": str(rate.base), "tiers": [[above, str(price)] for above, price in rate.tiers]}


def _by_the_hour(info: "ModelInfo") -> bool:
    """Off-peak prices change within a day, and lor3 keeps a look-up for one."""
    return isinstance(info.prices, list) and any(
        hasattr(each.constraint, "start_time") for each in info.prices
    )


def _prices(info: "ModelInfo", vendor: str, at: datetime.datetime, tier: str) -> "ModelPrice | None":
    """Those of the tier laid over the standard ones, as genai-prices does; None where the tier has none then."""
    if tier == STANDARD_TIER:
        return info.get_prices(at)
    when = {_TIER_KEY.get(vendor, _USUAL_TIER_KEY): tier}
    has_own = any(
        variant.when == when and (variant.constraint is None or variant.constraint.active(at))
        for variant in info.price_variants or ()
    )
    return info.get_prices(at, when) if has_own else None


def _rates(prices: "ModelPrice | None") -> Rates | None:
    if prices is None:
        return None
    listed = {kind: getattr(prices, name) for kind, name in _KINDS.items()}
    return rates_of({kind: None if rate is None else _rate(rate) for kind, rate in listed.items()})


def _rate(rate: "Decimal | TieredPrices") -> Rate:
    if isinstance(rate, Decimal):
        return rate
    return Tiered(base=rate.base, tiers=tuple((tier.start, tier.price) for tier in rate.tiers))


if __name__ == "__main__":
    sys.stdout.buffer.write(snapshot())
