"""Tell where the budgets of a key stand, from outside of a server."""

from decimal import Decimal
from typing import Final

from application.ports.budget_ledger import BudgetLedger
from application.services.budget_figures import budget_state, key_of
from domain.access import ApiKey
from domain.limits.budget import BudgetState
from domain.limits.budget_rules import BudgetRules
from domain.values import frozen

_NOTHING: Final = Decimal(0)


@frozen(kw_only=True)
class ReadKeyBudgets:
    """As `ReadBudgets`, for who holds no money of them: what servers have reserved is not left."""

    _rules: BudgetRules
    _ledger: BudgetLedger

    async def execute(self, key: ApiKey) -> tuple[BudgetState, ...]:
        """Those of the key, then those of its tenant.

        Raises:
            StorageUnavailable: the database is away.
        """
        applied = self._rules.applied(key.tenant, key=key, user=None, thread_id=None)
        keys = list(dict.fromkeys(key_of(key.tenant, each) for each in applied))
        if not keys:
            return ()
        found = dict(zip(keys, await self._ledger.read(keys), strict=True))
        return tuple(
            [
                budget_state(
                    each,
                    spent_usd=found[counter].spent_usd,
                    reserved_usd=max(_NOTHING, found[counter].others_usd),
                    resets_at=found[counter].resets_at,
                )
                for each in applied
                for counter in (key_of(key.tenant, each),)
            ]
        )
