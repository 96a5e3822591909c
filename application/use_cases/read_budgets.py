"""Tell where a caller's budgets stand."""

from application.services.purse import Budgets
from domain.access import Caller
from domain.limits.budget import BudgetState
from domain.values import frozen


@frozen(kw_only=True)
class ReadBudgets:
    """Those of the key, the tenant and the user; those of threads stand in their answers."""

    _budgets: Budgets

    async def execute(self, caller: Caller) -> tuple[BudgetState, ...]:
        """None where no budget applies, or none that the caller may see.

        Raises:
            StorageUnavailable: the database is away.
        """
        return await self._budgets.states(caller)
