"""What chats are told of budgets: where they stand, that they are used up, and why one is in the way."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Final

from application.services.budget_figures import is_shown
from application.services.local_counter import NOTHING, LocalCounter
from application.use_cases.chat_command import SendChatCommand
from domain.errors import BudgetExceeded
from domain.limits.budget import AppliedBudget, BudgetState
from domain.values import maker

RETRY_AFTER_S: Final = 1.0
_WHOSE: Final[Mapping[str, str]] = {
    "key": "this key",
    "tenant": "the tenant",
    "user": "this user",
    "thread": "this thread",
}
_WHEN: Final[Mapping[str, str]] = {"day": " for the day", "month": " for the month", "total": ""}
_budget_state = maker(BudgetState)


def state_of(applied: AppliedBudget, counter: LocalCounter) -> BudgetState:
    budget, committed = applied.budget, counter.committed_usd
    # What processes hold to spare is anybody's, and what others have committed of it nobody knows here.
    left = budget.limit_usd - counter.spent_usd
    if committed > 0:
        left -= committed
    return _budget_state(
        subject=applied.subject.kind,
        period=budget.period,
        soft=budget.soft,
        limit_usd=budget.limit_usd,
        spent_usd=counter.spent_usd,
        left_usd=left if left > 0 else NOTHING,
        resets_at=counter.resets_at,
    )


def used_up(applied: AppliedBudget, spent_usd: Decimal) -> str:
    """The warning of a soft budget."""
    return f"{_named(applied)} is used up: {_usd(spent_usd)} USD are spent"


def refusal(
    command: SendChatCommand,
    applied: AppliedBudget,
    counter: LocalCounter,
    *,
    most_usd: Decimal,
    want_usd: Decimal,
    least_usd: Decimal,
    prompt_usd: Decimal,
    token_usd: Decimal,
) -> BudgetExceeded:
    """Why a chat may not be asked, and what helps.

    Args:
        applied: the budget that is in the way.
        most_usd: what it will hold at most, once nothing is reserved for others.
        want_usd: what the chat may cost, of which its prompt may cost `prompt_usd`.
        least_usd: what it has to cost to be worth asking.
        token_usd: for a token of its answer.
    """
    is_reserved = most_usd >= least_usd
    remedy = ""
    if command.max_tokens is not None and token_usd > 0 and not is_reserved:
        fitting = int((most_usd - prompt_usd) / token_usd)
        if fitting >= 1:
            remedy = f"; `max_tokens` of {fitting} or less would fit"
    if is_reserved:
        remedy = "; some of it is reserved for chats under way: try again in a moment"
    elif counter.resets_at is not None:
        remedy += f"; it begins anew at {counter.resets_at:%Y-%m-%dT%H:%M:%SZ}"
    elif not remedy:
        remedy = "; have the budget raised"
    retry_after_s = RETRY_AFTER_S if is_reserved else None
    if not is_shown(command.caller, applied.subject):
        return BudgetExceeded(
            f"a budget that this chat counts in does not hold what it may cost{remedy}",
            budget=None,
            retry_after_s=retry_after_s,
        )
    return BudgetExceeded(
        f"{_named(applied)} has {_usd(max(NOTHING, most_usd))} USD left, and this chat may cost "
        f"{_usd(least_usd)} USD{' even with a short answer' if least_usd < want_usd else ''}{remedy}",
        budget=state_of(applied, counter),
        retry_after_s=retry_after_s,
    )


def _named(applied: AppliedBudget) -> str:
    budget = applied.budget
    return (
        f"the budget of {_usd(budget.limit_usd)} USD{_WHEN[budget.period]} of {_WHOSE[applied.subject.kind]}"
    )


def _usd(amount: Decimal) -> str:
    """To a millionth of a dollar, upwards: what is left may be less than it looks, never what it costs."""
    rounded = amount.quantize(Decimal("0.000001"), rounding=ROUND_CEILING)
    text = f"{rounded:f}".rstrip("0").rstrip(".")
    return text or "0"
