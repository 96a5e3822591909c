"""`config/prices.json`: what genai-prices lists for the vendors that lor3 speaks to, in a form read in a millisecond.

    {"generated_by": "make prices", "genai-prices": "0.2.3", "vendors": {"openai": [
      {"match": [["equals", "o3"], ["starts_with", "o3-2025"]],
       "prices": [{"input": "10", …}, {"from": "2025-06-10", "input": "2", …}]}]}}

The first model counts of which one clause matches. Of its prices the last counts whose day `from` (UTC) has come,
else the first. A period without an input price has no price. A rate is USD for a million tokens, or
`{"base": "3", "tiers": [[200000, "6"]]}`. Kinds are those of `rates.Rates`; one that is left out costs what
`rates.FALLBACK` says. `tiers` of a model holds its prices in each tier that has its own, such as `priority`.
"""

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

from adapters.prices.rates import Rate, Rates, Tiered, rates_of
from domain.usage import STANDARD_TIER
from domain.values import frozen

_MATCHES: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "equals": lambda name, text: name == text,
    "starts_with": lambda name, text: name.startswith(text),
    "ends_with": lambda name, text: name.endswith(text),
    "contains": lambda name, text: text in name,
    "regex": lambda name, text: re.search(text, name) is not None,
}
_COMPACT_DATE: Final = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


@frozen(kw_only=True)
class Snapshot:
    """The file, read."""

    _vendors: Mapping[str, Sequence[Any]]

    @classmethod
    def read(cls, path: Path) -> "Snapshot":
        """Lists no vendor at all where another version of genai-prices is installed than the one written down.

        Whoever upgrades the package does so for its prices, so these then count, at the cost of its import.
        """
        data = orjson.loads(path.read_bytes())
        is_current = version("genai-prices") == data["genai-prices"]
        return cls(vendors=data["vendors"] if is_current else {})

    def lists(self, vendor: str) -> bool:
        return vendor in self._vendors

    def find(self, vendor: str, model: str, at: datetime.datetime, tier: str = STANDARD_TIER) -> Rates | None:
        """The price of a vendor's model at a time; None where there is none for text, or not in that tier."""
        name = model.lower()
        found = self._match(vendor, name)
        if found is None and (dashed := _with_dashed_date(name)) != name:
            found = self._match(vendor, dashed)
        if found is None:
            return None
        prices = found["prices"] if tier == STANDARD_TIER else found.get("tiers", {}).get(tier)
        return None if prices is None else _rates(_period(prices, at))

    def _match(self, vendor: str, name: str) -> Any:
        for model in self._vendors[vendor]:
            if any(_MATCHES[kind](name, text) for kind, text in model["match"]):
                return model
        return None


def _with_dashed_date(name: str) -> str:
    """`gpt-5.2-20251211` → `gpt-5.2-2025-12-11`, as genai-prices does: some gateways write it so."""

    def dashed(found: re.Match[str]) -> str:
        try:
            return f"-{datetime.date(int(found[1]), int(found[2]), int(found[3])).isoformat()}"
        except ValueError:
            return found[0]

    return _COMPACT_DATE.sub(dashed, name)


def _period(prices: Sequence[Any], at: datetime.datetime) -> Any:
    day = (at if at.tzinfo is None else at.astimezone(datetime.UTC)).date().isoformat()
    for period in reversed(prices):
        if period is None or period.get("from", "") <= day:
            return period
    return prices[0]


def _rates(period: Any) -> Rates | None:
    if not period or "input" not in period:
        return None
    return rates_of({kind: _rate(rate) for kind, rate in period.items() if kind != "from"})


def _rate(written: Any) -> Rate:
    if isinstance(written, str):
        return Decimal(written)
    return Tiered(
        base=Decimal(written["base"]),
        tiers=tuple((above, Decimal(price)) for above, price in written["tiers"]),
    )
