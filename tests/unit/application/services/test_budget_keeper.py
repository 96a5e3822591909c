"""Money of budgets, held by several processes over one store."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal

import attrs
import pytest

from adapters.in_memory.store import InMemoryStore
from adapters.prices.genai_price_book import GenaiPriceBook
from application.services.purse import Purse
from application.services.transcript import Transcript
from domain.access import Caller
from domain.chat import UsageReported
from domain.errors import BudgetExceeded, InvalidRequest, StorageUnavailable
from domain.ids import DEFAULT_TENANT
from domain.limits.budget import Spend
from domain.limits.budget_rules import BudgetRules
from domain.model import ModelRef, ModelSpec
from domain.telemetry import BudgetPassed, BudgetRefused
from tests.support.budgets import FREE, SPEC, UNPRICED, Process, budgets, process, request

QUICK = BudgetRules(tenant=budgets("100/total"), wait_s=0.1)


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()


@pytest.fixture
async def one(store: InMemoryStore) -> AsyncIterator[Process]:
    async with process(store, rules=QUICK) as opened:
        yield opened


def spent(store: InMemoryStore) -> Decimal:
    return sum(store.shelves.spent_usd.values(), Decimal(0))


def held(store: InMemoryStore) -> Decimal:
    return sum((amount for holds in store.shelves.holds.values() for amount, _ in holds.values()), Decimal(0))


def store_spends(store: InMemoryStore, spends: tuple[Spend, ...]) -> None:
    """As the journal does."""
    for spend in spends:
        for counter in store.shelves.spent_usd:
            if counter[1:] == (spend.subject, spend.period, spend.starts_at):
                store.shelves.spent_usd[counter] += spend.amount_usd


def pay(store: InMemoryStore, purse: Purse, cost: int | str) -> None:
    store_spends(store, purse.spends(Decimal(cost)))
    purse.settle(Decimal(cost))
    purse.close()


async def until(store: InMemoryStore, amount: int) -> None:
    """Waits until so much is held."""
    async with asyncio.timeout(30):
        while held(store) != amount:  # noqa: ASYNC110 - the keeper tells nobody
            await asyncio.sleep(0.02)


def test_no_budget_opens_no_purse() -> None:
    """Such chats pay nothing for there being budgets."""
    assert BudgetRules().applied(DEFAULT_TENANT, key=None, user="u", thread_id="t") == ()


async def test_call_is_covered_before_it_is_made(store: InMemoryStore, one: Process) -> None:
    """For the most it can cost; what it did not cost is free at once, and given back before long."""
    purse = await one.covered(60)
    assert held(store) >= 60
    with pytest.raises(BudgetExceeded) as refused:
        await one.covered(60)
    pay(store, purse, 10)
    second = await one.covered(90)
    pay(store, second, 90)
    await until(store, 0)

    assert spent(store) == 100
    assert refused.value.retryable
    assert refused.value.retry_after_s == 1.0


async def test_used_up_budget_refuses_and_says_so(store: InMemoryStore, one: Process) -> None:
    """Which, what is left, when it begins anew, and what would fit; telemetry is told."""
    assert one.keeper.least_left() is None
    pay(store, await one.covered(95), 95)
    purse = one.purse(max_tokens=6)
    with pytest.raises(BudgetExceeded) as refused:
        await purse.cover(SPEC, request(6))
    purse.refused()
    assert one.keeper.least_left() == pytest.approx(0.05)
    state = refused.value.budget
    assert state is not None

    assert "tenant total 100 95 5" == (
        f"{state.subject} {state.period} {state.limit_usd} {state.spent_usd} {state.left_usd}"
    )
    assert not refused.value.retryable
    assert "has 5 USD left" in refused.value.detail
    assert "`max_tokens` of 5 or less would fit" in refused.value.detail
    assert ["tenant total 95"] == [
        f"{each.subject} {each.period} {each.spent_usd}" for each in one.telemetry.of(BudgetRefused)
    ]


async def test_call_waits_for_what_is_only_reserved(store: InMemoryStore, one: Process) -> None:
    """It goes ahead when the other one is done."""
    purse = await one.covered(100)
    waiting = asyncio.create_task(one.covered(50))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    pay(store, purse, 50)

    pay(store, await waiting, 50)
    assert spent(store) == 100


async def test_money_of_another_process_is_waited_for(store: InMemoryStore) -> None:
    """Also what it holds to spare."""
    rules = attrs.evolve(QUICK, wait_s=5.0)
    async with process(store, rules=rules) as one, process(store, rules=rules) as two:
        purse = await one.covered(70)
        waiting = asyncio.create_task(two.covered(80))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        pay(store, purse, 5)

        pay(store, await waiting, 80)
        assert spent(store) == 85


async def test_last_money_is_not_kept_idle(store: InMemoryStore) -> None:
    """Where others have little beside it, what is spare is given back at once, not at the next look."""
    rules = attrs.evolve(QUICK, wait_s=5.0)
    async with (
        process(store, rules=rules, beat_s=60.0, idle_s=60.0) as one,
        process(store, rules=rules) as two,
        asyncio.timeout(20),
    ):
        pay(store, await one.covered(60), 10)
        pay(store, await two.covered(85), 85)

    assert spent(store) == 95


async def test_what_killed_processes_held_is_swept_by_an_idle_one(store: InMemoryStore) -> None:
    """The server has no need of chats for that."""
    async with AsyncExitStack() as stack:
        killed = await stack.enter_async_context(process(store, rules=QUICK, lease_s=0.05))
        await killed.covered(90)
        assert killed.keeper._task is not None
        killed.keeper._task.cancel()
        async with process(store, rules=QUICK, sweep_s=0.1):
            await until(store, 0)
            assert store.shelves.spent_usd == {}
        killed.keeper._task = None


async def test_unasked_answer_is_shortened_to_what_is_left(store: InMemoryStore, one: Process) -> None:
    """With a warning; where not even 16 tokens fit it is refused."""
    pay(store, await one.covered(70), 70)
    purse = one.purse()
    covered = await purse.cover(SPEC, request())
    pay(store, purse, 20)

    assert covered.max_tokens == 30
    assert "30 tokens at most, not 10,000" in purse.warnings[0]
    with pytest.raises(BudgetExceeded) as refused:
        await one.purse().cover(SPEC, request())
    assert "max_tokens" not in refused.value.detail


async def test_model_without_known_limits_is_given_one(one: Process) -> None:
    """Else nobody could say what a call costs at most."""
    covered = await one.purse().cover(ModelSpec(ref=SPEC.ref), request())

    assert covered.max_tokens == 100


async def test_second_call_of_a_chat_is_covered_too(store: InMemoryStore, one: Process) -> None:
    """Both are reserved; a call that said nothing leaves its cover to the next."""
    purse = one.purse(max_tokens=50)
    for _ in range(3):
        await purse.cover(SPEC, request(50))
        purse.unsaid()
    await purse.cover(SPEC, request(50))
    await purse.cover(SPEC, request(40))
    with pytest.raises(BudgetExceeded):
        await purse.cover(SPEC, request(20))
    pay(store, purse, 90)
    await until(store, 0)

    assert spent(store) == 90


async def test_cut_call_keeps_no_more_than_what_it_said_may_cost(store: InMemoryStore, one: Process) -> None:
    """A dollar for each byte, or what was reported of an answer that came to its end; the next call has the rest."""
    purse = one.purse(max_tokens=80)
    await purse.cover(SPEC, request(80))
    purse.ended(Transcript(["Half an ☃"]))
    await purse.cover(SPEC, request(80))
    reported = UsageReported(input_tokens=3, output_tokens=9)
    purse.ended(Transcript(["Whole"], reported=reported, finish_reason="stop"))
    await purse.cover(SPEC, request(80))
    pay(store, purse, 100)
    await until(store, 0)

    assert spent(store) == 100


async def test_chat_does_not_wait_for_what_it_has_spent_itself(store: InMemoryStore, one: Process) -> None:
    """That never comes back while it waits; what a silent call had left is free with the refusal."""
    one.budgets = attrs.evolve(one.budgets, rules=attrs.evolve(QUICK, wait_s=30.0))
    purse = one.purse(max_tokens=60)
    await purse.cover(SPEC, request(60))
    async with asyncio.timeout(10):
        with pytest.raises(BudgetExceeded) as refused:
            await purse.cover(SPEC, request(60))
        purse.unsaid()
        with pytest.raises(BudgetExceeded) as dearer:
            await purse.cover(SPEC, request(101))
    purse.close()

    assert "has 40 USD left" in refused.value.detail
    assert [False, False] == [each.value.retryable for each in (refused, dearer)]
    assert [40, 100] == [each.value.budget and each.value.budget.left_usd for each in (refused, dearer)]


async def test_all_calls_of_a_chat_wait_no_longer_than_one(store: InMemoryStore, one: Process) -> None:
    """A model that is passed over for money that others hold leaves no further wait to the next."""
    one.budgets = attrs.evolve(one.budgets, rules=attrs.evolve(QUICK, wait_s=1.0))
    other, purse = await one.covered(90), one.purse(max_tokens=60)
    began = asyncio.get_running_loop().time()
    for _ in range(5):
        with pytest.raises(BudgetExceeded) as refused:
            await purse.cover(SPEC, request(60))
        assert refused.value.retryable
    assert asyncio.get_running_loop().time() - began < 3
    other.close()
    purse.close()


async def test_tier_without_a_price_is_named(store: InMemoryStore) -> None:
    """It is what the tier costs that nobody knows, not what the model does."""
    prices = GenaiPriceBook(vendors={"openai": "openai"})
    spec = ModelSpec(ref=ModelRef("openai", "gpt-4o-mini"), context_window=100_000, max_output_tokens=1_000)
    async with process(store, rules=QUICK, prices=prices) as one:
        asked = attrs.evolve(request(10, spec.ref), parameters={"service_tier": "nobody-knows"})
        with pytest.raises(InvalidRequest) as refused:
            await one.purse(max_tokens=10).cover(spec, asked)
        await one.purse(max_tokens=10).cover(spec, attrs.evolve(asked, parameters={"service_tier": "auto"}))

    assert ["service_tier"] == [fault.path for fault in refused.value.faults]
    assert "with this `service_tier` is unknown" in refused.value.detail


async def test_closed_purse_gives_all_back(store: InMemoryStore, one: Process) -> None:
    """Any number of times; nothing is spent."""
    for _ in range(3):
        purse = await one.covered(90)
        purse.close()
        purse.close()
    await until(store, 0)

    assert spent(store) == 0


async def test_lost_chat_counts(store: InMemoryStore, one: Process) -> None:
    """The database is told with the next exchange."""
    purse = await one.covered(90)
    purse.lose(Decimal(80))
    purse.close()
    with pytest.raises(BudgetExceeded):
        await one.covered(30)
    await until(store, 0)

    assert spent(store) == 80


async def test_provider_that_bills_more_than_can_be_is_believed(store: InMemoryStore, one: Process) -> None:
    """The truth counts, past the limit; nobody is let in until then."""
    pay(store, await one.covered(60), 130)
    with pytest.raises(BudgetExceeded) as refused:
        await one.covered(1)
    await until(store, 0)

    assert spent(store) == 130
    assert refused.value.budget is not None
    assert refused.value.budget.left_usd == 0


async def test_unknown_price_is_refused_unless_allowed(store: InMemoryStore, one: Process) -> None:
    """By the candidate, with a remedy; a free model needs nothing."""
    with pytest.raises(InvalidRequest, match="prices"):
        one.purse().demand_price(ModelSpec(ref=UNPRICED))
    free = one.purse()
    free.demand_price(ModelSpec(ref=FREE))
    await free.cover(ModelSpec(ref=FREE), request(None, FREE))
    async with process(store, rules=attrs.evolve(QUICK, unpriced="allow")) as lenient:
        purse = lenient.purse(max_tokens=5)
        purse.demand_price(ModelSpec(ref=UNPRICED))
        await purse.cover(ModelSpec(ref=UNPRICED), request(5, UNPRICED))
        assert purse.spends(None) == ()
        await purse.cover(SPEC, request(5))
        assert [each.amount_usd for each in purse.spends(None)] == [5]
        purse.close()


async def test_soft_budget_tells_and_does_not_refuse(store: InMemoryStore) -> None:
    """Once in its period; chats after it are warned."""
    rules = BudgetRules(tenant=(*budgets("50/day", soft=True), *budgets("100/day")))
    async with process(store, rules=rules) as one:
        first = await one.covered(60)
        assert first.warnings == ()
        pay(store, first, 60)
        second = await one.covered(10)
        pay(store, second, 10)
        states = second.states()

    assert ["the budget of 50 USD for the day of the tenant is used up: 60 USD are spent"] == list(
        second.warnings
    )
    assert [60] == [each.spent_usd for each in one.telemetry.of(BudgetPassed)]
    assert ["True 50 70 0", "False 100 70 30"] == [
        f"{each.soft} {each.limit_usd} {each.spent_usd} {each.left_usd}" for each in states
    ]


async def test_all_of_its_budgets_hold_a_chat(store: InMemoryStore) -> None:
    """The tightest decides; a thread's and a user's are each their own."""
    rules = BudgetRules(
        tenants={"acme": budgets("1000/day")},
        tenant=budgets("5/day"),
        user=budgets("50/month"),
        thread=budgets("20/total"),
        wait_s=0.05,
    )
    async with process(store, rules=rules) as one:

        async def spend(cost: int, *, user: str, thread: str, tenant: str = "acme") -> None:
            purse = one.purse(max_tokens=cost, tenant=tenant, user=user, thread=thread)
            try:
                await purse.cover(SPEC, request(cost))
                pay(store, purse, cost)
            finally:
                purse.close()

        await spend(20, user="ann", thread="1")
        for user, thread, tenant, whose in (
            ("ann", "1", "acme", "thread"),
            ("bob", "2", "other", "tenant"),
        ):
            with pytest.raises(BudgetExceeded) as refused:
                await spend(6, user=user, thread=thread, tenant=tenant)
            assert refused.value.budget is not None
            assert refused.value.budget.subject == whose
        await spend(20, user="ann", thread="2")
        with pytest.raises(BudgetExceeded) as refused:
            await spend(11, user="ann", thread="3")
        await spend(11, user="bob", thread="3")

    assert refused.value.budget is not None
    assert (refused.value.budget.subject, refused.value.budget.period) == ("user", "month")
    assert held(store) == 0


async def test_users_browser_sees_its_own_figures_only(store: InMemoryStore) -> None:
    """Neither in an answer, nor in the configuration, nor in a refusal."""
    rules = BudgetRules(tenant=budgets("10/day"), user=budgets("50/day"), wait_s=0.05)
    caller = Caller(user="ann")
    async with process(store, rules=rules) as one:
        purse = one.purse(max_tokens=8, caller=caller, user="ann")
        await purse.cover(SPEC, request(8))
        pay(store, purse, 8)
        assert ["user 8"] == [f"{each.subject} {each.spent_usd}" for each in purse.states()]
        assert ["user 8"] == [f"{each.subject} {each.spent_usd}" for each in await one.budgets.states(caller)]
        with pytest.raises(BudgetExceeded) as refused:
            await one.purse(max_tokens=8, caller=caller, user="ann").cover(SPEC, request(8))

    assert refused.value.budget is None
    assert "10" not in refused.value.detail


async def test_killed_process_loses_its_hold_with_its_lease(store: InMemoryStore) -> None:
    """Then the money is anybody's."""
    rules = attrs.evolve(QUICK, wait_s=3.0)
    async with AsyncExitStack() as stack:
        killed = await stack.enter_async_context(process(store, rules=rules, lease_s=0.5))
        await killed.covered(90)
        assert killed.keeper._task is not None
        killed.keeper._task.cancel()  # no more is heard of it
        async with process(store, rules=rules) as other:
            pay(store, await other.covered(90), 90)
        killed.keeper._task = None

    assert spent(store) == 90


