"""Which counters a chat's budgets are, worked out once for all chats of a caller."""

from decimal import Decimal

from application.ports.budget_ledger import CounterKey
from application.services.budget_figures import key_of
from domain.ids import Tenant
from domain.limits.budget import AppliedBudget
from domain.values import frozen


@frozen(kw_only=True, eq=False)
class BudgetPlan:
    """Several budgets may count in one counter, as a soft and a hard one of a month do."""

    applied: tuple[AppliedBudget, ...]
    counters: tuple[tuple[CounterKey, Decimal | None], ...]
    """Each once, with the lowest of its hard limits; None where it has none."""
    places: tuple[int, ...]
    """For each of `applied` the index of its counter."""
    is_plain: bool
    """Whether each of `applied` has a counter of its own, and none is soft."""
    is_soft: bool
    """Whether all are soft."""
    has_soft: bool

    @classmethod
    def of(cls, tenant: Tenant, applied: tuple[AppliedBudget, ...]) -> "BudgetPlan":
        limits: dict[CounterKey, Decimal | None] = {}
        keys = [key_of(tenant, each) for each in applied]
        for key, each in zip(keys, applied, strict=True):
            budget, limit = each.budget, limits.get(key)
            if not budget.soft:
                limit = budget.limit_usd if limit is None else min(limit, budget.limit_usd)
            limits[key] = limit
        order = list(limits)
        soft = [each.budget.soft for each in applied]
        return cls(
            applied=applied,
            counters=tuple(limits.items()),
            places=tuple([order.index(key) for key in keys]),
            is_plain=len(order) == len(applied) and not any(soft),
            is_soft=all(soft),
            has_soft=any(soft),
        )
