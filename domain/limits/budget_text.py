"""Budgets as people write them: `50/day`."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, get_args

from domain.errors import Fault, InvalidRequest
from domain.limits.budget import Budget, Period

_FORM: Final = re.compile(r"\s*\$?\s*([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*/\s*([a-z]+)\s*", re.ASCII)
_PERIODS: Final[tuple[Period, ...]] = get_args(Period)


def parse_budget(text: str, *, soft: bool = False, path: str = "budget") -> Budget:
    """Reads `50/day`, `0.5/month` or `500/total`: USD in each period.

    Raises:
        InvalidRequest: it is not one; names `path`.
    """
    match = _FORM.fullmatch(text)
    if match is not None:
        limit_usd = Decimal(match[1])
        for period in _PERIODS:
            if period == match[2] and limit_usd > 0:
                return Budget(limit_usd=limit_usd, period=period, soft=soft)
    periods = ", ".join(_PERIODS)
    raise InvalidRequest.of(
        Fault(
            path=path,
            message=f"must be US dollars above 0 in a period ({periods}), such as `50/day` or `0.5/month`",
        )
    )


def budget_text(budget: Budget) -> str:
    """As `parse_budget` reads it."""
    return f"{budget.limit_usd:f}/{budget.period}"


def soft_above_hard(budgets: Iterable[Budget]) -> list[str]:
    """Warnings of soft budgets that nobody will be told of, of those that apply to one subject."""
    each = tuple(budgets)
    hard = {budget.period: budget for budget in each if not budget.soft}
    return [
        f"the soft budget of {budget_text(soft)} is above the hard one of {budget_text(above)}, at which chats are "
        "refused: nobody will be told of it"
        for soft in each
        if soft.soft and (above := hard.get(soft.period)) is not None and soft.limit_usd > above.limit_usd
    ]
