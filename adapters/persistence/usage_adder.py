"""Adds the log of what was used to its sums, every few seconds."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final, cast

import attrs
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from adapters.persistence import failures, postgresql_exchange, tenancy
from adapters.persistence.async_engine import AsyncEngine
from adapters.persistence.batch_writer import ConnectionLost
from adapters.persistence.postgresql_exchange import Connection, Statement
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

    _engine: Callable[[], AsyncEngine]
    _limit_s: float
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
        try:
            connection: PoolProxiedConnection = await greenlet_spawn(self._engine().sync_engine.pool.connect)
        except failures.FAILURES as error:
            raise failures.failure_of(error) from error
        is_usable = False
        try:
            answer = await postgresql_exchange.execute(
                cast("Connection", connection.driver_connection),
                _ADD_UP,
                [b"%d" % PORTION],
                tenants=tenancy.ALL,
                limit_s=self._limit_s,
            )
            is_usable = True
        except failures.FAILURES as error:
            failure = failures.failure_of(error)
            is_usable = not isinstance(failure, ConnectionLost) and not isinstance(error, OSError)
            raise failure from error
        finally:
            if is_usable:
                connection.close()
            else:  # its answer may still be to come
                await asyncio.shield(greenlet_spawn(_bury, connection))
        return int((answer.get_value(0, 0) or b"0").decode())


def _bury(connection: PoolProxiedConnection) -> None:
    connection.invalidate()
    connection.close()
