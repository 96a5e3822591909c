"""What budgets have spent, and which process holds how much of the rest.

A counter is one period of one subject. Each process (a *holder*) reserves a part of what a counter has left and pays
for its chats out of it, so a chat waits for no database:

    spent + what all holders hold <= limit

A hold has a lease. Whoever does not prolong it, since it was killed for one, holds nothing once it is over.
"""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from domain.ids import Tenant
from domain.limits.budget import Period, Subject
from domain.values import frozen


@frozen(cache_hash=True)
class CounterKey:
    """A counter, whatever its period."""

    tenant: Tenant
    subject: Subject
    period: Period


@frozen(kw_only=True)
class HoldRequest:
    """What a holder wants of one counter. Its hold is replaced, not added to, so that asking twice does no harm."""

    key: CounterKey
    starts_at: datetime.datetime | None = None
    """Of the period; None for the one that is now, by the database's clock."""
    limit_usd: Decimal | None
    """None where nothing is to be reserved."""
    committed_usd: Decimal = Decimal(0)
    """For calls under way: this much is held in any case, the truth being what it is."""
    keep_usd: Decimal = Decimal(0)
    """At least `committed_usd`. As far as the holder holds it still, it goes on to; less gives back."""
    needed_usd: Decimal = Decimal(0)
    """Beyond that. Where there is less, all that there is."""
    wished_usd: Decimal = Decimal(0)
    """In place of `needed_usd`, if it is more and at most an eighth of what is left."""
    lost_usd: Decimal = Decimal(0)
    """Of chats that were paid for and could not be stored: spent. Where the answer gets lost it may count twice."""


@frozen(kw_only=True)
class CounterState:
    starts_at: datetime.datetime
    """Of the period."""
    resets_at: datetime.datetime | None
    spent_usd: Decimal
    held_usd: Decimal
    """By this holder, from now until its lease ends; 0 where there is none."""
    others_usd: Decimal
    """Held by all others."""
    now: datetime.datetime
    """By the database's clock."""


class BudgetLedger(Protocol):
    """Shared by all processes. Each call is one transaction; counters are locked in one order, so none wait for each
    other in a circle."""

    async def exchange(
        self, holder: str, requests: Sequence[HoldRequest], *, lease_s: float
    ) -> tuple[CounterState, ...]:
        """Puts what `holder` holds of these counters to what is asked for, as far as there is money.

        Each counter is judged by itself. What others hold whose lease is over does not count. A counter of which nothing
        is spent or held is not kept.

        Args:
            holder: a UUID.
            requests: each counter once.
            lease_s: from now, by the database's clock, for those counters of which anything is held.

        Returns:
            One state a request, in their order.

        Raises:
            StorageUnavailable: nothing has changed; or the connection ended meanwhile, and whether it has is unknown.
        """

    async def read(self, keys: Sequence[CounterKey]) -> tuple[CounterState, ...]:
        """Where counters stand in the period that is now, in their order.

        Raises:
            StorageUnavailable: the database is away.
        """

    async def sweep(self) -> int:
        """Removes holds whose lease is over, counters that are empty without them, and those of days long past; how many
        holds they were.

        Raises:
            StorageUnavailable: the database is away.
        """
