"""The price list of the `genai-prices` package, asked directly or written down as a snapshot.

Importing the package's data takes 0.16 s and 27 MB, pydantic and an HTTP client included, for 1,100 models of
which a server sells a dozen. So lor3 ships the few kilobytes it needs as `config/prices.json`, and asks the
package itself only where that file can't answer. After an upgrade of genai-prices: `make prices`.
"""

import datetime
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import orjson

from adapters.prices.rates import Rate, Rates, Tiered

if TYPE_CHECKING:
    from genai_prices.types import ConditionalPrice, MatchLogic, ModelInfo, ModelPrice, TieredPrices

DISTRIBUTION: Final = "genai-prices"
SNAPSHOT_VENDORS: Final = ("anthropic", "openai")


def find(vendor: str, model: str, at: datetime.datetime) -> Rates | None:
    """The price of a vendor's model at a time; None where the package has none for text."""
    from genai_prices.data_snapshot import get_snapshot  # not before it is needed: see above

    try:
        _, info = get_snapshot().find_provider_model(model, None, vendor, None)
    except LookupError:
        return None
    return None if _by_the_hour(info) else _rates(info.get_prices(at))


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
            {"match": _clauses(info.match), "prices": _periods(info)} for info in provider.models
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
    rates = _rates(conditional.prices)
    period: dict[str, Any] = {}
    if conditional.constraint is not None:
        period["from"] = getattr(conditional.constraint, "start_date").isoformat()  # noqa: B009 - narrowed before
    if rates is not None:
        for name in ("input", "output", "cached", "written"):
            period[name] = _plain(getattr(rates, name))
    return period


def _plain(rate: Rate) -> Any:
    if isinstance(rate, Decimal):
        return str(rate)
    return {"base": str(rate.base), "tiers": [[above, str(price)] for above, price in rate.tiers]}


def _by_the_hour(info: "ModelInfo") -> bool:
    """Off-peak prices change within a day, and lor3 keeps a look-up for one."""
    return isinstance(info.prices, list) and any(
        hasattr(each.constraint, "start_time") for each in info.prices
    )


def _rates(prices: "ModelPrice") -> Rates | None:
    if prices.input_mtok is None or prices.output_mtok is None:
        return None
    base = _rate(prices.input_mtok)
    return Rates(
        input=base,
        output=_rate(prices.output_mtok),
        cached=base if prices.cache_read_mtok is None else _rate(prices.cache_read_mtok),
        written=base if prices.cache_write_mtok is None else _rate(prices.cache_write_mtok),
    )


def _rate(rate: "Decimal | TieredPrices") -> Rate:
    if isinstance(rate, Decimal):
        return rate
    return Tiered(base=rate.base, tiers=tuple((tier.start, tier.price) for tier in rate.tiers))


if __name__ == "__main__":
    sys.stdout.buffer.write(snapshot())
