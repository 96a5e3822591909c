"""How transactions end: without keeping anybody who only read."""

import asyncio

import attrs

from adapters.persistence.transaction import Transaction


@attrs.define
class Departures:
    """Transactions on their way back to the pool."""

    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    async def leave(self, transaction: Transaction) -> None:
        """Returns at once where there were only reads: their values are there, and the rollback is one more
        round trip. A cancelled caller leaves no connection half way back.
        """
        task = asyncio.ensure_future(transaction.leave())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not transaction.has_only_read:
            await asyncio.shield(task)

    async def aclose(self) -> None:
        """Waits until all are back."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
