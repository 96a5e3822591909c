"""Which budgets apply to a chat."""

from collections.abc import Mapping
from typing import Literal

import attrs

from domain.access import ApiKey
from domain.ids import Tenant
from domain.limits.budget import AppliedBudget, Budget, Subject
from domain.values import frozen

Unpriced = Literal["refuse", "allow"]


@frozen(kw_only=True)
class BudgetRules:
    """`budgets` of the settings."""

    tenants: Mapping[str, tuple[Budget, ...]] = attrs.field(factory=dict)
    """Of single tenants, by name, in place of `tenant`."""
    tenant: tuple[Budget, ...] = ()
    """Of each tenant that is not named."""
    user: tuple[Budget, ...] = ()
    """Of each end user of each tenant."""
    thread: tuple[Budget, ...] = ()
    """Of each thread."""
    wait_s: float = 2.0
    """How long a chat waits for money that is only reserved for others."""
    unpriced: Unpriced = "refuse"
    """What happens under a hard budget to a model whose price nobody knows."""

    def applied(
        self, tenant: Tenant, *, key: ApiKey | None, user: str | None, thread_id: str | None
    ) -> tuple[AppliedBudget, ...]:
        """Those of the key first, then from the widest to the narrowest.

        Args:
            user: None for nobody in particular, who has no budget of their own.
            thread_id: None leaves out what is a thread's.
        """
        found: list[AppliedBudget] = []
        if key is not None and key.budgets:
            found += _of(Subject("key", key.account_id), key.budgets)
        budgets = self.tenants.get(tenant, self.tenant)
        if budgets:
            found += _of(Subject("tenant", tenant), budgets)
        if user is not None and self.user:
            found += _of(Subject("user", user), self.user)
        if thread_id is not None and self.thread:
            found += _of(Subject("thread", thread_id), self.thread)
        return tuple(found)


def _of(subject: Subject, budgets: tuple[Budget, ...]) -> list[AppliedBudget]:
    return [AppliedBudget(subject=subject, budget=budget) for budget in budgets]
