"""config/prices.json, held to the genai-prices that the lock file names."""

import datetime
from collections.abc import Iterator
from functools import cache

import pytest
from genai_prices.data import providers

from adapters.prices import genai_package
from adapters.prices.snapshot import Snapshot
from entrypoints.resources import resource

_DAYS = [
    datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
    datetime.datetime(2025, 6, 10, tzinfo=datetime.UTC),
    datetime.datetime(2026, 11, 1, 23, 59, 59, tzinfo=datetime.UTC),
    datetime.datetime(2030, 1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=3))),
]


@cache
def _snapshot() -> Snapshot:
    return Snapshot.read(resource("config/prices.json"))


def test_the_snapshot_is_what_the_package_says() -> None:
    """A new genai-prices in the lock file needs `make prices`."""
    assert genai_package.snapshot() == resource("config/prices.json").read_bytes()


@pytest.mark.parametrize("vendor", genai_package.SNAPSHOT_VENDORS)
def test_the_snapshot_answers_as_the_package_does(vendor: str) -> None:
    """For every model of every vendor, exact, dated, misspelt and in capitals; today, in the past and the future;
    in each tier."""
    wrong = [
        (name, day, tier)
        for name in sorted(set(_names()))
        for day in _DAYS
        for tier in ("standard", "priority", "fast", "flex", "scale")
        if _snapshot().find(vendor, name, day, tier) != genai_package.find(vendor, name, day, tier)
    ]

    assert wrong == []


def _names() -> Iterator[str]:
    for provider in providers:
        if provider.id in genai_package.SNAPSHOT_VENDORS:
            for model in provider.models:
                yield model.id
                yield model.id.upper()
                yield f"{model.id}-20251211"
                yield f"{model.id}-20251311"
                yield f"{model.id}-2025-12-11"
                yield f"x{model.id}"
    yield from ("", "-", "gpt-4o\n", "gpt-5.2-20250230", "İ", "claude-v2", "o3-pro-20250610:extra")
