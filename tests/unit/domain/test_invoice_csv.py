"""Exports of costs and usage, in the columns that people published of them."""

import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from domain.errors import InvalidRequest
from domain.invoice import Charge, Vendor
from domain.invoice_csv import read_invoice

DATA = Path(__file__).parents[2] / "data" / "invoices"
_FIRST, _SECOND, _THIRD = (datetime.date(2026, 11, day) for day in (1, 2, 3))


def _usd(day: datetime.date, model: str | None, cost: str) -> Charge:
    return Charge(day=day, model=model, cost_usd=Decimal(cost))


def _tokens(day: datetime.date, model: str, tokens: int) -> Charge:
    return Charge(day=day, model=model, tokens=tokens)


@pytest.mark.parametrize(
    ("file", "vendor", "layout", "charges"),
    [
        (
            "openai_costs", "openai", "OpenAI costs",
            (
                _usd(_FIRST, "gpt-4o-2024-08-06", "0.5"), _usd(_FIRST, "gpt-4o-2024-08-06", "0.25"),
                _usd(_FIRST, "web search tool calls", "0.01"), _usd(_THIRD, "gpt-5-nano", "0.125"),
            ),
        ),
        (
            "openai_costs_by_day", "openai", "OpenAI costs",
            (_usd(_FIRST, None, "0.76"), _usd(_THIRD, None, "0.125")),
        ),
        (
            "openai_usage", "openai", "OpenAI completions usage",
            (_tokens(_FIRST, "gpt-4o-2024-08-06", 1100), _tokens(_FIRST, "gpt-4o-2024-08-06", 550)),
        ),
        (
            "anthropic_cost", "anthropic", "Anthropic cost",
            (
                _usd(_FIRST, "Claude Opus 5.5", "0.05"), _usd(_FIRST, "Claude Opus 5.5", "0.02"),
                _usd(_SECOND, "Claude Haiku 4.5", "0.1"),
            ),
        ),
        (
            "anthropic_usage", "anthropic", "Anthropic usage",
            (_tokens(_FIRST, "claude-haiku-4-5-20251001", 1500), _tokens(_FIRST, "claude-opus-5-5", 15)),
        ),
    ],
)  # fmt: skip
def test_exports_are_known_by_their_columns(
    file: str, vendor: str, layout: str, charges: tuple[Charge, ...]
) -> None:
    """Days without a charge are none."""
    invoice = read_invoice((DATA / f"{file}.csv").read_text("utf-8"))

    assert (vendor, layout, charges) == (invoice.vendor, invoice.layout, invoice.charges)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffUsage_Date_UTC,Model,Cost_USD\r\n2026-11-01,m,0.5\r\n",
        "usage date utc;model;cost usd\n2026-11-01;m;0.5\n\n",
        'cost_usd\tmodel\tdate\n"$0.5"\tm\t2026-11-01T00:00:00Z\n',
    ],
)
def test_what_spreadsheets_make_of_it_is_read(text: str) -> None:
    """A byte order mark, capitals, another order, semicolons, tabs, dollar signs."""
    assert read_invoice(text).charges == (_usd(_FIRST, "m", "0.5"),)


def test_seconds_are_days_in_utc() -> None:
    """As OpenAI writes them beside its ISO times."""
    text = "start_time,amount_value,amount_currency,line_item\n1793577599,1,usd,m\n1793577600,2,usd,m\n"

    assert [charge.day for charge in read_invoice(text).charges] == [_FIRST, _SECOND]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", ("its columns are `a`, `b`", "`amount_value`", "`usage_input_tokens_no_cache`")),
        ("", ("its columns are none",)),
        ("date,cost_usd\nsoon,1\n", ("line 2: `date` is no day: `soon`",)),
        ("date,cost_usd\n2026-11-01,1\n2026-11-02,much\n", ("line 3: `cost_usd` is no number: `much`",)),
        ("date,cost_usd\n2026-11-01,nan\n", ("line 2: `cost_usd` is no number: `nan`",)),
        ("date,amount_value,amount_currency\n2026-11-01,1,eur\n", ("line 2: is in `eur`",)),
        ("date,amount_value\n2026-11-01,\n", ("holds no charges",)),
        ("date,cost_usd\n", ("holds no charges",)),
    ],
)
def test_faults_are_named(text: str, says: tuple[str, ...]) -> None:
    """With what was found and what is needed."""
    with pytest.raises(InvalidRequest) as caught:
        read_invoice(text)

    (fault,) = caught.value.faults
    assert all(each in fault.message for each in says)


@pytest.mark.parametrize(("vendor", "needed"), [("openai", "amount_value"), ("anthropic", "cost_usd")])
def test_only_the_vendor_s_exports_are_taken(vendor: Vendor, needed: str) -> None:
    """Whoever says whose it is wants no guess."""
    other = "openai_costs" if vendor == "anthropic" else "anthropic_cost"

    with pytest.raises(InvalidRequest) as caught:
        read_invoice((DATA / f"{other}.csv").read_text("utf-8"), vendor=vendor)

    assert needed in caught.value.faults[0].message.partition("needed are")[2]
