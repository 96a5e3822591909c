"""An invoice beside what was recorded."""

import datetime
from decimal import Decimal

import pytest

from domain.invoice import Charge, plain_model, reconcile

_FIRST, _SECOND = datetime.date(2026, 11, 1), datetime.date(2026, 11, 2)


def _charge(day: datetime.date, model: str | None, cost: str | None, tokens: int | None = None) -> Charge:
    return Charge(day=day, model=model, cost_usd=None if cost is None else Decimal(cost), tokens=tokens)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4.1-mini", "gpt-4.1-mini"),
        ("Claude Haiku 4.5", "claude-haiku-4-5"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-3-opus-20240229", "claude-3-opus"),
        ("Web Search", "web-search"),
        ("", ""),
    ],
)
def test_models_are_compared_without_their_dates(name: str, plain: str) -> None:
    """Invoices name snapshots and display names, configurations aliases."""
    assert plain == plain_model(name)


def test_both_sides_are_added_up_by_day_and_model() -> None:
    """With the difference, and what only one of them knows."""
    found = reconcile(
        [
            _charge(_FIRST, "gpt-4o-2024-08-06", "0.50"),
            _charge(_FIRST, "gpt-4o-2024-08-06", "0.25"),
            _charge(_SECOND, "web search", "0.01"),
        ],
        [_charge(_FIRST, "gpt-4o", "0.70", 900), _charge(_SECOND, "gpt-4o", "0.1", 5)],
    )

    assert found.by_model
    assert [
        (row.day, row.model, row.charged_usd, row.recorded_usd, row.difference_usd, row.only)
        for row in found.rows
    ] == [
        (_FIRST, "gpt-4o", Decimal("0.75"), Decimal("0.70"), Decimal("-0.05"), None),
        (_SECOND, "gpt-4o", None, Decimal("0.1"), Decimal("0.1"), "lor3"),
        (_SECOND, "web-search", Decimal("0.01"), None, Decimal("-0.01"), "invoice"),
    ]
    assert (found.total.charged_usd, found.total.recorded_usd) == (Decimal("0.76"), Decimal("0.80"))
    assert found.total.difference_usd == Decimal("0.04")
    assert found.total.difference_tokens is None


def test_days_are_compared_where_the_invoice_names_no_models() -> None:
    """One line without a model is enough."""
    found = reconcile(
        [_charge(_FIRST, None, "1"), _charge(_FIRST, "gpt-4o", "1")],
        [_charge(_FIRST, "gpt-4o", "1"), _charge(_FIRST, "gpt-5", "0.5")],
    )

    assert not found.by_model
    assert [(row.day, row.model, row.difference_usd) for row in found.rows] == [
        (_FIRST, None, Decimal("-0.5"))
    ]


def test_tokens_are_compared_where_the_invoice_tells_those() -> None:
    """And costs are left out of it: nobody was told any."""
    found = reconcile([_charge(_FIRST, "m", None, 100)], [_charge(_FIRST, "m", "3", 90)])

    assert (found.total.difference_tokens, found.total.difference_usd) == (-10, None)
    assert found.rows[0].recorded_usd is None


def test_sums_are_exact() -> None:
    """Of 38 digits before the point and as many behind it."""
    large, small = "12345678901234567890123456789012345678", "0.00000000000000000000000000000000000001"
    found = reconcile(
        [_charge(_FIRST, "m", large), _charge(_FIRST, "m", small)], [_charge(_FIRST, "m", large)]
    )

    assert found.total.charged_usd == Decimal(large + small[1:])
    assert found.rows[0].difference_usd == Decimal("-" + small)
