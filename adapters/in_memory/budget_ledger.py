"""Counters and holds of budgets in this process."""

import datetime
from collections.abc import Sequence
from decimal import Decimal

from adapters.in_memory.shelves import Counter, Shelves
from application.ports.budget_ledger import CounterKey, CounterState, HoldRequest
from domain.limits.budget import period_end, period_start
from domain.limits.holding import holding
from domain.values import frozen


@frozen(kw_only=True)
class InMemoryBudgetLedger:
    _shelves: Shelves

    async def exchange(
        self, holder: str, requests: Sequence[HoldRequest], *, lease_s: float
    ) -> tuple[CounterState, ...]:
        shelves = self._shelves
        shelves.demand()
        now = shelves.now()
        until = now + datetime.timedelta(seconds=lease_s)
        states: list[CounterState] = []
        for asked in requests:
            counter = _counter(asked.key, now, asked.starts_at)
            count(shelves, counter, asked.lost_usd)
            holds = shelves.holds.setdefault(counter, {})
            _drop_expired(holds, now)
            mine, _ = holds.pop(holder, (Decimal(0), now))
            others = sum((amount for amount, _ in holds.values()), Decimal(0))
            held = holding(
                limit_usd=asked.limit_usd,
                spent_usd=shelves.spent_usd[counter],
                others_usd=others,
                mine_usd=mine,
                committed_usd=asked.committed_usd,
                keep_usd=asked.keep_usd,
                needed_usd=asked.needed_usd,
                wished_usd=asked.wished_usd,
            )
            if held:
                holds[holder] = (held, until)
            states.append(_state(shelves, counter, held, others, now))
            _forget_empty(shelves, counter)
        return tuple(states)

    async def read(self, keys: Sequence[CounterKey]) -> tuple[CounterState, ...]:
        shelves = self._shelves
        shelves.demand()
        now = shelves.now()
        states: list[CounterState] = []
        for key in keys:
            counter = _counter(key, now, None)
            holds = shelves.holds.get(counter, {})
            others = sum((amount for amount, until in holds.values() if until > now), Decimal(0))
            states.append(_state(shelves, counter, Decimal(0), others, now))
        return tuple(states)

    async def sweep(self) -> int:
        shelves = self._shelves
        shelves.demand()
        now = shelves.now()
        removed = 0
        for counter, holds in list(shelves.holds.items()):
            removed += _drop_expired(holds, now)
            _forget_empty(shelves, counter)
        return removed


def count(shelves: Shelves, counter: Counter, amount_usd: Decimal) -> None:
    """Adds to what is spent."""
    shelves.spent_usd[counter] = shelves.spent_usd.get(counter, Decimal(0)) + amount_usd


def _forget_empty(shelves: Shelves, counter: Counter) -> None:
    """It says nothing where nothing is spent or held, such as that of a thread whose chat was refused."""
    if not shelves.holds.get(counter):
        shelves.holds.pop(counter, None)
        if not shelves.spent_usd.get(counter):
            shelves.spent_usd.pop(counter, None)


def _counter(key: CounterKey, now: datetime.datetime, starts_at: datetime.datetime | None) -> Counter:
    return (key.tenant, key.subject, key.period, starts_at or period_start(key.period, now))


def _drop_expired(holds: dict[str, tuple[Decimal, datetime.datetime]], now: datetime.datetime) -> int:
    expired = [holder for holder, (_, until) in holds.items() if until <= now]
    for holder in expired:
        del holds[holder]
    return len(expired)


def _state(
    shelves: Shelves, counter: Counter, held: Decimal, others: Decimal, now: datetime.datetime
) -> CounterState:
    _, _, period, starts_at = counter
    return CounterState(
        starts_at=starts_at,
        resets_at=period_end(period, starts_at),
        spent_usd=shelves.spent_usd.get(counter, Decimal(0)),
        held_usd=held,
        others_usd=others,
        now=now,
    )