async def test_database_that_is_away_asks_nobody(store: InMemoryStore, one: Process) -> None:
    """What a chat needs beyond what is at hand can't be had; it is there again with the database."""
    store.shelves.available = False
    with pytest.raises(StorageUnavailable, match="nothing was asked"):
        await one.covered(1)
    store.shelves.available = True

    pay(store, await one.covered(1), 1)


async def test_changed_limit_counts_at_once(store: InMemoryStore, one: Process) -> None:
    """What was held by the old one is judged anew."""
    pay(store, await one.covered(20), 20)
    one.budgets = attrs.evolve(one.budgets, rules=attrs.evolve(QUICK, tenant=budgets("30/total")))
    with pytest.raises(BudgetExceeded):
        await one.covered(11)

    pay(store, await one.covered(10), 10)


async def test_next_period_begins_with_all_of_the_budget(store: InMemoryStore) -> None:
    """A chat under way counts in the period that it began in."""
    shelves = store.shelves
    moment = datetime.datetime(2026, 1, 31, 23, 59, 59, 700_000, tzinfo=datetime.UTC)
    began = asyncio.get_running_loop().time()
    shelves.now = lambda: moment + datetime.timedelta(seconds=asyncio.get_running_loop().time() - began)
    async with process(store, rules=BudgetRules(tenant=budgets("100/day"), wait_s=0.05)) as one:
        over_midnight = await one.covered(80)
        with pytest.raises(BudgetExceeded):
            await one.covered(80)
        await asyncio.sleep(0.4)
        today = await one.covered(80)
        pay(store, over_midnight, 70)
        pay(store, today, 60)

    assert {"2026-01-31": 70, "2026-02-01": 60} == {
        str(counter[3].date()): amount for counter, amount in shelves.spent_usd.items()
    }
    assert held(store) == 0


async def test_many_processes_never_overshoot(store: InMemoryStore) -> None:
    """A thousand chats at once for a budget of about a third of what they may cost; all that was let in is paid."""
    rules = BudgetRules(tenant=budgets("1000/total"), wait_s=0.5)
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(process(store, rules=rules)) for _ in range(4)]
        paid: list[int] = []

        async def chat(number: int) -> None:
            most = 1 + number % 9
            try:
                purse = await processes[number % 4].covered(most)
            except BudgetExceeded:
                return
            await asyncio.sleep(0.001 * (number % 7))
            kind = number % 10
            if kind == 0:
                purse.lose(Decimal(most))
                paid.append(most)
                purse.close()
            elif kind == 1:
                purse.close()
            else:
                cost = 1 + number % most
                paid.append(cost)
                pay(store, purse, cost)
            assert spent(store) <= 1000

        await asyncio.gather(*(chat(number) for number in range(1000)))

    assert sum(paid) == spent(store)
    assert 990 <= spent(store) <= 1000
    assert held(store) == 0
