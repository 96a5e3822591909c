"""What a fork begins with, and what it leaves behind."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest

from adapters.in_memory.conversations import InMemoryMessages
from application.ports.unit_of_work import UnitOfWork
from application.services import thread_forking
from application.services.thread_forking import ThreadForking
from application.use_cases.delete_thread import DeleteThreadCommand
from application.use_cases.fork_thread import ForkThread, ForkThreadCommand
from application.use_cases.pin_message import PinMessageCommand
from domain.errors import InvalidRequest, NotFound, Overloaded
from domain.feedback import Feedback
from domain.ids import DEFAULT_TENANT, MessageId, Tenant, ThreadId
from domain.message import Message
from tests.support.thread_bench import ABSENT, OTHER, ThreadBench, texts


async def test_a_fork_begins_as_a_copy() -> None:
    """Up to the message and with it, in the same session, with the same words."""
    bench = ThreadBench()
    thread = await bench.thread(chats=3)
    originals = await bench.messages(thread)

    fork = await bench.fork.execute(ForkThreadCommand(thread_id=thread.id, message_id=originals[3].id))

    copies = await bench.messages(fork)
    assert (thread.session_id, originals[3].id, 4) == (fork.session_id, fork.forked_from, fork.length)
    assert ("Talk", ("a",)) == (fork.title, fork.tags)
    assert fork == await bench.read.thread(DEFAULT_TENANT, fork.id)
    assert [each.id for each in originals[:4]] == [each.copied_from for each in copies]
    assert [0, 1, 2, 3] == [each.position for each in copies]
    assert not {each.id for each in copies} & {each.id for each in originals}
    kept = [
        attrs.evolve(copy, id=original.id, thread_id=thread.id, copied_from=None, parent=original.parent)
        for copy, original in zip(copies, originals, strict=False)
    ]
    assert list(originals[:4]) == kept


async def test_copies_follow_one_another_as_the_originals_do() -> None:
    """Their parents are copies too; ids rise with positions, so that later chats come behind them."""
    bench = ThreadBench()
    thread = await bench.thread(chats=2)
    originals = await bench.messages(thread)
    await bench.turns(thread, (Message.of("assistant", "again"),), parent=originals[2].id)

    last = (await bench.messages(thread))[-1]
    fork = await bench.fork.execute(ForkThreadCommand(thread_id=thread.id, message_id=last.id))

    copies = await bench.messages(fork)
    assert [None, copies[0].id, None, copies[2].id, copies[2].id] == [each.parent for each in copies]
    assert sorted(each.id for each in copies) == [each.id for each in copies]


async def test_a_fork_and_its_source_go_different_ways() -> None:
    """What is added to one is not in the other; a fork can be forked."""
    bench = ThreadBench()
    thread = await bench.thread(chats=2)
    at = (await bench.messages(thread))[1].id
    fork = await bench.fork.execute(
        ForkThreadCommand(thread_id=thread.id, message_id=MessageId(at.upper()), title="Another way")
    )
    await bench.chat(fork, "other question", "other answer")
    again = (await bench.messages(fork))[2].id
    second = await bench.fork.execute(ForkThreadCommand(thread_id=fork.id, message_id=again))

    assert "Another way" == fork.title
    assert ["question 0", "answer 0", "question 1", "answer 1"] == texts(await bench.messages(thread))
    assert ["question 0", "answer 0", "other question", "other answer"] == texts(await bench.messages(fork))
    assert ["question 0", "answer 0", "other question"] == texts(await bench.messages(second))


async def test_pins_go_along_and_feedback_stays() -> None:
    """Feedback was given to the original, once; the attempts were paid for there too."""
    bench = ThreadBench()
    thread = await bench.thread(chats=1)
    _, answer = await bench.messages(thread)
    await bench.pin.execute(PinMessageCommand(message_id=answer.id, pinned=True))
    at = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
        await work.feedback.lock(answer.id)
        await work.feedback.put(answer.id, Feedback(rating=5, given_at=at), at=at)
        await work.commit()

    fork = await bench.fork.execute(ForkThreadCommand(thread_id=thread.id, message_id=answer.id))

    copies = await bench.messages(fork)
    assert [(True, None), (True, None)] == [(each.pinned, each.feedback) for each in copies]
    assert () == (await bench.read.message(DEFAULT_TENANT, copies[1].id)).attempts


async def test_a_long_thread_is_copied_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole; and one that is too long is refused before anything is made."""
    monkeypatch.setattr(thread_forking, "MAX_COPIED_AT_ONCE", 3)
    monkeypatch.setattr(thread_forking, "MAX_COPIED", 10)
    bench = ThreadBench()
    thread = await bench.thread(chats=6)
    originals = await bench.messages(thread)

    fork = await bench.fork.execute(ForkThreadCommand(thread_id=thread.id, message_id=originals[9].id))
    with pytest.raises(InvalidRequest, match="choose an earlier one"):
        await bench.fork.execute(ForkThreadCommand(thread_id=thread.id, message_id=originals[10].id))

    copies = await bench.messages(fork)
    assert texts(originals[:10]) == texts(copies)
    assert copies[8].id == copies[9].parent
    assert 2 == len((await bench.read.threads(DEFAULT_TENANT)).items)


