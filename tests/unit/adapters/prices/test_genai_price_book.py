"""Prices, against numbers worked out by hand."""

import datetime
import json
import subprocess
import sys
import timeit
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.prices.genai_price_book import GenaiPriceBook
from application.ports.price_book import Ceiling, Price
from domain.json_value import JSONValue
from domain.model import ModelRef
from domain.usage import PricedApart, Usage
from entrypoints.resources import resource

AT = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
VENDORS = {"openai": "openai", "anthropic": "anthropic", "claude-eu": "anthropic"}


SNAPSHOT = resource("config/prices.json")

from_both = pytest.mark.parametrize("snapshot", [SNAPSHOT, None], ids=["snapshot", "package"])


def _book(
    snapshot: Path | None = SNAPSHOT, overrides: Mapping[str, Price | Sequence[Price]] | None = None
) -> GenaiPriceBook:
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
        input_per_mtok=Decimal(3),
        output_per_mtok=Decimal(15),
        cached_input_per_mtok=Decimal("0.3"),
        cache_write_per_mtok=Decimal("3.75"),
        cache_write_1h_per_mtok=Decimal(6),
    )


_GPT_5 = ModelRef("openai", "gpt-5")


def _noon(day: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(f"{day}T12:00:00+00:00")


def _dated(day: str | None, rate: int) -> Price:
    return Price(
        input_per_mtok=Decimal(rate),
        output_per_mtok=Decimal(rate),
        starts_on=None if day is None else datetime.date.fromisoformat(day),
    )


@pytest.mark.parametrize(
    ("at", "cost"),
    [
        ("2026-11-30T23:59:59.999999+00:00", "0.00000125"),  # the list price, until the first of them begins
        ("2026-12-01T00:00:00+00:00", "0.000003"),
        ("2026-12-31T23:59:59+00:00", "0.000003"),
        ("2027-01-01T00:59:59+01:00", "0.000003"),  # it is still December in UTC
        ("2027-01-01T00:00:00+00:00", "0.000007"),
        ("2030-01-01T00:00:00+00:00", "0.000007"),
    ],
)
def test_dated_overrides_hold_from_their_day_on(at: str, cost: str) -> None:
    """A UTC day; in whichever order they are given."""
    book = _book(overrides={"openai:gpt-5": [_dated("2027-01-01", 7), _dated("2026-12-01", 3)]})

    assert Decimal(cost) == book.cost(_GPT_5, _usage(1, 0), at=datetime.datetime.fromisoformat(at))


def test_the_price_and_what_comes() -> None:
    """The one of today is no news; the next one stands first."""
    now, soon, later = _dated(None, 1), _dated("2026-12-01", 3), _dated("2027-01-01", 7)
    book = _book(overrides={"openai:gpt-5": [later, now, soon]})

    assert now == book.price(_GPT_5, at=_noon("2026-11-30"))
    assert (soon, later) == book.coming(_GPT_5, after=_noon("2026-11-30"))
    assert soon == book.price(_GPT_5, at=_noon("2026-12-01"))
    assert (later,) == book.coming(_GPT_5, after=_noon("2026-12-01"))
    assert () == book.coming(_GPT_5, after=_noon("2027-01-01"))


def test_overrides_hold_in_every_tier_and_region() -> None:
    """Whoever sets a price knows what is paid."""
    apart = PricedApart(tier="scale", region="us")
    book = _book(overrides={"anthropic:claude-opus-5-5": _dated(None, 1)})

    assert Decimal("0.000001") == book.cost(
        ModelRef("anthropic", "claude-opus-5-5"), _usage(1, 0), at=AT, apart=apart
    )


def test_each_kind_of_token_has_its_override() -> None:
    """One digit each: fresh, cached, written for 5 minutes and an hour, image, sound, answer, spoken answer."""
    names = [
        "input_per_mtok", "cached_input_per_mtok", "cache_write_per_mtok", "cache_write_1h_per_mtok",
        "image_input_per_mtok", "audio_input_per_mtok", "output_per_mtok", "audio_output_per_mtok",
    ]  # fmt: skip
    price = Price(**{name: Decimal(10) ** place for place, name in enumerate(names)})  # type: ignore[arg-type]  # no day
    apart = PricedApart(
        cache_write_1h_tokens=4, input_image_tokens=5, input_audio_tokens=6, output_audio_tokens=8
    )
    usage = Usage(
        input_tokens=1 + 2 + 3 + 4 + 5 + 6,
        output_tokens=7 + 8,
        cached_input_tokens=2,
        cache_write_tokens=3 + 4,
    )

    cost = _book(overrides={"vllm:llama": price}).cost(ModelRef("vllm", "llama"), usage, at=AT, apart=apart)

    assert Decimal("87.654321") == cost


@pytest.mark.parametrize(
    ("apart", "cost"),
    [
        (PricedApart(input_audio_tokens=99), "0.00032"),  # all ten of the prompt at 32
        (PricedApart(input_image_tokens=99, input_audio_tokens=4), "0.000143"),  # 4 x 32 + 6 x 2.5
        (PricedApart(cache_write_1h_tokens=99), "0.000025"),  # nothing was written
    ],
)
def test_parts_are_never_more_than_the_whole(apart: PricedApart, cost: str) -> None:
    """A garbled report can't make an answer dearer than its tokens."""
    assert Decimal(cost) == _book().cost(ModelRef("openai", "gpt-audio"), _usage(10, 0), at=AT, apart=apart)


@from_both
@pytest.mark.parametrize(
    ("model", "apart", "cost"),
    [
        ("openai:gpt-4o-audio-preview", PricedApart(input_audio_tokens=4), None),
        ("openai:gpt-4o-audio-preview", PricedApart(output_audio_tokens=1), None),
        ("openai:gpt-4o-audio-preview", PricedApart(input_image_tokens=1), "0.000035"),  # 10 x 2.5 + 1 x 10
        ("openai:gpt-audio", PricedApart(input_audio_tokens=4, output_audio_tokens=1), "0.000207"),
        ("vllm:own", PricedApart(input_audio_tokens=4), None),
        ("vllm:own", PricedApart(), "0.000011"),
        ("demo:demo", PricedApart(input_audio_tokens=4, output_audio_tokens=1), "0"),
    ],
)
def test_sound_without_a_price_of_its_own_has_none(
    model: str, apart: PricedApart, cost: str | None, snapshot: Path | None
) -> None:
    """It costs many times what text does: text's price would be far too low."""
    book = _book(snapshot, overrides={"vllm:own": _dated(None, 1)})

    found = book.cost(ModelRef.parse(model), _usage(10, 1), at=AT, apart=apart)

    assert found == (None if cost is None else Decimal(cost))


@from_both
@pytest.mark.parametrize(
    ("model", "prompt", "parameters", "ceiling"),
    [
        ("openai:gpt-4o", 1000, {}, ("2.5", "10")),
        ("openai:gpt-6-sol", 1000, {}, ("2.5", "10")),  # what is written to the cache costs more than input
        ("openai:gpt-6-sol", 272_001, {}, ("5", "15")),
        ("openai:gpt-5", 1000, {"service_tier": "priority"}, ("2.5", "20")),
        ("openai:gpt-5", 1000, {"service_tier": "fast"}, ("2.5", "20")),
        (
            "openai:gpt-5",
            1000,
            {"service_tier": "flex"},
            ("1.25", "10"),
        ),  # the provider may not have it just now
        ("openai:gpt-5", 1000, {"service_tier": "auto"}, ("1.25", "10")),
        ("openai:gpt-5", 1000, {"service_tier": "scale"}, None),
        ("anthropic:claude-opus-5-5", 1000, {}, ("4", "20")),
        ("anthropic:claude-opus-5-5", 1000, {"cache_control": {"type": "ephemeral"}}, ("8", "20")),
        ("anthropic:claude-opus-5-5", 1000, {"speed": "fast"}, ("8", "40")),
        ("anthropic:claude-opus-5-5", 1000, {"inference_geo": "us"}, ("4.4", "22")),
        ("anthropic:claude-opus-5-5", 1000, {"service_tier": "standard_only"}, ("4", "20")),
        ("anthropic:claude-sonnet-4-5", 200_001, {}, ("6", "22.5")),
        ("demo:demo", 1000, {}, ("0", "0")),
        ("vllm:llama", 1000, {}, None),
    ],
)
def test_ceilings(
    model: str,
    prompt: int,
    parameters: Mapping[str, JSONValue],
    ceiling: tuple[str, str] | None,
    snapshot: Path | None,
) -> None:
    """The dearest that a prompt's token can be, and an answer's."""
    found = _book(snapshot).ceiling(ModelRef.parse(model), prompt, at=AT, parameters=parameters)

    assert found == (
        None
        if ceiling is None
        else Ceiling(input_per_mtok=Decimal(ceiling[0]), output_per_mtok=Decimal(ceiling[1]))
    )


def test_a_call_may_outlast_its_day() -> None:
    """What begins before midnight can end in a dearer month."""
    book = _book(overrides={"openai:gpt-5": [_dated(None, 1), _dated("2026-12-01", 3)]})

    for day, rate in (("2026-11-29", 1), ("2026-11-30", 3)):
        ceiling = book.ceiling(_GPT_5, 1, at=_noon(day))
        assert ceiling == Ceiling(input_per_mtok=Decimal(rate), output_per_mtok=Decimal(rate))


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
from domain.json_value import JSONValue
from domain.model import ModelRef
from entrypoints.resources import resource

book = GenaiPriceBook(vendors={"openai": "openai"}, snapshot_path=resource("config/prices.json"))
for model in ("gpt-4", "gpt-99"):
    book.price(ModelRef("openai", model), at=datetime.datetime.now(datetime.UTC))
sys.exit(any(name in sys.modules for name in ("genai_prices", "pydantic", "httpx2")))
"""

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
