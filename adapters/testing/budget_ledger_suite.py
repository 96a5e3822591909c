"""What every store does with budgets; part of `StoreSuite`."""

import asyncio
import datetime
import uuid
from decimal import Decimal

import attrs

from adapters.testing.chats_to_store import first_chat, further_chat
from adapters.testing.prompts_to_store import OTHER_TENANT, Stores
from application.ports.budget_ledger import CounterKey, CounterState, HoldRequest
from application.ports.store import Store
from domain.errors import NotFound
from domain.ids import DEFAULT_TENANT
from domain.limits.budget import EPOCH, Spend, Subject, period_end, period_start
from domain.thread import ChatRecord

ONE, TWO = str(uuid.uuid4()), str(uuid.uuid4())
"""Holders."""
KEY = CounterKey(DEFAULT_TENANT, Subject("user", "ann ☃"), "total")


def usd(text: str) -> Decimal:
    return Decimal(text)


async def hold(
    store: Store,
    holder: str = ONE,
    *,
    key: CounterKey = KEY,
    limit: str | None = "10",
    committed: str = "0",
    keep: str | None = None,
    needed: str = "0",
    wished: str = "0",
    lost: str = "0",
    lease_s: float = 10.0,
) -> CounterState:
    request = HoldRequest(
        key=key,
        limit_usd=None if limit is None else usd(limit),
        committed_usd=usd(committed),
        keep_usd=usd(committed if keep is None else keep),
        needed_usd=usd(needed),
        wished_usd=usd(wished),
        lost_usd=usd(lost),
    )
    (state,) = await store.budgets.exchange(holder, [request], lease_s=lease_s)
    return state


def spending(record: ChatRecord, amount: str, *, key: CounterKey = KEY) -> ChatRecord:
    spend = Spend(subject=key.subject, period=key.period, starts_at=EPOCH, amount_usd=usd(amount))
    return attrs.evolve(record, spends=(spend,))


