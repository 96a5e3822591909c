"""The budgets that the configuration and the keys give to chats."""

from decimal import Decimal
from typing import Final

import attrs

from application.ports.budget_ledger import BudgetLedger
from application.ports.clock import Clock
from application.ports.price_book import PriceBook
from application.ports.telemetry import Telemetry
from application.services.budget_figures import budget_state, is_shown, key_of
from application.services.budget_keeper import BudgetKeeper
from application.services.budget_plan import BudgetPlan
from application.services.budget_purse import BudgetPurse
from application.services.price_ceilings import PriceCeilings
from application.services.purse import Purse
from application.use_cases.chat_command import SendChatCommand
from domain.access import ApiKey, Caller
from domain.ids import Tenant, ThreadId
from domain.limits.budget import AppliedBudget, BudgetState
from domain.limits.budget_rules import BudgetRules
from domain.values import frozen, maker

_purse = maker(BudgetPurse)

_NOTHING: Final = Decimal(0)
_MOST_PLANS: Final = 10_000


@frozen(kw_only=True)
class ChatBudgets:
    """`Budgets`, by rules. What is held is the keeper's, and outlives a change of the rules."""

    _rules: BudgetRules
    _keeper: BudgetKeeper
    _ledger: BudgetLedger
    _prices: PriceBook
    _clock: Clock
    _telemetry: Telemetry
    _ceilings: PriceCeilings = attrs.field(init=False)
    _plans: dict[tuple[Tenant, str], tuple[ApiKey | None, BudgetPlan | None]] = attrs.field(
        factory=dict, init=False
    )
    """Of callers, by tenant and the id of the key: with the very key that it was made for, which may be changed."""

    @_ceilings.default
    def _asking_once(self) -> PriceCeilings:
        return PriceCeilings(prices=self._prices, clock=self._clock)

    def open(self, command: SendChatCommand, thread_id: ThreadId, *, user: str | None) -> Purse | None:
        plan = self._plan(command.tenant, command.caller.key, user, thread_id)
        if plan is None:
            return None
        return _purse(
            keeper=self._keeper,
            rules=self._rules,
            ceilings=self._ceilings,
            telemetry=self._telemetry,
            command=command,
            plan=plan,
        )

    def _plan(
        self, tenant: Tenant, key: ApiKey | None, user: str | None, thread_id: ThreadId
    ) -> BudgetPlan | None:
        rules = self._rules
        if rules.thread or (rules.user and user is not None):
            return _planned(tenant, rules.applied(tenant, key=key, user=user, thread_id=thread_id))
        of = (tenant, "" if key is None else key.id)
        known = self._plans.get(of)
        if known is not None and known[0] is key:
            return known[1]
        plan = _planned(tenant, rules.applied(tenant, key=key, user=None, thread_id=None))
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        self._plans[of] = (key, plan)
        return plan

    async def states(self, caller: Caller) -> tuple[BudgetState, ...]:
        applied = [
            each
            for each in self._rules.applied(caller.tenant, key=caller.key, user=caller.user, thread_id=None)
            if is_shown(caller, each.subject)
        ]
        keys = list(dict.fromkeys(key_of(caller.tenant, each) for each in applied))
        if not keys:
            return ()
        found = dict(zip(keys, await self._ledger.read(keys), strict=True))
        states: list[BudgetState] = []
        for each in applied:
            key = key_of(caller.tenant, each)
            state, mine = found[key], self._keeper.peek(key)
            # What this process holds beyond its chats under way is anybody's.
            spare = _NOTHING if mine is None else max(_NOTHING, mine.written_usd - mine.committed_usd)
            states.append(
                budget_state(
                    each,
                    spent_usd=state.spent_usd,
                    reserved_usd=max(_NOTHING, state.others_usd - spare),
                    resets_at=state.resets_at,
                )
            )
        return tuple(states)


def _planned(tenant: Tenant, applied: tuple[AppliedBudget, ...]) -> BudgetPlan | None:
    return BudgetPlan.of(tenant, applied) if applied else None
