"""What a fork begins with, and what it leaves behind."""

import datetime

import attrs
import pytest

from application.use_cases import fork_thread
from application.use_cases.fork_thread import ForkThreadCommand
from application.use_cases.pin_message import PinMessageCommand
from domain.errors import InvalidRequest, NotFound
from domain.feedback import Feedback
from domain.ids import DEFAULT_TENANT, MessageId, ThreadId
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


async def test_a_long_thread_is_copied_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole; and one that is too long is refused before anything is made."""
    monkeypatch.setattr(fork_thread, "_PORTION", 3)
    monkeypatch.setattr(fork_thread, "MAX_COPIED", 10)
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