class BudgetLedgerSuite:
    async def test_new_counter_has_spent_nothing(self, stores: Stores) -> None:
        """It begins with its period, by the database's clock."""
        store, _ = stores
        for period in ("day", "month"):
            state = await hold(store, key=attrs.evolve(KEY, period=period))
            start = period_start(period, state.now)

            assert (usd("0"), usd("0"), usd("0")) == (state.spent_usd, state.held_usd, state.others_usd)
            assert (start, period_end(period, start)) == (state.starts_at, state.resets_at)
            assert abs(state.now - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=1)
        state = await hold(store)

        assert (state.starts_at, state.resets_at) == (EPOCH, None)

    async def test_need_is_met_as_far_as_there_is_money(self, stores: Stores) -> None:
        """What one holds, another does not get; the last of it goes in part."""
        store, other = stores
        first = await hold(store, ONE, needed="7.5")
        second = await hold(other, TWO, needed="7.5")
        third = await hold(store, str(uuid.uuid4()), needed="0.000000000001")

        assert (usd("7.5"), usd("0")) == (first.held_usd, first.others_usd)
        assert (usd("2.5"), usd("7.5")) == (second.held_usd, second.others_usd)
        assert (usd("0"), usd("10")) == (third.held_usd, third.others_usd)

    async def test_wish_is_met_up_to_an_eighth_of_what_is_left(self, stores: Stores) -> None:
        """The need in any case; further calls keep what there is."""
        store, _ = stores
        first = await hold(store, needed="0.5", wished="0.75")
        second = await hold(store, keep="0.75", needed="0.5", wished="9")
        third = await hold(store, keep="2", needed="4", wished="0")

        assert [usd("0.75"), usd("1.90625"), usd("5.90625")] == [
            first.held_usd,
            second.held_usd,
            third.held_usd,
        ]

    async def test_spare_is_given_back_and_what_is_committed_is_not(self, stores: Stores) -> None:
        """An absolute amount: to say it twice changes nothing."""
        store, other = stores
        await hold(store, needed="8")
        for _ in range(2):
            kept = await hold(store, committed="3", keep="4")
            assert usd("4") == kept.held_usd
        await hold(store, committed="3")

        assert usd("3") == (await hold(other, TWO)).others_usd
        await hold(store)
        assert usd("0") == (await hold(other, TWO)).others_usd

    async def test_hold_ends_with_its_lease(self, stores: Stores) -> None:
        """Then another may have it; who held it holds only what its calls need, whatever that makes of the limit."""
        store, other = stores
        await hold(store, committed="6", keep="6", lease_s=0.0)
        second = await hold(other, TWO, needed="9")
        first = await hold(store, committed="6", keep="8", needed="1")

        assert (usd("9"), usd("0")) == (second.held_usd, second.others_usd)
        assert (usd("6"), usd("9")) == (first.held_usd, first.others_usd)

    async def test_sweep_removes_what_is_over_and_nothing_else(self, stores: Stores) -> None:
        """Of all tenants."""
        store, other = stores
        theirs = attrs.evolve(KEY, tenant=OTHER_TENANT)
        await hold(store, needed="1", lease_s=0.0)
        await hold(store, key=theirs, needed="1", lease_s=0.0)
        await hold(other, TWO, key=theirs, needed="2")

        assert await store.budgets.sweep() >= 1
        assert await store.budgets.sweep() == 0
        assert [usd("0"), usd("2")] == [each.others_usd for each in await other.budgets.read([KEY, theirs])]

    async def test_counters_are_kept_apart(self, stores: Stores) -> None:
        """By tenant, subject and period, all in one call."""
        store, _ = stores
        keys = [
            KEY,
            attrs.evolve(KEY, tenant=OTHER_TENANT),
            attrs.evolve(KEY, period="day"),
            attrs.evolve(KEY, period="month"),
            attrs.evolve(KEY, subject=Subject("key", KEY.subject.id)),
            attrs.evolve(KEY, subject=Subject("user", "bob")),
        ]
        requests = [
            HoldRequest(key=key, limit_usd=usd("10"), needed_usd=Decimal(number), lost_usd=Decimal(number))
            for number, key in enumerate(keys)
        ]
        states = await store.budgets.exchange(ONE, requests, lease_s=10)

        assert [Decimal(number) for number in range(6)] == [state.held_usd for state in states]
        assert [Decimal(number) for number in range(6)] == [state.spent_usd for state in states]
        assert [(Decimal(number), Decimal(number)) for number in range(6)] == [
            (state.spent_usd, state.others_usd) for state in await store.budgets.read(keys)
        ]

    async def test_chat_is_counted_with_its_record(self, stores: Stores) -> None:
        """Exactly, once, and by the side of what is held; also where its thread goes on."""
        store, other = stores
        record = first_chat()
        await store.journal.commit(spending(record, "0.000000000001"))
        await store.journal.commit(spending(record, "0.000000000001"))  # the same once more: nothing
        await store.journal.commit(spending(further_chat(record), "4"))
        state = await hold(other, needed="6")

        assert (usd("4.000000000001"), usd("5.999999999999")) == (state.spent_usd, state.held_usd)

    async def test_chat_that_is_not_stored_is_not_counted(self, stores: Stores) -> None:
        """Its thread is gone; those beside it count."""
        store, _ = stores
        gone, found = further_chat(first_chat()), first_chat()
        results = await asyncio.gather(
            store.journal.commit(spending(found, "1")),
            store.journal.commit(spending(gone, "2")),
            store.journal.commit(spending(first_chat(), "3")),
            return_exceptions=True,
        )

        assert [None, NotFound, None] == [None if each is None else type(each) for each in results]
        assert usd("4") == (await hold(store)).spent_usd

    async def test_lost_money_is_spent(self, stores: Stores) -> None:
        """Past the limit, too."""
        store, _ = stores
        state = await hold(store, lost="12", needed="1")

        assert (usd("12"), usd("0")) == (state.spent_usd, state.held_usd)

    async def test_without_a_limit_nothing_is_reserved(self, stores: Stores) -> None:
        """For those who only want to know."""
        store, _ = stores

        assert usd("0") == (await hold(store, limit=None, needed="5", wished="5")).held_usd

    async def test_many_at_once_never_get_more_than_there_is(self, stores: Stores) -> None:
        """Holders and chats on both stores: sooner or later all of the limit is spent or held, and no more."""
        store, other = stores
        chats = [first_chat() for _ in range(10)]
        holds = [
            asyncio.ensure_future(hold(each, str(uuid.uuid4()), needed="0.7", wished="2"))
            for each in (store, other) * 10
        ]
        await asyncio.gather(*(store.journal.commit(spending(chat, "0.01")) for chat in chats))
        states = await asyncio.gather(*holds)
        now = (await store.budgets.read([KEY]))[0]

        assert now.others_usd == sum((state.held_usd for state in states), Decimal(0))
        assert usd("9.8") <= now.others_usd <= usd("10")
        assert usd("0.1") == now.spent_usd
