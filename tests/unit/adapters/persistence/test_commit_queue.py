"""What the queue makes of each way a batch can end, with a writer that fails on command."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import attrs
import pytest

from adapters.persistence import commit_queue, readiness
from adapters.persistence.batch_writer import (
    BatchFailure,
    Blocked,
    ClaimLost,
    Collision,
    ConnectionLost,
    RefusedRows,
    SchemaBehind,
    StoreRefused,
)
from adapters.persistence.commit_queue import CommitQueue
from adapters.persistence.thread_counters import ThreadKey
from domain.errors import KeyTakenOver, NotFound, Overloaded, StorageUnavailable
from domain.ids import MessageId
from domain.thread import ChatRecord
from tests.support.records import new_chat, next_chat
from tests.support.waiting import HANGS_S


@attrs.define
class ScriptedWriter:
    """Keeps message ids. `on_write` is asked before each batch and may raise; `after_write` after it is kept."""

    on_write: Callable[[Sequence[ChatRecord]], None] = lambda records: None
    after_write: Callable[[], None] = lambda: None
    away: bool = False
    batches: list[int] = attrs.field(factory=list)
    kept: set[MessageId] = attrs.field(factory=set)
    pings: int = 0
    on_prove: Callable[[], None] = lambda: None
    proofs: int = 0

    async def write(self, records: Sequence[ChatRecord]) -> frozenset[ThreadKey]:
        self._demand()
        self.batches.append(len(records))
        await asyncio.sleep(0)
        self.on_write(records)
        ids = [message.id for record in records for message in record.messages]
        if self.kept.intersection(ids):
            raise RefusedRows("twice")
        self.kept.update(ids)
        self.after_write()
        return frozenset()

    async def stored(self, ids: Sequence[MessageId]) -> frozenset[MessageId]:
        self._demand()
        return frozenset(ids) & self.kept

    async def ping(self) -> None:
        self.pings += 1
        self._demand()

    async def prove(self) -> None:
        self.proofs += 1
        self._demand()
        self.on_prove()

    def hung_up(self) -> bool:
        return self.away

    async def aclose(self) -> None: ...

    def _demand(self) -> None:
        if self.away:
            raise ConnectionLost("the database is away")


def once(failure: BatchFailure, times: int = 1) -> Callable[..., None]:
    """Raises that many times, then never again."""
    left = times

    def act(*_: object) -> None:
        nonlocal left
        if left:
            left -= 1
            raise failure

    return act


async def until_ready(queue: CommitQueue) -> None:
    async with asyncio.timeout(30):
        while not queue.is_ready:  # noqa: ASYNC110 - what is asked for is a plain property
            await asyncio.sleep(0.02)


@pytest.fixture
def writer() -> ScriptedWriter:
    return ScriptedWriter()


@pytest.fixture
async def queue(writer: ScriptedWriter) -> AsyncIterator[CommitQueue]:
    queue = CommitQueue(writers=(writer,), patience_s=0.3)
    queue.start()
    yield queue
    await queue.aclose()


async def test_what_waits_together_is_written_together(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """One batch in flight; the next gathers behind it, up to the batch size."""
    await asyncio.gather(*(queue.commit(new_chat()) for _ in range(600)))

    assert writer.batches == [256, 256, 88]


async def test_heavy_chats_make_small_batches(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """Size is bounded as well as number."""
    await asyncio.gather(*(queue.commit(new_chat("x" * 3_000_000)) for _ in range(5)))

    assert writer.batches == [2, 2, 1]


async def test_record_that_is_refused_fails_alone(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """The others of its batch are stored."""
    poison = new_chat("poison")

    def refuse(records: Sequence[ChatRecord]) -> None:
        if poison in records:
            raise RefusedRows("can't be stored")

    writer.on_write = refuse
    outcomes = await asyncio.gather(
        *(queue.commit(chat) for chat in (new_chat(), poison, new_chat())), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [type(None), StorageUnavailable, type(None)]
    assert "can't be stored" in str(outcomes[1])


async def test_bug_fails_its_own_chat(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """An error nobody foresaw neither ends the queue nor leaves a caller waiting, nor is its text shown."""
    bad = new_chat()

    def fail(records: Sequence[ChatRecord]) -> None:
        if bad in records:
            raise ZeroDivisionError("s3cret")

    writer.on_write = fail
    outcomes = await asyncio.gather(queue.commit(new_chat()), queue.commit(bad), return_exceptions=True)

    assert outcomes[0] is None
    assert isinstance(outcomes[1], StorageUnavailable)
    assert "s3cret" not in str(outcomes[1])
    await queue.commit(new_chat())


async def test_orphan_is_not_found(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """A record whose session is gone is the caller's matter, not an outage."""
    await queue.commit(new_chat())
    writer.on_write = once(RefusedRows("orphan", orphan=True))

    with pytest.raises(NotFound):
        await queue.commit(new_chat())
    assert queue.is_ready


