"""Prices, against numbers worked out by hand."""

import datetime
import json
import subprocess
import sys
import timeit
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.prices.genai_price_book import GenaiPriceBook
from application.ports.price_book import Price
from domain.model import ModelRef
from domain.usage import Usage
from entrypoints.resources import resource

AT = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
VENDORS = {"openai": "openai", "anthropic": "anthropic", "claude-eu": "anthropic"}


SNAPSHOT = resource("config/prices.json")

from_both = pytest.mark.parametrize("snapshot", [SNAPSHOT, None], ids=["snapshot", "package"])


def _book(snapshot: Path | None = SNAPSHOT, overrides: Mapping[str, Price] | None = None) -> GenaiPriceBook:
    return GenaiPriceBook(
        vendors=VENDORS,
        overrides={ModelRef.parse(name): price for name, price in (overrides or {}).items()},
        snapshot_path=snapshot,
    )


def _usage(input_tokens: int, output_tokens: int, cached: int = 0, written: int = 0) -> Usage:
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached,
        cache_write_tokens=written,
    )


@from_both
@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        ("openai:gpt-4", _usage(1000, 500), "0.06"),  # 1000 x 30 + 500 x 60
        ("openai:gpt-4o", _usage(1000, 100, cached=400), "0.003"),  # 600 x 2.5 + 400 x 1.25 + 100 x 10
        ("anthropic:claude-opus-5-5", _usage(812, 96), "0.005168"),  # 812 x 4 + 96 x 20
        ("claude-eu:claude-opus-5-5", _usage(812, 96), "0.005168"),
        # 1000 x 4 + 3000 x 0.2 + 2000 x 5 + 10 x 20
        ("anthropic:claude-opus-5-5", _usage(6000, 10, cached=3000, written=2000), "0.0148"),
        ("anthropic:claude-sonnet-4-5", _usage(200_000, 10), "0.60015"),  # 200,000 x 3 + 10 x 15
        ("anthropic:claude-sonnet-4-5", _usage(200_001, 10), "1.200231"),  # all at 6, and 22.5
        ("anthropic:claude-haiku-5-5", _usage(1, 1), "0.0000006"),  # 0.1 + 0.5
        ("openai:gpt-4", _usage(0, 0), "0"),
        ("openai:gpt-4o", _usage(10, 0, cached=99), "0.0000125"),  # never more cached than read
        ("demo:demo", _usage(10_000, 10_000), "0"),
    ],
)
def test_costs(model: str, usage: Usage, cost: str, snapshot: Path | None) -> None:
    """USD, exact."""
    assert Decimal(cost) == _book(snapshot).cost(ModelRef.parse(model), usage, at=AT)


@from_both
@pytest.mark.parametrize("model", ["openai:gpt-99", "vllm:gpt-4", "anthropic:gpt-4o", "openai:\x00"])
def test_unknown_is_none_and_never_zero(model: str, snapshot: Path | None) -> None:
    """A provider of one's own has no list price, whatever its models are called."""
    ref = ModelRef(*model.split(":", 1))

    assert _book(snapshot).cost(ref, _usage(1, 1), at=AT) is None
    assert _book(snapshot).price(ref, at=AT) is None


@from_both
def test_prices_follow_their_date(snapshot: Path | None) -> None:
    """o3 cost five times as much before June 2025."""
    book, o3 = _book(snapshot), ModelRef("openai", "o3")
    before = datetime.datetime(2025, 6, 9, 23, 59, tzinfo=datetime.UTC)
    after = datetime.datetime(2025, 6, 10, tzinfo=datetime.UTC)

    assert Decimal("0.01") == book.cost(o3, _usage(1000, 0), at=before)
    assert Decimal("0.002") == book.cost(o3, _usage(1000, 0), at=after)


def test_overrides_come_first() -> None:
    """Also for a provider that has no vendor; without a cached price, cached input costs the input price."""
    own = Price(input_per_mtok=Decimal(1), output_per_mtok=Decimal(2))
    book = _book(overrides={"openai:gpt-4": own, "vllm:llama": own})

    for model in (ModelRef("openai", "gpt-4"), ModelRef("vllm", "llama")):
        assert Decimal("0.000014") == book.cost(model, _usage(10, 2, cached=5), at=AT)
        assert own == book.price(model, at=AT)


def test_half_an_override_is_no_price() -> None:
    """Output for nothing would be a lie."""
    book = _book(overrides={"vllm:llama": Price(input_per_mtok=Decimal(1))})

    assert book.cost(ModelRef("vllm", "llama"), _usage(1, 1), at=AT) is None


@from_both
def test_list_prices(snapshot: Path | None) -> None:
    """The first tier."""
    assert _book(snapshot).price(ModelRef("anthropic", "claude-sonnet-4-5"), at=AT) == Price(
        input_per_mtok=Decimal(3), output_per_mtok=Decimal(15), cached_input_per_mtok=Decimal("0.3")
    )


def test_the_hot_path_costs_microseconds() -> None:
    """5 µs is the aim; the bound allows for a busy machine."""
    book, model, usage = _book(), ModelRef("anthropic", "claude-opus-5-5"), _usage(812, 96)
    book.cost(model, usage, at=AT)

    assert min(timeit.repeat(lambda: book.cost(model, usage, at=AT), number=2000, repeat=5)) / 2000 < 30e-6


def test_the_package_counts_where_another_version_is_installed(tmp_path: Path) -> None:
    """Whoever upgrades genai-prices wants its prices, not those written down before."""
    written = json.loads(SNAPSHOT.read_text())
    stale = tmp_path / "prices.json"
    stale.write_text(
        json.dumps({**written, "genai-prices": "0.0.1", "vendors": {"openai": [], "anthropic": []}})
    )

    assert Decimal("0.06") == _book(stale).cost(ModelRef("openai", "gpt-4"), _usage(1000, 500), at=AT)


def test_a_vendor_that_is_not_written_down_is_asked_of_the_package() -> None:
    """The snapshot holds the vendors that lor3 speaks to; a plugin's may be another."""
    book = GenaiPriceBook(vendors={"mistral": "mistral"}, snapshot_path=SNAPSHOT)

    assert book.price(ModelRef("mistral", "mistral-large-latest"), at=AT) is not None


def test_chats_with_known_vendors_are_priced_without_the_package() -> None:
    """Its import takes 0.16 s and 27 MB; unknown models don't bring it in either."""
    code = """
import datetime, sys
from adapters.prices.genai_price_book import GenaiPriceBook
from domain.model import ModelRef
from entrypoints.resources import resource

book = GenaiPriceBook(vendors={"openai": "openai"}, snapshot_path=resource("config/prices.json"))
for model in ("gpt-4", "gpt-99"):
    book.price(ModelRef("openai", model), at=datetime.datetime.now(datetime.UTC))
sys.exit(any(name in sys.modules for name in ("genai_prices", "pydantic", "httpx2")))
"""

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
