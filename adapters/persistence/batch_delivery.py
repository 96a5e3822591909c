"""Carries one batch to its end, whatever becomes of it."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

import attrs

from adapters.persistence.batch_writer import (
    BatchFailure,
    BatchWriter,
    Blocked,
    ClaimLost,
    Collision,
    ConnectionLost,
    RefusedRows,
)
from adapters.persistence.failures import unavailable
from adapters.persistence.readiness import Readiness
from adapters.persistence.thread_counters import ThreadKey
from domain.errors import KeyTakenOver, LorError, NotFound
from domain.thread import ChatRecord

_LOGGER: Final = logging.getLogger(__name__)

COLLISION_RETRIES: Final = 3
_LONGEST_PAUSE_S: Final = 0.5


@attrs.define(kw_only=True, eq=False)
class Waiting:
    """A chat on its way, and its caller."""

    record: ChatRecord
    done: "asyncio.Future[None]"
    until: float
    """Loop time."""

    @property
    def is_expired(self) -> bool:
        return asyncio.get_running_loop().time() >= self.until

    def succeed(self) -> None:
        if not self.done.done():  # a caller that went away does not undo its chat
            self.done.set_result(None)

    def fail(self, error: LorError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def fail(batch: list[Waiting], failure: BatchFailure) -> None:
    for waiting in batch:
        waiting.fail(unavailable(failure.told))


@attrs.define(kw_only=True)
class BatchDelivery:
    """One connection's way of storing batches.

    States of a batch: stored; rolled back (then each of its records is tried by itself, so that one that can't
    be stored fails alone); or unknown, because the connection ended around COMMIT: then the next connection is
    asked by message id what is there, and only the rest is sent again.
    """

    _writer: BatchWriter
    _readiness: Readiness
    _expire_queue: Callable[[BatchFailure], None]
    """Fails those who wait behind and lost patience; called while the database is away."""
    _blocked: Waiting | None = None
    """The last chat that failed because its thread was locked."""

    @property
    def writer(self) -> BatchWriter:
        return self._writer

    async def store(self, batch: list[Waiting]) -> None:
        """Ends every future of the batch."""
        collisions = 0
        unknown = False
        pause_s = 0.02
        while batch:
            try:
                if unknown:
                    batch = await self._unstored(batch)
                    unknown = False
                    if not batch:
                        await self._writer.ping()  # what was read says nothing of whether it takes writes
                        self._readiness.gain()
                    continue
                missing = await self._writer.write([waiting.record for waiting in batch])
            except ConnectionLost as failure:
                self._readiness.lose(failure)
                unknown = True
                fail([waiting for waiting in batch if waiting.is_expired], failure)
                self._expire_queue(failure)
                batch = [waiting for waiting in batch if not waiting.is_expired]
                if batch:
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            except Collision as failure:
                collisions += 1
                if collisions > COLLISION_RETRIES:
                    await self._apart(batch, failure)
                    return
                await asyncio.sleep(random.uniform(0, 0.01 * 2**collisions))  # noqa: S311 - jitter
            except (Blocked, RefusedRows) as failure:
                await self._apart(batch, failure)
                return
            except BatchFailure as failure:
                self._readiness.refuse(failure)
                fail(batch, failure)
                return
            except Exception as error:
                # A fault of ours must fail its own chat; it must not leave callers waiting for ever.
                _LOGGER.error("a batch of %d chats failed with %s", len(batch), type(error).__name__)
                await self._apart(batch, RefusedRows("the chat can't be written"))
                return
            else:
                self._readiness.stored()
                for waiting in batch:
                    thread = waiting.record.thread
                    if missing and (thread.tenant, thread.id) in missing:
                        waiting.fail(NotFound("the thread no longer exists; start a new one"))
                    else:
                        waiting.succeed()
                return

    async def _unstored(self, batch: list[Waiting]) -> list[Waiting]:
        """Ends the futures of the records that are there after all; returns the others."""
        ids = [waiting.record.messages[-1].id for waiting in batch if waiting.record.messages]
        stored = await self._writer.stored(ids)
        rest = []
        for waiting in batch:
            messages = waiting.record.messages
            if messages and messages[-1].id in stored:
                waiting.succeed()
            else:
                rest.append(waiting)
        return rest

    async def _apart(self, batch: list[Waiting], failure: BatchFailure) -> None:
        if len(batch) > 1:
            locked: set[ThreadKey] = set()
            for waiting in batch:
                key = (waiting.record.thread.tenant, waiting.record.thread.id)
                if key in locked or waiting.is_expired:
                    # One wait for a locked thread is enough: those behind it wait as well.
                    fail([waiting], failure)
                    continue
                await self.store([waiting])
                if self._blocked is waiting:
                    locked.add(key)
            return
        # A record may have been stored by a batch whose reply was lost, or be committed twice: ids tell.
        try:
            rest = await self._unstored(batch)
        except BatchFailure as again:
            fail(batch, again)
            return
        if isinstance(failure, ClaimLost):
            for waiting in rest:
                waiting.fail(
                    KeyTakenOver(
                        "another request with the same Idempotency-Key went ahead meanwhile; send it again"
                    )
                )
            return
        if isinstance(failure, RefusedRows) and failure.orphan:
            for waiting in rest:
                waiting.fail(NotFound("the session no longer exists; start a new one"))
            return
        if isinstance(failure, Blocked):
            self._blocked = batch[0]
        fail(rest, failure)
