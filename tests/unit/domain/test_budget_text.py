"""Budgets as people write them."""

from decimal import Decimal

import pytest

from domain.errors import InvalidRequest
from domain.limits.budget import Budget
from domain.limits.budget_text import budget_text, parse_budget


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("50/day", Budget(limit_usd=Decimal(50), period="day")),
        ("0.5/month", Budget(limit_usd=Decimal("0.5"), period="month")),
        (" $ 500 / total ", Budget(limit_usd=Decimal(500), period="total")),
        ("0.000000001/day", Budget(limit_usd=Decimal("1e-9"), period="day")),
    ],
)
def test_budget_is_read_exactly(text: str, budget: Budget) -> None:
    """And written so that it reads back."""
    assert budget == parse_budget(text)
    assert budget == parse_budget(budget_text(budget))


@pytest.mark.parametrize(
    "text", ["", "50", "day", "50/", "/day", "0/day", "-1/day", "1e3/day", "1/year", "1/days", "1,5/day", "٣/day", "1/day/day", "NaN/day"]
)  # fmt: skip
def test_what_is_no_budget_is_refused(text: str) -> None:
    """With the form that it should have."""
    with pytest.raises(InvalidRequest, match="`50/day`"):
        parse_budget(text)
