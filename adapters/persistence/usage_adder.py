"""Adds the log of what was used to its sums, every few seconds."""

import asyncio
import logging
import random
from typing import Final

import attrs

from adapters.persistence import tenancy
from adapters.persistence.pooled_exchange import PooledExchange
from adapters.persistence.postgresql_exchange import Statement
from adapters.persistence.usage_sums import ON_POSTGRESQL, PORTION

_LOGGER: Final = logging.getLogger("lor3.store")

EVERY_S: Final = 10.0
_ADD_UP: Final = Statement(name=b"lor3_add_up", text=ON_POSTGRESQL.encode())


@attrs.define(kw_only=True)
class UsageAdder:
    """Owns the one task that does it; only for PostgreSQL, as SQLite's writer does it by the way.

    Each replica has one. They take turns, and what one has added there is not for the others. A log that is long makes
    a report slower, never wrong; so what fails here is logged and tried again.
    """

    _exchange: PooledExchange
    _every_s: float = EVERY_S
    _task: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)
    _is_failing: bool = attrs.field(default=False, init=False)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work(), name="lor3-usage")

    async def aclose(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._exchange.aclose()

    async def add_up(self) -> int:
        """Until the log is empty, or another replica is at it; how many rows of it that were.

        Raises:
            BatchFailure: the database is away, or refuses.
        """
        count = 0
        while found := await self._portion():
            count += found
            if found < PORTION:
                break
        return count

    async def _work(self) -> None:
        while True:
            # Spread out, so that the replicas of a deployment do not all come at once.
            await asyncio.sleep(self._every_s * (0.75 + 0.5 * random.random()))  # noqa: S311
            try:
                await self.add_up()
            except Exception as error:  # whatever it is, chats go on, and the log keeps what they used
                if not self._is_failing:
                    reason = getattr(error, "reason", type(error).__name__)
                    _LOGGER.warning("what chats used is not added up, so reports grow slower: %s", reason)
                self._is_failing = True
            else:
                self._is_failing = False

    async def _portion(self) -> int:
        answer = await self._exchange.execute(_ADD_UP, [b"%d" % PORTION], tenants=tenancy.ALL)
        return int((answer.get_value(0, 0) or b"0").decode())