async def test_long_forks_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time, and whoever waits holds no connection; short ones pass by."""
    held = _HeldCopies.of(monkeypatch)
    bench = ThreadBench()
    thread = await bench.thread(chats=2)
    originals = await bench.messages(thread)
    fork = held.fork(bench)
    long = ForkThreadCommand(thread_id=thread.id, message_id=originals[3].id)
    short = ForkThreadCommand(thread_id=thread.id, message_id=originals[1].id)

    async with asyncio.TaskGroup() as group:
        forks = [group.create_task(fork.execute(long)) for _ in range(4)]
        await held.begun.wait()
        passed_by = await fork.execute(short)
        works_while_three_wait = held.works
        held.go_on.set()

    assert 2 == passed_by.length
    assert 1 == works_while_three_wait
    assert [4] * 4 == [task.result().length for task in forks]
    assert 1 == held.most_under_way


async def test_a_long_fork_does_not_wait_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told to come again; the turn is free once the one before it ends, however it ends."""
    held = _HeldCopies.of(monkeypatch)
    bench = ThreadBench()
    thread = await bench.thread(chats=2)
    fork = held.fork(bench, max_wait_s=0.01)
    command = ForkThreadCommand(thread_id=thread.id, message_id=(await bench.messages(thread))[3].id)

    first = asyncio.create_task(fork.execute(command))
    await held.begun.wait()
    with pytest.raises(Overloaded, match="try again shortly") as told:
        await fork.execute(command)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    held.go_on.set()

    assert 1.0 == told.value.retry_after_s
    assert 4 == (await fork.execute(command)).length


async def test_a_thread_that_is_deleted_meanwhile_is_not_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was copied until then may not be all of it."""
    held = _HeldCopies.of(monkeypatch)
    bench = ThreadBench()
    thread = await bench.thread(chats=2)
    command = ForkThreadCommand(thread_id=thread.id, message_id=(await bench.messages(thread))[3].id)

    forking = asyncio.create_task(held.fork(bench).execute(command))
    await held.begun.wait()
    await bench.delete.execute(DeleteThreadCommand(thread_id=thread.id))
    held.go_on.set()
    with pytest.raises(NotFound, match="there is no thread"):
        await forking

    assert () == (await bench.read.threads(DEFAULT_TENANT)).items


@pytest.mark.parametrize("kind", ["absent", "foreign", "no id", "of another thread"])
async def test_a_thread_has_only_its_own_messages(kind: str) -> None:
    """Nothing is made."""
    bench = ThreadBench()
    thread, other = await bench.thread(chats=1), await bench.thread(chats=1)
    foreign = await bench.thread(chats=1, tenant=OTHER)
    foreign_message = (await bench.read.messages(OTHER, foreign.id)).items[0]
    message_id = {
        "absent": ABSENT,
        "foreign": foreign_message.id,
        "no id": "x",
        "of another thread": (await bench.messages(other))[0].id,
    }[kind]

    with pytest.raises(NotFound, match=f"there is no message {message_id}"):
        await bench.fork.execute(ForkThreadCommand(thread_id=thread.id, message_id=MessageId(message_id)))
    with pytest.raises(NotFound, match=f"there is no thread {ABSENT}"):
        await bench.fork.execute(
            ForkThreadCommand(thread_id=ThreadId(ABSENT), message_id=MessageId(message_id))
        )

    assert 2 == len((await bench.read.threads(DEFAULT_TENANT)).items)


@attrs.define
class _HeldCopies:
    """Copies of more than two messages wait until they may go on."""

    begun: asyncio.Event = attrs.field(factory=asyncio.Event)
    go_on: asyncio.Event = attrs.field(factory=asyncio.Event)
    under_way: int = 0
    most_under_way: int = 0
    works: int = 0
    """Units of work that are open."""

    @classmethod
    def of(cls, monkeypatch: pytest.MonkeyPatch) -> "_HeldCopies":
        monkeypatch.setattr(thread_forking, "MAX_COPIED_AT_ONCE", 2)
        held = cls()
        copy = InMemoryMessages.copy

        async def wait_and_copy(
            messages: InMemoryMessages,
            source: ThreadId,
            to: ThreadId,
            *,
            first: int,
            ids: Sequence[MessageId],
        ) -> None:
            if len(ids) > 2:
                held.under_way += 1
                held.most_under_way = max(held.most_under_way, held.under_way)
                held.begun.set()
                try:
                    await held.go_on.wait()
                finally:
                    held.under_way -= 1
            await copy(messages, source, to, first=first, ids=ids)

        monkeypatch.setattr(InMemoryMessages, "copy", wait_and_copy)
        return held

    def fork(self, bench: ThreadBench, *, max_wait_s: float = 10.0) -> ForkThread:
        @asynccontextmanager
        async def counted(tenant: Tenant) -> AsyncIterator[UnitOfWork]:
            async with bench.store.unit_of_work(tenant) as work:
                self.works += 1
                try:
                    yield work
                finally:
                    self.works -= 1

        forking = ThreadForking(unit_of_work=counted, clock=bench.clock, ids=bench.ids, max_wait_s=max_wait_s)
        return ForkThread(forking=forking)
