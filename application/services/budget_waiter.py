"""A chat that waits for money of budgets."""

import asyncio
from decimal import Decimal

import attrs

from application.services.local_counter import LocalCounter


@attrs.define(kw_only=True, eq=False)
class Waiter:
    """Given what it wants as soon as there is as much, and less once there will be no more."""

    counters: tuple[LocalCounter, ...]
    want_usd: Decimal
    enough_usd: Decimal
    """Taken in place of it, where there is no more now."""
    least_usd: Decimal
    """Taken once it has waited long enough."""
    own_usd: Decimal
    """Committed for the very chat that waits: nobody will give that back meanwhile."""
    born: int
    """The number of the last exchange that was sent before."""
    done: "asyncio.Future[Decimal | None]"
    is_due: bool = False

    def fits(self, available_usd: Decimal) -> bool:
        if self.is_due:
            return available_usd >= self.least_usd
        enough = self.enough_usd
        for counter in self.counters:
            most = counter.at_most_usd
            if most is not None and most - self.own_usd < enough:
                enough = max(self.least_usd, most - self.own_usd)  # there will never be more
        return available_usd >= enough

    def is_hopeless(self, counter: LocalCounter) -> bool:
        most = counter.at_most_usd
        return most is not None and most - self.own_usd < self.least_usd
