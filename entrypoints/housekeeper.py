"""Keeps the store small and ready for the months to come, while the server runs."""

import asyncio
import logging
from typing import Final

import attrs

from application.ports.clock import Clock
from application.ports.maintenance import Maintenance, PruneReport
from application.ports.randomness import Randomness
from application.ports.telemetry import Telemetry
from application.use_cases.prune_store import PruneStore, PruneStoreCommand
from domain.errors import StorageUnavailable
from domain.telemetry import StorePruned

FIRST_S: Final = 300.0
"""From the start to the first pruning: a server that has just begun has better things to do."""
EVERY_S: Final = 24 * 3600.0

_log: Final = logging.getLogger("lor3.store")


@attrs.define(kw_only=True)
class Housekeeper:
    """Owns the one task that makes partitions (at once, then daily) and prunes (after minutes, then daily).

    Each replica has one: what they do at the same time the database lets them do in turns, and at different
    times there is nothing left to do. Nothing here makes a server fail: what does not work is logged, with what
    to do about it, and tried again the next day.
    """

    _maintenance: Maintenance
    _prune_store: PruneStore
    _clock: Clock
    _randomness: Randomness
    _telemetry: Telemetry
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False)

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name="housekeeping")

    def use(self, prune_store: PruneStore) -> None:
        """From now on prunes by this one."""
        self._prune_store = prune_store

    async def aclose(self) -> None:
        """Ends what is under way after the portion that it is at."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _work(self) -> None:
        await self._attempt_prepare()
        # Spread out, so that the replicas of a deployment do not all begin at once.
        await self._clock.sleep(FIRST_S * (1 + self._randomness.fraction()))
        while True:
            await self._attempt_prepare()
            await self._attempt_prune()
            await self._clock.sleep(EVERY_S * (0.9 + 0.2 * self._randomness.fraction()))

    async def _attempt_prepare(self) -> None:
        try:
            await self._maintenance.prepare()
        except StorageUnavailable as error:
            _log.warning("the months to come have no partitions yet: %s", error.detail)
        except (
            Exception
        ) as error:  # whatever it is, chats go on, and their messages have the default partition
            _log.exception("the months to come can't be prepared: %s", type(error).__name__)

    async def _attempt_prune(self) -> None:
        try:
            report = await self._prune_store.execute(PruneStoreCommand())
        except StorageUnavailable as error:
            _log.warning("what is old can't be removed: %s", error.detail)
        except Exception as error:  # as above; what is old stays for another day
            _log.exception("what is old can't be removed: %s", type(error).__name__)
        else:
            if report != PruneReport():
                self._telemetry.emit(
                    StorePruned(
                        partitions=len(report.partitions),
                        messages=report.messages,
                        threads=report.threads,
                        sessions=report.sessions,
                        keys=report.keys,
                    )
                )
