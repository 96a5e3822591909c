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
        "\n ;;\nusage date utc;model;cost usd\n2026-11-01;m;0.5\n",
        "date,model,cost_usd,note,note\n2026-11-01,m,.5,a,b,,\n",
    ],
)
def test_what_spreadsheets_make_of_it_is_read(text: str) -> None:
    """A byte order mark, capitals, another order, semicolons, tabs, dollar signs, blank lines."""
    assert read_invoice(text).charges == (_usd(_FIRST, "m", "0.5"),)


def test_seconds_are_days_in_utc() -> None:
    """As OpenAI writes them beside its ISO times."""
    text = "start_time,amount_value,amount_currency,line_item\n1793577599,1,usd,m\n1793577600.0,2,usd,m\n"

    assert [charge.day for charge in read_invoice(text).charges] == [_FIRST, _SECOND]


@pytest.mark.parametrize(
    ("cell", "cost"),
    [
        ('"1,234.56"', "1234.56"),
        ('"$12,345,678"', "12345678"),
        ("-0.25", "-0.25"),
        ("-$0.25", "-0.25"),
        ("$-0.25", "-0.25"),
        ("1.5e-07", "0.00000015"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("0.12345678901234567890123456789012345678", "0.12345678901234567890123456789012345678"),
    ],
)
def test_amounts_are_exact(cell: str, cost: str) -> None:
    """Commas may stand between thousands; a credit is negative."""
    (charge,) = read_invoice(f"date,cost_usd,model\n2026-11-01,{cell},m\n").charges

    assert Decimal(cost) == charge.cost_usd


@pytest.mark.parametrize("cell", ["0,5", "0,500", "1,23", "1.234,56", "1,2345", "1234,567", ",5", "1,234,56"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_decimal_comma_is_never_dropped(cell: str, delimiter: str) -> None:
    """The number would be ten or a thousand times too high."""
    text = f'date,cost_usd,model\n2026-11-01,1,m\n2026-11-02,"{cell}",m\n'.replace(",", "\0")
    text = text.replace(cell.replace(",", "\0"), cell).replace("\0", delimiter)

    with pytest.raises(InvalidRequest, match=r"line 3: `cost_usd` is no number: .*decimal point"):
        read_invoice(text)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_comma_between_thousands_may_be_decimal_in_a_spreadsheet_s_file(delimiter: str) -> None:
    """`1,234` with semicolons between cells is 1.234 to half of those who write so."""
    text = delimiter.join(("date", "cost_usd\n2026-11-01", "1,234\n"))

    with pytest.raises(InvalidRequest, match=r"line 2: `cost_usd` is no number: .*decimal point"):
        read_invoice(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", ("its columns are `a`, `b`", "`amount_value`", "`usage_input_tokens_no_cache`")),
        ("", ("is empty", "as it was exported")),
        (" \n,,\n", ("is empty",)),
        ("date,cost_usd\nsoon,1\n", ("line 2: `date` is no day: `soon`",)),
        ("date,cost_usd\n23/11/2026,1\n", ("is no day: `23/11/2026`; write", "such as 2026-11-23")),
        ("date,cost_usd\n2026-11-01,1\n2026-11-02,much\n", ("line 3: `cost_usd` is no number: `much`",)),
        ("date,cost_usd\n2026-11-01,nan\n", ("line 2: `cost_usd` is no number: `nan`",)),
        (
            "date,amount_value,amount_currency\n2026-11-01,1,eur\n",
            ("line 2: is in `eur`", "write `usd` as `amount_currency`"),
        ),
        ("date,amount_value\n2026-11-01,\n", ("holds no charges",)),
        ("date,cost_usd\n", ("holds no charges",)),
        ("date,cost_usd\n2026-11-01,1e400\n", ("line 2: `cost_usd` is no number that lor3 can reckon with",)),
        (
            "date,cost_usd\n2026-11-01,1e-400\n",
            ("line 2: `cost_usd` is no number that lor3 can reckon with",),
        ),
        ("date,cost_usd\n2026-11-01,1_000\n", ("line 2: `cost_usd` is no number: `1_000`",)),
        ("date,cost_usd\n2026-11-01,0,5\n", ("line 2: has 3 cells for 2 columns",)),
        ("date,model,cost_usd\n2026-11-01,m\n", ("line 2: ends before `cost_usd`",)),
        ('date,cost_usd\n2026-11-01,1\n2026-11-02,"1\n2026-11-03,1\n', ("is no CSV",)),
        ("date,Cost USD,cost_usd\n2026-11-01,1,2\n", ("has 2 columns `cost_usd`",)),
        ("date,cost_usd\n1795439434000,1\n", ("line 2: `date` is no day",)),
        (
            "date,model,input_tokens,output_tokens\n2026-11-01,m,-1,2\n",
            ("line 2: `input_tokens` is no count",),
        ),
        (
            "date,model,input_tokens,output_tokens\n2026-11-01,m,1,2.5\n",
            ("line 2: `output_tokens` is no count",),
        ),
        ("date,model,input_tokens,output_tokens\n2026-11-01,m,1\n", ("line 2: ends before `output_tokens`",)),
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
