"""Which rows budgets leave in the tables: none that say nothing, none of threads that are gone."""

import asyncio
import datetime
from decimal import Decimal

import attrs

from adapters.persistence.store import create
from adapters.persistence.tables import BUDGET_COUNTERS, BUDGET_HOLDS
from adapters.testing.budget_ledger_suite import KEY, ONE, TWO, hold, spending
from adapters.testing.chats_to_store import first_chat, new_id
from adapters.testing.prompts_to_store import OTHER_TENANT
from application.ports.budget_ledger import CounterKey
from application.ports.maintenance import Retention
from application.ports.store import Store
from domain.ids import DEFAULT_TENANT, ThreadId
from domain.limits.budget import Subject
from domain.thread import ChatRecord
from tests.support.records import row_counts, store_config


def rows(url: str) -> tuple[int, int]:
    """Counters and holds."""
    counters, holds = row_counts(url, (BUDGET_COUNTERS, BUDGET_HOLDS)).values()
    return counters, holds


async def test_counter_that_says_nothing_leaves_no_row(store: Store, url: str) -> None:
    """Where a chat was refused, where what it held came back, where its process was killed."""
    await hold(store, limit=None)
    await hold(store, limit="0.1", lost="0", keep="3")
    assert rows(url) == (0, 0)
    await hold(store, needed="1")
    await hold(store, TWO, needed="1", lease_s=0.0)
    assert rows(url) == (1, 2)
    await hold(store, ONE)
    assert rows(url) == (0, 0)

    for period in ("day", "month", "total"):
        await hold(store, key=attrs.evolve(KEY, period=period), needed="1", lease_s=0.0)
    assert (await store.budgets.sweep(), rows(url)) == (3, (0, 0))


async def test_counter_that_is_held_or_spent_stays(store: Store, url: str) -> None:
    """Whatever another's hold comes to."""
    await hold(store, lost="1")
    await hold(store, key=attrs.evolve(KEY, period="month"), needed="1")
    for key in (KEY, attrs.evolve(KEY, period="month")):
        await hold(store, TWO, key=key, needed="2", lease_s=0.0)
    assert rows(url) == (2, 3)

    assert (await store.budgets.sweep(), rows(url)) == (2, (2, 1))
    assert (await hold(store)).spent_usd == 1


async def test_money_is_counted_while_counters_come_and_go(store: Store) -> None:
    """Chats, exchanges and sweeps at once."""
    chats = [first_chat() for _ in range(20)]
    work = [store.journal.commit(spending(chat, "0.01")) for chat in chats]
    asked = [hold(store, holder, needed=need) for holder in (ONE, TWO) for need in ("0", "1", "0") * 5]
    swept = [store.budgets.sweep() for _ in range(5)]
    await asyncio.gather(*work, *asked, *swept)

    assert (await hold(store)).spent_usd == Decimal("0.2")


async def test_exchange_outlasts_others_that_have_all_connections(postgres_url: str) -> None:
    """Many chats wait for it; a reader may be refused meanwhile."""
    store = create(store_config(postgres_url, pool_size=2, acquire_timeout_s=0.4))
    await store.start()
    async with store.unit_of_work(DEFAULT_TENANT) as work:  # the other one writes
        await work.threads.lock(ThreadId(new_id()))
        asked = asyncio.ensure_future(hold(store, needed="1"))
        await asyncio.sleep(0.7)
        assert not asked.done()
    assert (await asked).held_usd == 1
    await store.aclose()


async def test_purged_thread_takes_its_counters_along(store: Store, url: str) -> None:
    """And no other's: not those of its tenant, of another thread, of the same id elsewhere."""
    record = await _spent_thread(store)
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        assert await work.threads.purge(record.thread.id)
        await work.commit()

    assert rows(url) == (3, 0)


async def test_deleted_thread_takes_its_counters_along_at_last(store: Store, url: str) -> None:
    """Once it is past its time."""
    record = await _spent_thread(store)
    now = datetime.datetime.now(datetime.UTC)
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.threads.delete(record.thread.id, at=now - datetime.timedelta(days=40))
        await work.commit()
    assert rows(url) == (4, 1)
    await store.maintenance.prune(
        Retention(messages_before=None, deleted_before=now - datetime.timedelta(days=30), keys_before=now)
    )

    assert rows(url) == (3, 0)


async def _spent_thread(store: Store) -> ChatRecord:
    """A thread that has spent something and holds something, and three counters beside it."""
    record = first_chat()
    subject = Subject("thread", record.thread.id)
    await store.journal.commit(spending(record, "1", key=CounterKey(DEFAULT_TENANT, subject, "total")))
    await hold(store, key=CounterKey(DEFAULT_TENANT, subject, "total"), needed="1")
    for key in (
        KEY,
        CounterKey(OTHER_TENANT, subject, "total"),
        CounterKey(DEFAULT_TENANT, Subject("user", record.thread.id), "total"),
    ):
        await hold(store, key=key, lost="1")
    return record
