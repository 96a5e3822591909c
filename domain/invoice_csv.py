"""The CSV files that providers export of their costs and usage.

Sources, as far as they are public: OpenAI's help article 8554956 ("Export" of the usage dashboard) and the fields of
`GET /organization/costs` and `/organization/usage/completions`; Anthropic's "Cost and usage reporting in Console" and
the fields of its Usage & Cost API. Neither vendor documents the columns of its CSV: they are those of exports that
people published in 2026. So a file is known by the columns that are needed, in any order, and others are passed over.
"""

import csv
import datetime
import io
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

import attrs

from domain.errors import Fault, InvalidRequest
from domain.invoice import Charge, Invoice, Vendor


@attrs.frozen(kw_only=True)
class _Layout:
    vendor: Vendor
    name: str
    days: tuple[str, ...]
    """Any of these says when."""
    cost: str | None = None
    models: tuple[str, ...] = ()
    """Any of these says what was charged for; it may be missing or blank where tokens are not told."""
    tokens: tuple[str, ...] = ()
    """Added up; the first and the last must be there."""
    currency: str | None = None

    def fits(self, columns: frozenset[str]) -> bool:
        if not columns.intersection(self.days):
            return False
        if self.cost is not None:
            return self.cost in columns
        has_model = bool(columns.intersection(self.models))
        return has_model and self.tokens[0] in columns and self.tokens[-1] in columns

    @property
    def needed(self) -> str:
        day = " or ".join(f"`{name}`" for name in self.days)
        rest = (self.cost,) if self.cost is not None else (self.models[0], self.tokens[0], self.tokens[-1])
        return f"{self.name} ({day}, {', '.join(f'`{name}`' for name in rest)})"


_LAYOUTS: Final = (
    _Layout(
        vendor="openai",
        name="OpenAI costs",
        days=("start_time_iso", "start_time", "date"),
        cost="amount_value",
        models=("line_item",),
        currency="amount_currency",
    ),
    _Layout(
        vendor="openai",
        name="OpenAI completions usage",
        days=("start_time_iso", "start_time", "date"),
        models=("model",),
        tokens=("input_tokens", "output_tokens"),
    ),
    _Layout(
        vendor="anthropic",
        name="Anthropic cost",
        days=("usage_date_utc", "date"),
        cost="cost_usd",
        models=("model", "model_version"),
    ),
    _Layout(
        vendor="anthropic",
        name="Anthropic usage",
        days=("usage_date_utc", "date"),
        models=("model_version", "model"),
        tokens=(
            "usage_input_tokens_no_cache",
            "usage_input_tokens_cache_write",
            "usage_input_tokens_cache_write_5m",
            "usage_input_tokens_cache_write_1h",
            "usage_input_tokens_cache_read",
            "usage_output_tokens",
        ),
    ),
)


def read_invoice(text: str, *, vendor: Vendor | None = None) -> Invoice:
    """
    Args:
        vendor: whose it is; None goes by its columns.

    Raises:
        InvalidRequest: its columns are none of those known, or a cell can't be read.
    """
    head = text.lstrip("\ufeff").partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter)
    try:
        columns = ["_".join(name.strip().lower().split()) for name in next(reader, [])]
        layout = _layout(columns, vendor)
        charges = []
        for cells in reader:
            if any(cell.strip() for cell in cells):
                row = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
                charge = _charge(layout, row, reader.line_num)
                if charge is not None:
                    charges.append(charge)
    except csv.Error as error:
        raise _fault(f"line {reader.line_num}: is no CSV; {error}") from error
    if not charges:
        raise _fault("holds no charges; export a time in which something was used")
    return Invoice(vendor=layout.vendor, layout=layout.name, charges=tuple(charges))


def _layout(columns: list[str], vendor: Vendor | None) -> _Layout:
    known = [layout for layout in _LAYOUTS if vendor in (None, layout.vendor)]
    for layout in known:
        if layout.fits(frozenset(columns)):
            return layout
    found = ", ".join(f"`{name[:60]}`" for name in columns[:40] if name) or "none"
    needed = "; ".join(layout.needed for layout in known)
    raise _fault(f"its columns are {found}; needed are those of one of these: {needed}")


def _charge(layout: _Layout, row: Mapping[str, str], line: int) -> Charge | None:
    """None for a row without a charge: OpenAI writes one for each empty day."""
    column = next(name for name in layout.days if name in row or name == layout.days[-1])
    name = next((row[each] for each in layout.models if row.get(each)), None)
    if layout.cost is not None:
        if not row.get(layout.cost):
            return None
        currency = row.get(layout.currency or "", "") or "usd"
        if currency.lower() != "usd":
            raise _fault(f"line {line}: is in `{currency[:10]}`, and lor3 reckons in USD")
        # `gpt-4o-2024-08-06, input`: the model, and what of it.
        model = None if name is None else name.partition(",")[0].strip()
        return Charge(
            day=_day(row.get(column, ""), column, line),
            model=model,
            cost_usd=_number(row[layout.cost], layout.cost, line),
        )
    if name is None:
        return None
    counts = [_number(row.get(each) or "0", each, line) for each in layout.tokens]
    return Charge(day=_day(row.get(column, ""), column, line), model=name, tokens=int(sum(counts)))


def _day(text: str, column: str, line: int) -> datetime.date:
    try:
        if text.isdigit() and len(text) > 8:
            return datetime.datetime.fromtimestamp(int(text), datetime.UTC).date()
        moment = datetime.datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise _fault(f"line {line}: `{column}` is no day: `{text[:40]}`") from None
    return (moment if moment.tzinfo is None else moment.astimezone(datetime.UTC)).date()


def _number(text: str, column: str, line: int) -> Decimal:
    try:
        number = Decimal(text.replace(",", "").removeprefix("$"))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise _fault(f"line {line}: `{column}` is no number: `{text[:40]}`")
    return number


def _fault(message: str) -> InvalidRequest:
    return InvalidRequest.of(Fault(path="invoice", message=message))
