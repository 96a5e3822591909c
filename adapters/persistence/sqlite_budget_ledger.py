"""Counters and holds of budgets in SQLite: one transaction a call, in a thread of its own.

Money is decimal text there, so all arithmetic is Python's, inside the transaction that has the file's write lock.
"""

import asyncio
import datetime
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, Final, TypeVar

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from adapters.persistence import failures
from adapters.persistence.sqlite_counters import COUNTER_KEY, SPENT, as_bound, count, of_key
from adapters.persistence.tables import BUDGET_COUNTERS, BUDGET_HOLDS
from application.ports.budget_ledger import CounterKey, CounterState, HoldRequest
from domain.limits.budget import period_end, period_start
from domain.limits.holding import holding

T = TypeVar("T")

DAYS_KEPT: Final = datetime.timedelta(days=100)
"""Of counters of days: longer than any day's chats may run."""


_HOLDS: Final = sa.select(BUDGET_HOLDS.c.holder, BUDGET_HOLDS.c.amount_usd, BUDGET_HOLDS.c.lease_until).where(
    of_key(BUDGET_HOLDS)
)
_DROP: Final = sa.delete(BUDGET_HOLDS).where(
    of_key(BUDGET_HOLDS), BUDGET_HOLDS.c.holder == sa.bindparam("of_holder")
)
_FORGET: Final = sa.delete(BUDGET_COUNTERS).where(of_key(BUDGET_COUNTERS))
_HOLD: Final = insert(BUDGET_HOLDS)
_HOLD_UPSERT: Final = _HOLD.on_conflict_do_update(
    index_elements=list(BUDGET_HOLDS.primary_key.columns),
    set_={"amount_usd": _HOLD.excluded.amount_usd, "lease_until": _HOLD.excluded.lease_until},
)


@attrs.define(kw_only=True)
class SQLiteBudgetLedger:
    _open: Callable[[], sa.Engine]
    """Whose transactions take the write lock when they begin; called at the first use, in the thread."""
    _engine: sa.Engine | None = attrs.field(default=None, init=False)
    _thread: ThreadPoolExecutor = attrs.field(
        factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="lor3-budgets"), init=False
    )

    async def exchange(
        self, holder: str, requests: Sequence[HoldRequest], *, lease_s: float
    ) -> tuple[CounterState, ...]:
        lease = datetime.timedelta(seconds=lease_s)
        return await self._run(
            lambda connection: tuple(
                [_exchange(connection, holder, each, _now(), lease) for each in requests]
            )
        )

    async def read(self, keys: Sequence[CounterKey]) -> tuple[CounterState, ...]:
        return await self._run(lambda connection: tuple([_read(connection, key, _now()) for key in keys]))

    async def sweep(self) -> int:
        def sweep(connection: sa.Connection) -> int:
            now = _now()
            connection.execute(
                sa.delete(BUDGET_COUNTERS).where(
                    BUDGET_COUNTERS.c.period == "day", BUDGET_COUNTERS.c.starts_at < now - DAYS_KEPT
                )
            )
            is_over = BUDGET_HOLDS.c.lease_until <= now
            names = [BUDGET_HOLDS.c[name] for name in COUNTER_KEY]
            counters = connection.execute(sa.select(*names).where(is_over).distinct()).mappings().all()
            removed = connection.execute(sa.delete(BUDGET_HOLDS).where(is_over)).rowcount
            for counter in counters:
                bound = as_bound(dict(counter))
                if not connection.execute(_HOLDS, bound).first() and not connection.scalar(SPENT, bound):
                    connection.execute(_FORGET, bound)
            return removed

        return await self._run(sweep)

    async def aclose(self) -> None:
        if self._engine is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[sa.Connection], T]) -> T:
        def run() -> T:
            if self._engine is None:
                self._engine = self._open()
            with self._engine.begin() as connection:
                return work(connection)

        with failures.translated():
            return await asyncio.get_running_loop().run_in_executor(self._thread, run)


def _exchange(
    connection: sa.Connection,
    holder: str,
    asked: HoldRequest,
    now: datetime.datetime,
    lease: datetime.timedelta,
) -> CounterState:
    counter = _counter(asked.key, asked.starts_at or period_start(asked.key.period, now))
    bound = as_bound(counter)
    spent = count(connection, counter, asked.lost_usd)
    mine = others = Decimal(0)
    for each in connection.execute(_HOLDS, bound).all():
        if each.lease_until <= now:
            connection.execute(_DROP, {**bound, "of_holder": each.holder})
        elif each.holder == holder:
            mine = each.amount_usd
        else:
            others += each.amount_usd
    held = holding(
        limit_usd=asked.limit_usd,
        spent_usd=spent,
        others_usd=others,
        mine_usd=mine,
        committed_usd=asked.committed_usd,
        keep_usd=asked.keep_usd,
        needed_usd=asked.needed_usd,
        wished_usd=asked.wished_usd,
    )
    if held:
        connection.execute(
            _HOLD_UPSERT, {**counter, "holder": holder, "amount_usd": held, "lease_until": now + lease}
        )
    elif mine:
        connection.execute(_DROP, {**bound, "of_holder": holder})
    if not (spent or held or others):
        # It says nothing, such as that of a thread whose chat was refused.
        connection.execute(_FORGET, bound)
    return _state(counter, spent, held, others, now)


def _read(connection: sa.Connection, key: CounterKey, now: datetime.datetime) -> CounterState:
    counter = _counter(key, period_start(key.period, now))
    bound = as_bound(counter)
    spent: Decimal | None = connection.scalar(SPENT, bound)
    holds = connection.execute(_HOLDS, bound).all()
    others = sum((each.amount_usd for each in holds if each.lease_until > now), Decimal(0))
    return _state(counter, spent or Decimal(0), Decimal(0), others, now)


def _counter(key: CounterKey, starts_at: datetime.datetime) -> dict[str, Any]:
    return {
        "tenant": key.tenant,
        "subject": key.subject.kind,
        "subject_id": key.subject.id,
        "period": key.period,
        "starts_at": starts_at,
    }


def _state(
    counter: dict[str, Any], spent: Decimal, held: Decimal, others: Decimal, now: datetime.datetime
) -> CounterState:
    return CounterState(
        starts_at=counter["starts_at"],
        resets_at=period_end(counter["period"], counter["starts_at"]),
        spent_usd=spent,
        held_usd=held,
        others_usd=others,
        now=now,
    )


def _now() -> datetime.datetime:
    """SQLite has no other clock than its machine's, which all who write the file share."""
    return datetime.datetime.now(datetime.UTC)
