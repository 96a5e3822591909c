"""Where budgets stand, for those who may see it."""

import datetime
from decimal import Decimal
from typing import Final

from application.ports.budget_ledger import CounterKey
from domain.access import Caller
from domain.clean_text import UNFIT, clean
from domain.ids import Tenant
from domain.limits.budget import AppliedBudget, BudgetState, Subject

_NOTHING: Final = Decimal(0)


def key_of(tenant: Tenant, applied: AppliedBudget) -> CounterKey:
    subject = applied.subject
    if UNFIT.search(subject.id):
        subject = Subject(subject.kind, clean(subject.id))  # a user's id may be any text
    return CounterKey(tenant, subject, applied.budget.period)


def is_shown(caller: Caller, subject: Subject) -> bool:
    """Whether the figures are the caller's to see: an end user's browser sees what is the user's alone."""
    return caller.user is None or subject.kind == "user" or subject.kind == "thread"


def budget_state(
    applied: AppliedBudget,
    *,
    spent_usd: Decimal,
    reserved_usd: Decimal,
    resets_at: datetime.datetime | None,
) -> BudgetState:
    budget = applied.budget
    return BudgetState(
        subject=applied.subject.kind,
        period=budget.period,
        soft=budget.soft,
        limit_usd=budget.limit_usd,
        spent_usd=spent_usd,
        left_usd=max(_NOTHING, budget.limit_usd - spent_usd - reserved_usd),
        resets_at=resets_at,
    )
