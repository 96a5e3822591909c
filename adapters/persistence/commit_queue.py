"""Commits chats many at a time: whatever waits when a writer is free goes into one transaction."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import attrs

from adapters.persistence.batch_delivery import BatchDelivery, Waiting, fail
from adapters.persistence.batch_writer import BatchFailure, BatchWriter, Blocked, Collision, StoreRefused
from adapters.persistence.failures import unavailable
from adapters.persistence.readiness import LOGGER, Readiness
from domain.errors import Overloaded
from domain.message import TextPart
from domain.thread import ChatRecord

_LOGGER: Final = logging.getLogger(__name__)

BATCH_SIZE: Final = 256
BATCH_WEIGHT: Final = 4_000_000
"""Characters after which a batch is full: 256 chats with images would not pass within a statement's limit."""
BESIDE_SIZE: Final = 16
"""Chats that are worth a batch beside one in flight. A chat alone costs six times the CPU of one among many."""
BESIDE_AFTER_S: Final = 0.004
"""When fewer go out all the same, or a slow batch would hold up chats that have nothing to do with it."""
LOOKAHEAD: Final = 1024
"""How far behind chats that must wait for their thread others are looked for."""
CAPACITY: Final = 10_000
PATIENCE_S: Final = 10.0
"""How long a chat waits for a lost database to come back (fault rows 67, 68)."""
PING_INTERVAL_S: Final = 0.5
LOOK_EVERY_S: Final = 0.005
"""How old the news may be that an idle connection has not ended."""

Key = tuple[str, str, str]
"""What no two batches in flight may both hold: a thread, or a session that is being made."""


async def _anything_goes() -> None:
    """The check of a queue that has no schema to look at."""