async def test_record_whose_key_is_lost_fails_alone(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """The others of its batch are stored; the store itself is well."""
    late = new_chat()

    def refuse(records: Sequence[ChatRecord]) -> None:
        if late in records:
            raise ClaimLost("an idempotency key was taken over")

    writer.on_write = refuse
    outcomes = await asyncio.gather(
        *(queue.commit(chat) for chat in (new_chat(), late, new_chat())), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [type(None), KeyTakenOver, type(None)]
    assert queue.is_ready


async def test_record_that_is_stored_keeps_its_key(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """Sent again after all, it finds its key completed, and by itself: its ids tell."""
    chat = new_chat()
    await queue.commit(chat)
    writer.on_write = once(ClaimLost("an idempotency key was taken over"))
    await queue.commit(chat)

    assert len(writer.kept) == 2


async def test_lost_reply_of_a_commit_stores_once(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """Fault row 68: the batch was committed; it is found by its ids and not sent again."""
    writer.after_write = once(ConnectionLost("reply lost"))
    await asyncio.gather(*(queue.commit(new_chat()) for _ in range(5)))

    assert writer.batches == [5]
    assert len(writer.kept) == 10


async def test_connection_lost_before_commit_is_retried(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """Fault row 67: the same ids go out again on a new connection."""
    writer.on_write = once(ConnectionLost("gone"), times=2)
    await asyncio.gather(*(queue.commit(new_chat()) for _ in range(5)))

    assert writer.batches == [5, 5, 5]
    assert len(writer.kept) == 10


async def test_patience_ends(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """A database that stays away is an error in bounded time, for those in flight and those behind."""
    writer.away = True
    first = asyncio.ensure_future(queue.commit(new_chat()))
    await asyncio.sleep(0.05)
    second = asyncio.ensure_future(queue.commit(new_chat()))
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(first, second, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable, StorageUnavailable]
    assert not queue.is_ready


@pytest.mark.parametrize("failures", [1, 3])
async def test_collision_is_retried(queue: CommitQueue, writer: ScriptedWriter, failures: int) -> None:
    """Fault row 72: a serialization failure or deadlock is tried again, three times."""
    writer.on_write = once(Collision("deadlock"), times=failures)
    await asyncio.gather(queue.commit(new_chat()), queue.commit(new_chat()))

    assert [2] * (failures + 1) == writer.batches


async def test_endless_collisions_end(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """Each record has its three retries, then an error."""
    writer.on_write = once(Collision("deadlock"), times=10**9)
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(
            queue.commit(new_chat()), queue.commit(new_chat()), return_exceptions=True
        )

    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable, StorageUnavailable]
    assert writer.batches == [2] * 4 + [1] * 8


async def test_locked_thread_is_waited_for_once(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """All chats of a locked thread fail with the first; those of other threads are stored."""
    locked = new_chat()

    def block(records: Sequence[ChatRecord]) -> None:
        if any(record.thread == locked.thread for record in records):
            raise Blocked("locked")

    writer.on_write = block
    chats = [next_chat(locked), new_chat(), next_chat(locked), new_chat(), next_chat(locked)]
    outcomes = await asyncio.gather(*(queue.commit(chat) for chat in chats), return_exceptions=True)

    assert [outcome is not None for outcome in outcomes] == [True, False, True, False, True]
    assert writer.batches == [5, 1, 1, 1]


async def test_refusing_store_is_not_ready_until_it_answers(
    queue: CommitQueue, writer: ScriptedWriter
) -> None:
    """Disk full: the batch fails at once, without a retry; a trial brings readiness back, a ping does not."""
    writer.on_prove = once(StoreRefused("disk full"))
    writer.on_write = once(StoreRefused("disk full"))
    outcomes = await asyncio.gather(
        queue.commit(new_chat()), queue.commit(new_chat()), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable, StorageUnavailable]
    assert writer.batches == [2]
    assert not queue.is_ready
    await until_ready(queue)
    assert writer.proofs == 2
    assert writer.pings >= 2
    await queue.commit(new_chat())
    assert queue.is_ready


async def test_refusals_that_trials_do_not_foresee_become_rare(
    queue: CommitQueue, writer: ScriptedWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each one doubles how long nothing is taken, until a chat is stored again."""
    monkeypatch.setattr(commit_queue, "PING_INTERVAL_S", 0.02)
    monkeypatch.setattr(readiness, "SHORTEST_PAUSE_S", 0.03)
    writer.on_write = once(StoreRefused("no"), times=4)
    waits = []
    loop = asyncio.get_running_loop()
    for _ in range(4):
        with pytest.raises(StorageUnavailable):
            await queue.commit(new_chat())
        since = loop.time()
        await until_ready(queue)
        waits.append(loop.time() - since)
    await queue.commit(new_chat())

    assert waits[3] > 0.2
    assert writer.proofs == 4
    assert not queue._readiness.must_be_proved


async def test_trial_that_is_in_somebodys_way_says_nothing(
    queue: CommitQueue, writer: ScriptedWriter
) -> None:
    """Neither ready nor another reason; the next one tells."""
    writer.on_write = once(StoreRefused("disk full"))
    writer.on_prove = once(Blocked("locked"))
    with pytest.raises(StorageUnavailable):
        await queue.commit(new_chat())
    async with asyncio.timeout(30):
        while not writer.proofs:  # noqa: ASYNC110 - what is asked for is a plain number
            await asyncio.sleep(0.02)

    assert queue.failure == "disk full"
    await until_ready(queue)


async def test_hang_up_while_idle_is_seen_by_asking(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """No chat has to fail first; and whoever asks within milliseconds of another costs nothing."""
    await queue.commit(new_chat())
    seen = [queue.is_ready]
    writer.away = True
    await asyncio.sleep(commit_queue.LOOK_EVERY_S)
    seen.append(queue.is_ready)
    writer.away = False
    await until_ready(queue)

    assert seen == [True, False]


async def test_full_queue_refuses(
    queue: CommitQueue, writer: ScriptedWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond its bound a chat is refused at once rather than kept in memory."""
    monkeypatch.setattr(commit_queue, "CAPACITY", 3)
    outcomes = await asyncio.gather(*(queue.commit(new_chat()) for _ in range(5)), return_exceptions=True)

    assert [None, None, None, Overloaded, Overloaded] == [
        None if outcome is None else type(outcome) for outcome in outcomes
    ]


async def test_closing_commits_what_waits(writer: ScriptedWriter) -> None:
    """Then it takes nothing more."""
    queue = CommitQueue(writers=(writer,))
    queue.start()
    waiting = [asyncio.ensure_future(queue.commit(new_chat())) for _ in range(300)]
    await asyncio.sleep(0)
    await queue.aclose()
    await asyncio.gather(*waiting)

    assert len(writer.kept) == 600
    assert not queue.is_ready
    with pytest.raises(StorageUnavailable):
        await queue.commit(new_chat())


@attrs.define(eq=False)
class SlowWriter(ScriptedWriter):
    """Holds each batch until `go` is set."""

    go: asyncio.Event = attrs.field(factory=asyncio.Event)
    written: list[list[ChatRecord]] = attrs.field(factory=list)

    async def write(self, records: Sequence[ChatRecord]) -> frozenset[ThreadKey]:
        self.written.append(list(records))
        await self.go.wait()
        return await super().write(records)


@pytest.fixture
def slow_writers() -> tuple[SlowWriter, SlowWriter]:
    return SlowWriter(), SlowWriter()


@pytest.fixture
async def wide_queue(slow_writers: tuple[SlowWriter, SlowWriter]) -> AsyncIterator[CommitQueue]:
    queue = CommitQueue(writers=slow_writers)
    queue.start()
    yield queue
    for writer in slow_writers:
        writer.go.set()
    await queue.aclose()


async def flushed() -> None:
    """Lets the queue send what it would send at once, and what it sends after a while."""
    await asyncio.sleep(2 * commit_queue.BESIDE_AFTER_S)


async def test_chats_overtake_a_batch_in_flight(
    wide_queue: CommitQueue, slow_writers: tuple[SlowWriter, SlowWriter]
) -> None:
    """A thread that is locked, or a slow disk, holds up nobody else's chat."""
    first = asyncio.ensure_future(wide_queue.commit(new_chat()))
    await flushed()
    slow_writers[1].go.set()
    async with asyncio.timeout(30):
        await wide_queue.commit(new_chat())

    assert not first.done()
    slow_writers[0].go.set()
    await first


async def test_few_chats_wait_a_little_for_company(
    wide_queue: CommitQueue, slow_writers: tuple[SlowWriter, SlowWriter], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a batch in flight a chat alone is not sent at once; enough of them are, together."""
    monkeypatch.setattr(commit_queue, "BESIDE_AFTER_S", HANGS_S)
    chats = [asyncio.ensure_future(wide_queue.commit(new_chat()))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for _ in range(commit_queue.BESIDE_SIZE):
        assert slow_writers[1].written == []
        chats.append(asyncio.ensure_future(wide_queue.commit(new_chat())))
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert [commit_queue.BESIDE_SIZE] == [len(batch) for batch in slow_writers[1].written]
    for writer in slow_writers:
        writer.go.set()
    await asyncio.gather(*chats)


async def test_thread_in_flight_is_waited_for(
    wide_queue: CommitQueue, slow_writers: tuple[SlowWriter, SlowWriter]
) -> None:
    """The chats of one thread go out in the order of their commits, one batch after the other."""
    chat, other = new_chat(), new_chat()
    again = [next_chat(chat) for _ in range(20)]
    waiting = [asyncio.ensure_future(wide_queue.commit(chat))]
    await flushed()
    waiting += [asyncio.ensure_future(wide_queue.commit(each)) for each in (again[0], other, *again[1:])]
    await flushed()

    assert [[chat]] == slow_writers[0].written
    assert [[other]] == slow_writers[1].written
    slow_writers[0].go.set()
    slow_writers[1].go.set()
    await asyncio.gather(*waiting)
    later = [record for writer in slow_writers for batch in writer.written[1:] for record in batch]
    assert again == later


async def test_session_being_made_is_waited_for(
    wide_queue: CommitQueue, slow_writers: tuple[SlowWriter, SlowWriter]
) -> None:
    """A chat in a session that a batch in flight makes would find none yet, or make it twice."""
    chat = new_chat()
    twin = attrs.evolve(
        new_chat(),
        session=chat.session,
        thread=attrs.evolve(new_chat().thread, session_id=chat.session.id),
    )
    late = attrs.evolve(
        new_chat(), new_session=False, thread=attrs.evolve(new_chat().thread, session_id=chat.session.id)
    )
    waiting = [asyncio.ensure_future(wide_queue.commit(chat))]
    await flushed()
    waiting += [asyncio.ensure_future(wide_queue.commit(each)) for each in (twin, late)]
    await flushed()

    assert [] == slow_writers[1].written
    slow_writers[0].go.set()
    slow_writers[1].go.set()
    await asyncio.gather(*waiting)
    assert 6 == sum(len(writer.kept) for writer in slow_writers)


async def test_lost_connection_of_one_writer_leaves_the_others(
    wide_queue: CommitQueue, slow_writers: tuple[SlowWriter, SlowWriter]
) -> None:
    """Its batch alone is unknown, is asked for and is sent again."""
    slow_writers[0].on_write = once(ConnectionLost("gone"))
    for writer in slow_writers:
        writer.go.set()
    await asyncio.gather(*(wide_queue.commit(new_chat()) for _ in range(600)))

    assert 1200 == sum(len(writer.kept) for writer in slow_writers)
    assert wide_queue.is_ready


async def test_closing_ends_every_batch(
    wide_queue: CommitQueue, slow_writers: tuple[SlowWriter, SlowWriter]
) -> None:
    """Those in flight, those that wait for them, and those that wait for company."""
    chat = new_chat()
    chats = [chat, next_chat(chat), *(new_chat() for _ in range(600)), next_chat(chat)]
    waiting = [asyncio.ensure_future(wide_queue.commit(each)) for each in chats]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(wide_queue.aclose())
    await flushed()
    for writer in slow_writers:
        writer.go.set()
    await closing
    await asyncio.gather(*waiting)

    assert 2 * len(chats) == sum(len(writer.kept) for writer in slow_writers)


async def test_reason_is_given_while_not_ready(queue: CommitQueue, writer: ScriptedWriter) -> None:
    """In general words for callers, in full for the operator, and gone with the trouble."""
    await queue.commit(new_chat())
    seen = [queue.reason]
    writer.on_write = once(SchemaBehind("run it"))
    with pytest.raises(StorageUnavailable, match="run it"):
        await queue.commit(new_chat())
    seen.append(queue.reason)
    await until_ready(queue)
    writer.on_write = once(StoreRefused("disk sda1 is full"))
    with pytest.raises(StorageUnavailable) as caught:
        await queue.commit(new_chat())
    seen += [queue.reason, queue.failure]
    await until_ready(queue)

    assert [None, "run it", caught.value.detail, "disk sda1 is full"] == seen
    assert "sda1" not in caught.value.detail
    assert queue.reason is None


async def test_queue_is_not_ready_until_its_check_agrees(writer: ScriptedWriter) -> None:
    """A database that answers and has no schema takes no chat; nothing is to be asked meanwhile."""
    has_schema = False

    async def check() -> None:
        if not has_schema:
            raise SchemaBehind("no schema")

    queue = CommitQueue(writers=(writer,), check=check)
    await queue.probe()
    queue.start()

    assert (False, "no schema") == (queue.is_ready, queue.reason)
    has_schema = True
    await until_ready(queue)
    await queue.aclose()


async def test_changes_of_readiness_are_logged(
    queue: CommitQueue, writer: ScriptedWriter, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a change, with the reason; not once a chat."""
    await queue.commit(new_chat())
    writer.on_write = once(StoreRefused("disk full"), times=2)
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            await queue.commit(new_chat())
    await until_ready(queue)

    said = [
        each.message for each in caplog.records if each.name == "lor3.store" and each.levelname == "WARNING"
    ]
    assert 2 == len(said)
    assert "disk full" in said[0]
    assert "is ready" in said[1]
