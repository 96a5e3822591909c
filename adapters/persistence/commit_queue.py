"""Commits chats many at a time: whatever waits when the writer is free goes into one transaction."""

import asyncio
import contextlib
import logging
import random
from collections import deque
from typing import Final

import attrs

from adapters.persistence.batch import ThreadKey
from adapters.persistence.batch_writer import (
    BatchFailure,
    BatchWriter,
    Blocked,
    Collision,
    ConnectionLost,
    RefusedRows,
    StoreRefused,
)
from adapters.persistence.failures import unavailable
from domain.errors import LorError, NotFound, Overloaded
from domain.message import TextPart
from domain.thread import ChatRecord

_LOGGER: Final = logging.getLogger(__name__)

BATCH_SIZE: Final = 256
BATCH_WEIGHT: Final = 4_000_000
"""Characters after which a batch is full: 256 chats with images would not pass within a statement's limit."""
CAPACITY: Final = 10_000
PATIENCE_S: Final = 10.0
"""How long a chat waits for a lost database to come back (fault rows 67, 68)."""
COLLISION_RETRIES: Final = 3
PING_INTERVAL_S: Final = 0.5


@attrs.define(kw_only=True, eq=False)
class _Waiting:
    record: ChatRecord
    done: "asyncio.Future[None]"
    until: float
    """Loop time."""

    def succeed(self) -> None:
        if not self.done.done():  # a caller that went away does not undo its chat
            self.done.set_result(None)

    def fail(self, error: LorError) -> None:
        if not self.done.done():
            self.done.set_exception(error)


@attrs.define(kw_only=True)
class CommitQueue:
    """The journal of a database. One task writes, so positions follow the order of `commit` calls.

    States of a batch: stored; rolled back (then each of its records is tried by itself, so that one that can't
    be stored fails alone); or unknown, because the connection ended around COMMIT: then the next connection is
    asked by message id what is there, and only the rest is sent again.
    """

    _writer: BatchWriter
    _patience_s: float = PATIENCE_S
    _ready: bool = False
    _busy: bool = False
    _closing: bool = False
    _queue: deque[_Waiting] = attrs.field(factory=deque)
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event)
    _blocked: _Waiting | None = None
    """The last chat that failed because its thread was locked."""
    _task: "asyncio.Task[None] | None" = None

    @property
    def is_ready(self) -> bool:
        if self._ready and not self._busy and self._writer.hung_up():
            self._ready = False  # until a ping on a new connection says otherwise
            self._wake.set()
        return self._ready

    async def commit(self, record: ChatRecord) -> None:
        if self._task is None or self._closing:
            raise unavailable("the store is closed")
        if len(self._queue) >= CAPACITY:
            raise Overloaded(f"{CAPACITY} chats wait to be stored; try again in a second")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.append(_Waiting(record=record, done=done, until=loop.time() + self._patience_s))
        self._wake.set()
        await done

    def start(self) -> None:
        """Starts the writing task; owned by the queue, ended by `aclose`."""
        self._task = asyncio.create_task(self._work(), name="lor3-commit-queue")

    async def probe(self) -> None:
        """Finds out at once whether the database is there. Only before `start`."""
        await self._ping()

    async def aclose(self) -> None:
        """Commits what waits, for as long as its callers would, then lets the connection go."""
        self._closing = True
        self._wake.set()
        task, self._task = self._task, None
        if task is not None:
            await task
        self._ready = False
        await self._writer.aclose()

    async def _work(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                await self._idle()
                continue
            self._busy = True
            batch = self._gather()
            try:
                await self._store(batch)
            except Exception as error:
                # Last resort: were this task to end, every later caller would wait for ever.
                _LOGGER.error("a batch of %d chats failed with %s", len(batch), type(error).__name__)
                self._fail(batch, StoreRefused("the chat can't be written"))
            finally:
                self._busy = False

    def _gather(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        weight = 0
        while self._queue and len(batch) < BATCH_SIZE and weight < BATCH_WEIGHT:
            waiting = self._queue.popleft()
            weight += _weight(waiting.record)
            batch.append(waiting)
        return batch

    async def _idle(self) -> None:
        self._wake.clear()
        # The interval also finds a database that froze or failed over without closing its connections.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PING_INTERVAL_S if not self._ready else 2 * PING_INTERVAL_S):
                await self._wake.wait()
        if not self._queue and not self._closing:
            self._busy = True
            try:
                await self._ping()
            finally:
                self._busy = False

    async def _ping(self) -> None:
        try:
            await self._writer.ping()
        except BatchFailure:
            self._ready = False
        except Exception as error:
            # As in `_work`: the task must go on. What can't be asked is not ready.
            _LOGGER.error("asking the database failed with %s", type(error).__name__)
            self._ready = False
        else:
            self._ready = True

    async def _store(self, batch: list[_Waiting]) -> None:
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
                        await self._ping()  # what was read says nothing of whether it takes writes
                    continue
                missing = await self._writer.write([waiting.record for waiting in batch])
            except ConnectionLost as failure:
                self._ready = False
                unknown = True
                self._expire(batch, failure)
                batch = [waiting for waiting in batch if not self._expired(waiting)]
                if batch:
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, PING_INTERVAL_S)
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
                self._ready = False
                self._fail(batch, failure)
                return
            except Exception as error:
                # A fault of ours must fail its own chat; it must not leave callers waiting for ever.
                _LOGGER.error("a batch of %d chats failed with %s", len(batch), type(error).__name__)
                await self._apart(batch, RefusedRows("the chat can't be written"))
                return
            else:
                self._ready = True
                for waiting in batch:
                    thread = waiting.record.thread
                    if (thread.tenant, thread.id) in missing:
                        waiting.fail(NotFound("the thread no longer exists; start a new one"))
                    else:
                        waiting.succeed()
                return

    async def _unstored(self, batch: list[_Waiting]) -> list[_Waiting]:
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

    async def _apart(self, batch: list[_Waiting], failure: BatchFailure) -> None:
        if len(batch) > 1:
            locked: set[ThreadKey] = set()
            for waiting in batch:
                key = (waiting.record.thread.tenant, waiting.record.thread.id)
                if key in locked or self._expired(waiting):
                    # One wait for a locked thread is enough: those behind it wait as well.
                    self._fail([waiting], failure)
                    continue
                await self._store([waiting])
                if self._blocked is waiting:
                    locked.add(key)
            return
        # A record may have been stored by a batch whose reply was lost, or be committed twice: ids tell.
        try:
            rest = await self._unstored(batch)
        except BatchFailure as again:
            self._fail(batch, again)
            return
        if isinstance(failure, RefusedRows) and failure.orphan:
            for waiting in rest:
                waiting.fail(NotFound("the session no longer exists; start a new one"))
            return
        if isinstance(failure, Blocked):
            self._blocked = batch[0]
        self._fail(rest, failure)

    def _fail(self, batch: list[_Waiting], failure: BatchFailure) -> None:
        for waiting in batch:
            waiting.fail(unavailable(failure.reason))

    def _expired(self, waiting: _Waiting) -> bool:
        return asyncio.get_running_loop().time() >= waiting.until

    def _expire(self, batch: list[_Waiting], failure: BatchFailure) -> None:
        self._fail([waiting for waiting in batch if self._expired(waiting)], failure)
        # Those still in the queue were never sent; they lose patience in their order.
        while self._queue and self._expired(self._queue[0]):
            self._fail([self._queue.popleft()], failure)


def _weight(record: ChatRecord) -> int:
    return sum(
        len(part.text) if isinstance(part, TextPart) else len(part.data or "")
        for stored in record.messages
        for part in stored.message.parts
    )