@attrs.define(kw_only=True)
class CommitQueue:
    """The journal of a database, with a batch in flight for each writer at most.

    Positions follow the order of `commit` calls: a chat whose thread is in a batch in flight waits for that
    batch to end, and so do those behind it in the same thread; others overtake them.
    """

    _writers: tuple[BatchWriter, ...]
    _check: Callable[[], Awaitable[None]] = _anything_goes
    """Raises BatchFailure where the database answers and yet can't take chats; asked while not ready."""
    _patience_s: float = PATIENCE_S
    _readiness: Readiness = attrs.field(factory=Readiness)
    _closing: bool = False
    _queue: deque[Waiting] = attrs.field(factory=deque)
    _held: set[Key] = attrs.field(factory=set)
    """Of all batches in flight."""
    _free: list[BatchDelivery] = attrs.field(init=False)
    """The last one goes first: it is the one whose connection was used last."""
    _running: "set[asyncio.Task[None]]" = attrs.field(factory=set)
    _looked_at: float = 0.0
    """When it was last seen that the connection has not ended; on the monotonic clock."""
    _dispatching: bool = False
    """A dispatch will come in this turn of the loop."""
    _timer: asyncio.TimerHandle | None = None
    _wake: asyncio.Event = attrs.field(factory=asyncio.Event)
    _watch_task: "asyncio.Task[None] | None" = None

    def __attrs_post_init__(self) -> None:
        self._free = [
            BatchDelivery(writer=writer, readiness=self._readiness, expire_queue=self._expire)
            for writer in reversed(self._writers)
        ]

    @property
    def is_ready(self) -> bool:
        if self._readiness.ready and self._free:
            # A system call, and every chat asks: once in a few milliseconds tells as much.
            now = time.monotonic()
            if now >= self._looked_at + LOOK_EVERY_S:
                self._looked_at = now
                if self._free[-1].writer.hung_up():
                    self._looked_at = 0.0
                    self._readiness.doubt()  # until a ping on a new connection says otherwise
                    self._wake.set()
        return self._readiness.ready

    @property
    def reason(self) -> str | None:
        return self._readiness.told

    @property
    def depth(self) -> int:
        return len(self._queue)

    @property
    def failure(self) -> str | None:
        """`reason` in full, for an operator."""
        return self._readiness.reason

    async def commit(self, record: ChatRecord) -> None:
        if self._watch_task is None or self._closing:
            raise unavailable("the store is closed")
        if len(self._queue) >= CAPACITY:
            raise Overloaded(f"{CAPACITY} chats wait to be stored; try again in a second")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.append(Waiting(record=record, done=done, until=loop.time() + self._patience_s))
        if not self._dispatching:
            self._dispatching = True
            loop.call_soon(self._dispatch)  # those who commit in the same turn of the loop go together
        await done

    def start(self) -> None:
        """Starts the task that watches the database; owned by the queue, ended by `aclose`."""
        self._watch_task = asyncio.create_task(self._watch(), name="lor3-commit-queue")

    async def probe(self) -> None:
        """Finds out at once whether the database is there. Only before `start`."""
        await self._ping(self._free[-1])

    async def aclose(self) -> None:
        """Commits what waits, for as long as its callers would, then lets the connections go."""
        self._closing = True
        self._wake.set()
        task, self._watch_task = self._watch_task, None
        if task is not None:
            await task
        self._dispatch()
        while self._running:
            await asyncio.wait(self._running)
        if self._timer is not None:
            self._timer.cancel()
        self._readiness.ready = False
        for writer in self._writers:
            await writer.aclose()

    def _dispatch(self) -> None:
        """Sends what may go."""
        self._dispatching = False
        while self._queue and self._free and (self._closing or self._is_worth_it()):
            batch = self._gather()
            if not batch:
                return  # all of it waits for batches in flight, which dispatch when they end
            delivery = self._free.pop()
            task = asyncio.create_task(self._deliver(delivery, batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _is_worth_it(self) -> bool:
        if not self._held or len(self._queue) >= BESIDE_SIZE:
            return True
        loop = asyncio.get_running_loop()
        if loop.time() >= self._queue[0].until - self._patience_s + BESIDE_AFTER_S:
            return True
        if self._timer is None:
            self._timer = loop.call_later(BESIDE_AFTER_S, self._on_timer)
        return False

    def _on_timer(self) -> None:
        self._timer = None
        self._dispatch()

    def _gather(self) -> list[Waiting]:
        """Takes the next batch off the queue, and holds its threads."""
        batch: list[Waiting] = []
        kept: list[Waiting] = []
        weight = 0
        behind: set[Key] = set()
        held: set[Key] = set()
        while self._queue and len(batch) < BATCH_SIZE and weight < BATCH_WEIGHT and len(kept) < LOOKAHEAD:
            waiting = self._queue.popleft()
            thread, session, keys = _keys(waiting.record)
            if self._held and (
                thread in self._held or session in self._held or thread in behind or session in behind
            ):
                kept.append(waiting)
                behind.update(keys)
                continue
            held.update(keys)
            weight += _weight(waiting.record)
            batch.append(waiting)
        self._queue.extendleft(reversed(kept))
        self._held |= held
        return batch

    async def _deliver(self, delivery: BatchDelivery, batch: list[Waiting]) -> None:
        try:
            await delivery.store(batch)
        except Exception as error:
            # Last resort: the callers would wait for ever.
            _LOGGER.error("a batch of %d chats failed with %s", len(batch), type(error).__name__)
            fail(batch, StoreRefused("the chat can't be written"))
        finally:
            for waiting in batch:
                self._held.difference_update(_keys(waiting.record)[2])
            self._free.append(delivery)
            self._dispatch()

    async def _watch(self) -> None:
        """Pings while nothing is written, and so finds what came back, or froze or failed over silently."""
        while True:
            interval_s = 2 * PING_INTERVAL_S if self._readiness.ready else PING_INTERVAL_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval_s):
                    await self._wake.wait()
            self._wake.clear()
            if self._closing:
                return
            if self._running or self._queue:
                continue  # batches tell as much
            delivery = self._free.pop()
            try:
                await self._ping(delivery)
            finally:
                self._free.append(delivery)
                self._dispatch()

    async def _ping(self, delivery: BatchDelivery) -> None:
        try:
            await delivery.writer.ping()
            if not self._readiness.ready:
                await self._check()
                if self._readiness.must_be_proved:
                    if not self._readiness.is_due():
                        return
                    await self._prove(delivery.writer)
        except (Blocked, Collision):
            return  # somebody was in the way of the trial: nothing is known that was not before
        except BatchFailure as failure:
            self._readiness.lose(failure)
        except Exception as error:
            # As in `_deliver`: the task must go on. What can't be asked is not ready.
            LOGGER.error("asking the database failed with %s", type(error).__name__)
            self._readiness.lose(StoreRefused("the database can't be asked"))
        else:
            self._readiness.gain()

    async def _prove(self, writer: BatchWriter) -> None:
        try:
            await writer.prove()
        except BaseException:
            self._readiness.fail_trial()
            raise

    def _expire(self, failure: BatchFailure) -> None:
        # Those still in the queue were never sent; they lose patience in their order.
        while self._queue and self._queue[0].is_expired:
            fail([self._queue.popleft()], failure)


def _keys(record: ChatRecord) -> tuple[Key, Key, Iterable[Key]]:
    """Of its thread, of its session, and which of them it holds while it is in flight."""
    thread = ("thread", record.thread.tenant, record.thread.id)
    session = ("session", record.thread.tenant, record.thread.session_id)
    return thread, session, (thread, session) if record.new_session else (thread,)


def _weight(record: ChatRecord) -> int:
    weight = 0
    for stored in record.messages:
        for part in stored.message.parts:
            weight += len(part.text) if isinstance(part, TextPart) else len(part.data or "")
        for call in stored.message.tool_calls:
            weight += len(call.arguments)
    return weight
