"""Prices, against numbers worked out by hand."""

import datetime
import subprocess
import sys
import timeit
from decimal import Decimal

import pytest

from adapters.prices.genai_price_book import GenaiPriceBook
from application.ports.price_book import Price
from domain.model import ModelRef
from domain.usage import Usage

AT = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
VENDORS = {"openai": "openai", "anthropic": "anthropic", "claude-eu": "anthropic"}


def _book(**overrides: Price) -> GenaiPriceBook:
    return GenaiPriceBook(
        vendors=VENDORS, overrides={ModelRef.parse(name): price for name, price in overrides.items()}
    )


def _usage(input_tokens: int, output_tokens: int, cached: int = 0, written: int = 0) -> Usage:
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached,
        cache_write_tokens=written,
    )


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
def test_costs(model: str, usage: Usage, cost: str) -> None:
    """USD, exact."""
    assert Decimal(cost) == _book().cost(ModelRef.parse(model), usage, at=AT)


@pytest.mark.parametrize("model", ["openai:gpt-99", "vllm:gpt-4", "anthropic:gpt-4o", "openai:\x00"])
def test_unknown_is_none_and_never_zero(model: str) -> None:
    """A provider of one's own has no list price, whatever its models are called."""
    ref = ModelRef(*model.split(":", 1))

    assert _book().cost(ref, _usage(1, 1), at=AT) is None
    assert _book().price(ref, at=AT) is None


def test_prices_follow_their_date() -> None:
    """o3 cost five times as much before June 2025."""
    book, o3 = _book(), ModelRef("openai", "o3")
    before = datetime.datetime(2025, 6, 9, 23, 59, tzinfo=datetime.UTC)
    after = datetime.datetime(2025, 6, 10, tzinfo=datetime.UTC)

    assert Decimal("0.01") == book.cost(o3, _usage(1000, 0), at=before)
    assert Decimal("0.002") == book.cost(o3, _usage(1000, 0), at=after)


def test_overrides_come_first() -> None:
    """Also for a provider that has no vendor; without a cached price, cached input costs the input price."""
    own = Price(input_per_mtok=Decimal(1), output_per_mtok=Decimal(2))
    book = _book(**{"openai:gpt-4": own, "vllm:llama": own})

    for model in (ModelRef("openai", "gpt-4"), ModelRef("vllm", "llama")):
        assert Decimal("0.000014") == book.cost(model, _usage(10, 2, cached=5), at=AT)
        assert own == book.price(model, at=AT)


def test_half_an_override_is_no_price() -> None:
    """Output for nothing would be a lie."""
    book = _book(**{"vllm:llama": Price(input_per_mtok=Decimal(1))})

    assert book.cost(ModelRef("vllm", "llama"), _usage(1, 1), at=AT) is None


def test_list_prices() -> None:
    """The first tier."""
    assert _book().price(ModelRef("anthropic", "claude-sonnet-4-5"), at=AT) == Price(
        input_per_mtok=Decimal(3), output_per_mtok=Decimal(15), cached_input_per_mtok=Decimal("0.3")
    )


def test_the_hot_path_costs_microseconds() -> None:
    """5 µs is the aim; the bound allows for a busy machine."""
    book, model, usage = _book(), ModelRef("anthropic", "claude-opus-5-5"), _usage(812, 96)
    book.cost(model, usage, at=AT)

    assert min(timeit.repeat(lambda: book.cost(model, usage, at=AT), number=2000, repeat=5)) / 2000 < 30e-6


def test_the_book_is_not_read_before_it_is_needed() -> None:
    """`lor3 --help` should not wait for it."""
    code = "import sys, adapters.prices.genai_price_book; sys.exit('genai_prices' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
