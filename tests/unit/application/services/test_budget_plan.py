"""Which counters a chat's budgets are."""

import datetime
from decimal import Decimal

import attrs

from application.ports.budget_ledger import CounterKey
from application.services.budget_plan import BudgetPlan
from application.services.budget_purse import BudgetPurse
from domain.access import ApiKey, Caller
from domain.ids import DEFAULT_TENANT
from domain.limits.budget import AppliedBudget, Budget, Subject
from domain.limits.budget_rules import BudgetRules
from tests.support.budgets import Process, budgets, process

TENANT = Subject("tenant", DEFAULT_TENANT)
KEY = ApiKey(
    id="k1",
    tenant=DEFAULT_TENANT,
    name="n",
    hash="h",
    created_at=datetime.datetime.now(datetime.UTC),
    budgets=budgets("5/day"),
)


def plan(*applied: Budget, subject: Subject = TENANT) -> BudgetPlan:
    return BudgetPlan.of(
        DEFAULT_TENANT, tuple(AppliedBudget(subject=subject, budget=each) for each in applied)
    )


def of(lor3: Process, caller: Caller, *, user: str | None = None, thread: str | None = None) -> BudgetPlan:
    purse = lor3.purse(caller=caller, user=user, thread=thread)
    assert isinstance(purse, BudgetPurse)
    return purse._plan


def test_hard_budgets_of_different_periods_are_plain() -> None:
    """Each has a counter of its own."""
    made = plan(*budgets("5/day", "90/month"))

    assert made.counters == (
        (CounterKey(DEFAULT_TENANT, TENANT, "day"), Decimal(5)),
        (CounterKey(DEFAULT_TENANT, TENANT, "month"), Decimal(90)),
    )
    assert made.places == (0, 1)
    assert (made.is_plain, made.is_soft, made.has_soft) == (True, False, False)


def test_the_lowest_hard_limit_of_a_counter_holds() -> None:
    """However they are ordered; a soft one is no limit."""
    month = CounterKey(DEFAULT_TENANT, TENANT, "month")
    soft = budgets("50/month", soft=True)

    assert plan(*budgets("90/month", "80/month")).counters == ((month, Decimal(80)),)
    assert plan(*soft, *budgets("90/month")).counters == ((month, Decimal(90)),)
    assert plan(*budgets("90/month"), *soft).counters == ((month, Decimal(90)),)


def test_a_counter_of_several_budgets_is_found_for_each() -> None:
    """A soft and a hard one of a month count in one, which is not plain."""
    made = plan(*budgets("50/month", soft=True), *budgets("5/day", "90/month"))

    assert made.places == (0, 1, 0)
    assert (made.is_plain, made.is_soft, made.has_soft) == (False, False, True)


def test_soft_budgets_alone_limit_nothing() -> None:
    """Their counters are only counted in."""
    made = plan(*budgets("5/day", "90/month", soft=True))

    assert [limit for _, limit in made.counters] == [None, None]
    assert (made.is_plain, made.is_soft, made.has_soft) == (False, True, True)


async def test_a_plan_is_made_once_for_a_key() -> None:
    """Not for each of its chats; another key has another."""
    other = attrs.evolve(KEY, id="k2")
    async with process(rules=BudgetRules(tenant=budgets("90/month"))) as lor3:
        first, again = of(lor3, Caller(key=KEY)), of(lor3, Caller(key=KEY))
        others = of(lor3, Caller(key=other))

    assert first is again
    assert [each.subject.id for each in first.applied] == ["k1", DEFAULT_TENANT]
    assert [each.subject.id for each in others.applied] == ["k2", DEFAULT_TENANT]


async def test_a_key_whose_budgets_are_changed_has_another_plan_at_once() -> None:
    """The same id with other limits."""
    richer = attrs.evolve(KEY, budgets=budgets("7/day"))
    async with process(rules=BudgetRules()) as lor3:
        before, after = of(lor3, Caller(key=KEY)), of(lor3, Caller(key=richer))

    assert [limit for _, limit in before.counters] == [Decimal(5)]
    assert [limit for _, limit in after.counters] == [Decimal(7)]


async def test_a_key_that_loses_its_budgets_pays_nothing_from_then_on() -> None:
    """Nor is it held to those that it had."""
    async with process(rules=BudgetRules()) as lor3:
        before = of(lor3, Caller(key=KEY))
        free = lor3.open(Caller(key=attrs.evolve(KEY, budgets=())))

    assert before.counters
    assert free is None


async def test_other_rules_make_other_plans() -> None:
    """Each configuration has its own."""
    async with (
        process(rules=BudgetRules(tenant=budgets("90/month"))) as one,
        process(rules=BudgetRules(tenant=budgets("80/month"))) as other,
    ):
        limits = [of(each, Caller(key=KEY)).counters[-1][1] for each in (one, other)]

    assert limits == [Decimal(90), Decimal(80)]


async def test_users_and_threads_with_budgets_have_plans_of_their_own() -> None:
    """One's money is not the other's."""
    async with process(rules=BudgetRules(user=budgets("1/day"), thread=budgets("2/total"))) as lor3:
        anna = of(lor3, Caller(key=KEY), user="anna", thread="t1")
        ben = of(lor3, Caller(key=KEY), user="ben", thread="t2")

    assert [each.subject.id for each in anna.applied] == ["k1", "anna", "t1"]
    assert [each.subject.id for each in ben.applied] == ["k1", "ben", "t2"]
