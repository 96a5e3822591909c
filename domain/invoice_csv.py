"""The CSV files that providers export of their costs and usage.

Sources, as far as they are public: OpenAI's help article 8554956 ("Export" of the usage dashboard) and the fields of
`GET /organization/costs` and `/organization/usage/completions`; Anthropic's "Cost and usage reporting in Console" and
the fields of its Usage & Cost API. Neither vendor documents the columns of its CSV: they are those of exports that
people published in 2026. So a file is known by the columns that are needed, in any order, and others are passed over.

A number is taken as it was meant or not at all: `0,5` is ten times `0.5` to whoever drops its comma.
"""

import csv
import datetime
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from domain.errors import Fault, InvalidRequest
from domain.invoice import Charge, Invoice, Vendor
from domain.values import frozen

_NUMBER: Final = re.compile(r"([+-]?)\$?([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_GROUPED: Final = re.compile(r"([+-]?)\$?([+-]?)([1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?)()")
"""With commas between thousands, and those alone."""
_MOST_DIGITS: Final = 64
_LARGEST: Final = Decimal(10) ** 38
_SMALLEST_EXPONENT: Final = -60
_SECONDS: Final = re.compile(r"[0-9]{9,12}(?:\.[0-9]*)?")


@frozen(kw_only=True)
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

    def reads(self, column: str) -> bool:
        return column in (*self.days, self.cost, *self.models, *self.tokens, self.currency)

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
    text = text.removeprefix("\ufeff")
    head = next((line for line in io.StringIO(text) if line.strip()), "")
    delimiter = max(",;\t", key=head.count)
    # `strict`: a quote that is never closed would take in the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    charges = []
    try:
        names: Sequence[str] = next((cells for cells in reader if _says_something(cells)), [])
        columns = ["_".join(name.strip().lower().split()) for name in names]
        layout = _layout(columns, vendor)
        for cells in reader:
            if _says_something(cells):
                row = _row(columns, cells, reader.line_num)
                charge = _charge(layout, row, reader.line_num, commas=delimiter == ",")
                if charge is not None:
                    charges.append(charge)
    except csv.Error as error:
        raise _fault(f"line {reader.line_num}: is no CSV; {error}") from error
    if not charges:
        raise _fault("holds no charges; export a time in which something was used")
    return Invoice(vendor=layout.vendor, layout=layout.name, charges=tuple(charges))


def _says_something(cells: Sequence[str]) -> bool:
    return any(cell.strip() for cell in cells)


def _row(columns: Sequence[str], cells: Sequence[str], line: int) -> dict[str, str]:
    if _says_something(cells[len(columns) :]):
        raise _fault(
            f"line {line}: has {len(cells)} cells for {len(columns)} columns; put a number that holds a comma into quotes,"
            " or write it with a decimal point"
        )
    return {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}


def _layout(columns: list[str], vendor: Vendor | None) -> _Layout:
    if not columns:
        raise _fault("is empty; give the CSV as it was exported, with its line of column names")
    known = [layout for layout in _LAYOUTS if vendor in (None, layout.vendor)]
    for layout in known:
        if layout.fits(frozenset(columns)):
            for name, times in Counter(columns).items():
                if times > 1 and layout.reads(name):
                    raise _fault(f"has {times} columns `{name}`; leave the one that counts")
            return layout
    found = ", ".join(f"`{name[:60]}`" for name in columns[:40] if name)
    needed = "; ".join(layout.needed for layout in known)
    raise _fault(f"its columns are {found}; needed are those of one of these: {needed}")


def _charge(layout: _Layout, row: Mapping[str, str], line: int, *, commas: bool) -> Charge | None:
    """None for a row without a charge: OpenAI writes one for each empty day.

    Args:
        commas: whether they may stand between thousands. Where semicolons or tabs stand between cells they may as well be
            decimal: such files come from spreadsheets that write numbers so.
    """
    column = next(name for name in layout.days if name in row or name == layout.days[-1])
    name = next((row[each] for each in layout.models if row.get(each)), None)
    if layout.cost is not None:
        if layout.cost not in row:
            raise _fault(
                f"line {line}: ends before `{layout.cost}`; it was cut, or columns are missing in it"
            )
        if not row[layout.cost]:
            return None
        currency = row.get(layout.currency or "", "") or "usd"
        if currency.lower() != "usd":
            raise _fault(
                f"line {line}: is in `{currency[:10]}`, and lor3 reckons in USD; convert the amounts, and write `usd`"
                f" as `{layout.currency}`"
            )
        # `gpt-4o-2024-08-06, input`: the model, and what of it.
        model = None if name is None else name.partition(",")[0].strip()
        return Charge(
            day=_day(row.get(column, ""), column, line),
            model=model,
            cost_usd=_number(row[layout.cost], layout.cost, line, commas=commas),
        )
    if name is None:
        return None
    for each in (layout.tokens[0], layout.tokens[-1]):
        if each not in row:
            raise _fault(f"line {line}: ends before `{each}`; it was cut, or columns are missing in it")
    counts = [_count(row.get(each) or "0", each, line, commas=commas) for each in layout.tokens]
    return Charge(day=_day(row.get(column, ""), column, line), model=name, tokens=sum(counts))


def _day(text: str, column: str, line: int) -> datetime.date:
    try:
        if _SECONDS.fullmatch(text):
            return datetime.datetime.fromtimestamp(int(text.partition(".")[0]), datetime.UTC).date()
        moment = datetime.datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise _fault(
            f"line {line}: `{column}` is no day: `{text[:40]}`; write year, month and day, such as 2026-11-23"
        ) from None
    return (moment if moment.tzinfo is None else moment.astimezone(datetime.UTC)).date()


def _number(text: str, column: str, line: int, *, commas: bool) -> Decimal:
    plain = _NUMBER.fullmatch(text) or (_GROUPED.fullmatch(text) if commas else None)
    if plain is None or (plain[1] and plain[2]):
        allowed = "with none but between thousands" if commas else "without a comma"
        remedy = f"; write it with a decimal point and {allowed}" if "," in text else ""
        raise _fault(f"line {line}: `{column}` is no number: `{text[:40]}`{remedy}")
    digits = plain[3].replace(",", "")
    number = Decimal(plain[1] + plain[2] + digits + (plain[4] or ""))
    exponent = number.as_tuple().exponent
    is_small = isinstance(exponent, int) and exponent < _SMALLEST_EXPONENT
    if len(digits) > _MOST_DIGITS or is_small or abs(number) >= _LARGEST:
        raise _fault(
            f"line {line}: `{column}` is no number that lor3 can reckon with exactly: `{text[:40]}`;"
            f" below {_LARGEST:.0e}, with at most {-_SMALLEST_EXPONENT} decimal places"
        )
    return number


def _count(text: str, column: str, line: int, *, commas: bool) -> int:
    number = _number(text, column, line, commas=commas)
    if number < 0 or number != int(number):
        raise _fault(
            f"line {line}: `{column}` is no count of tokens: `{text[:40]}`; it is a whole number from 0"
        )
    return int(number)


def _fault(message: str) -> InvalidRequest:
    return InvalidRequest.of(Fault(path="invoice", message=message))
