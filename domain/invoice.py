"""What a provider says it charged, beside what lor3 recorded."""

import datetime
import decimal
import functools
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from domain.values import frozen

Vendor: TypeAlias = Literal["openai", "anthropic"]
_EXACT: Final = decimal.Context(prec=200, traps=[decimal.InvalidOperation, decimal.Inexact])
"""More digits than sums have of amounts that `invoice_csv` takes: the usual 28 would round them."""
_DATE: Final = re.compile(r"-(20\d{2}-\d{2}-\d{2}|20\d{6})$")


@frozen(kw_only=True)
class Charge:
    """Of one model on one day (UTC), by either side."""

    day: datetime.date
    model: str | None
    """As that side calls it; None where it does not say."""
    cost_usd: Decimal | None = None
    """None where that side tells tokens alone."""
    tokens: int | None = None
    """In and out, cached ones included; None where that side tells costs alone."""


@frozen(kw_only=True)
class Invoice:
    vendor: Vendor
    layout: str
    """Which of the known exports it is."""
    charges: tuple[Charge, ...]


@frozen(kw_only=True)
class Comparison:
    """One model on one day, or all of it. None is a side that does not know of it, or does not tell that number."""

    day: datetime.date | None
    model: str | None
    charged_usd: Decimal | None
    recorded_usd: Decimal | None
    charged_tokens: int | None
    recorded_tokens: int | None
    only: Literal["invoice", "lor3"] | None = None
    """The one side that knows of it."""

    @property
    def difference_usd(self) -> Decimal | None:
        """What lor3 recorded beyond the invoice; negative where it recorded less."""
        if self.charged_usd is None and self.recorded_usd is None:
            return None
        return _EXACT.subtract(self.recorded_usd or Decimal(0), self.charged_usd or Decimal(0))

    @property
    def difference_tokens(self) -> int | None:
        if self.charged_tokens is None and self.recorded_tokens is None:
            return None
        return (self.recorded_tokens or 0) - (self.charged_tokens or 0)


@frozen(kw_only=True)
class Reconciliation:
    by_model: bool
    """False where the invoice does not say models: then both sides are added up by day."""
    rows: tuple[Comparison, ...]
    """By day and model."""
    total: Comparison


def reconcile(charged: Sequence[Charge], recorded: Iterable[Charge]) -> Reconciliation:
    """Both sides added up by day and model, laid beside each other.

    A side's costs count only where the invoice tells costs, and its tokens where it tells tokens.
    """
    by_model = all(charge.model is not None for charge in charged) and bool(charged)
    has_costs = any(charge.cost_usd is not None for charge in charged)
    has_tokens = any(charge.tokens is not None for charge in charged)
    ours, theirs = _sums(recorded, by_model=by_model), _sums(charged, by_model=by_model)
    rows = []
    for day, model in sorted({*ours, *theirs}):
        own, other = ours.get((day, model)), theirs.get((day, model))
        rows.append(
            Comparison(
                day=day,
                model=model or None,
                charged_usd=other[0] if other is not None and has_costs else None,
                recorded_usd=own[0] if own is not None and has_costs else None,
                charged_tokens=other[1] if other is not None and has_tokens else None,
                recorded_tokens=own[1] if own is not None and has_tokens else None,
                only="invoice" if own is None else "lor3" if other is None else None,
            )
        )
    total = Comparison(
        day=None,
        model=None,
        charged_usd=_sum(each[0] for each in theirs.values()) if has_costs else None,
        recorded_usd=_sum(each[0] for each in ours.values()) if has_costs else None,
        charged_tokens=sum(each[1] for each in theirs.values()) if has_tokens else None,
        recorded_tokens=sum(each[1] for each in ours.values()) if has_tokens else None,
    )
    return Reconciliation(by_model=by_model, rows=tuple(rows), total=total)


def plain_model(name: str) -> str:
    """`gpt-4o` for `gpt-4o-2024-08-06`, `claude-haiku-4-5` for `Claude Haiku 4.5` and `claude-haiku-4-5-20251001`."""
    plain = _DATE.sub("", "-".join(name.lower().split()))
    return plain.replace(".", "-") if plain.startswith("claude-") else plain


def _sum(costs: Iterable[Decimal]) -> Decimal:
    return functools.reduce(_EXACT.add, costs, Decimal(0))


def _sums(
    charges: Iterable[Charge], *, by_model: bool
) -> dict[tuple[datetime.date, str], tuple[Decimal, int]]:
    sums: dict[tuple[datetime.date, str], tuple[Decimal, int]] = {}
    for charge in charges:
        key = (charge.day, plain_model(charge.model or "") if by_model else "")
        cost, tokens = sums.get(key, (Decimal(0), 0))
        sums[key] = (_EXACT.add(cost, charge.cost_usd or Decimal(0)), tokens + (charge.tokens or 0))
    return sums
