"""What is pinned with a message, and how much may be."""

import asyncio

import attrs
import pytest

from application.use_cases.pin_message import PinMessageCommand
from domain.errors import Conflict, LorError, NotFound
from domain.ids import DEFAULT_TENANT, MessageId
from domain.message import Message, ToolCall
from domain.thread import MAX_PINNED, Thread
from tests.support.thread_bench import ABSENT, OTHER, ThreadBench


async def _pinned(bench: ThreadBench, thread: Thread) -> list[int | None]:
    return [each.position for each in await bench.messages(thread) if each.pinned]


async def _pin(bench: ThreadBench, message_id: str, pinned: bool = True) -> bool:
    command = PinMessageCommand(message_id=MessageId(message_id), pinned=pinned)
    return (await bench.pin.execute(command)).pinned


@pytest.mark.parametrize("position", [2, 3])
async def test_the_whole_exchange_is_pinned(position: int) -> None:
    """Whether the question or the answer is named; and it is let go as a whole."""
    bench = ThreadBench()
    thread = await bench.thread(chats=3)
    message_id = (await bench.messages(thread))[position].id

    pinned = await _pin(bench, message_id.upper())
    after = await _pinned(bench, thread)
    again = await _pin(bench, message_id)
    let_go = await _pin(bench, message_id, pinned=False)

    assert (True, [2, 3], True, False) == (pinned, after, again, let_go)
    assert [] == await _pinned(bench, thread)


async def test_calls_of_tools_belong_to_the_exchange() -> None:
    """From the question to the answer that needed no more of them."""
    bench = ThreadBench()
    thread = await bench.thread(chats=1)
    call = ToolCall(id="c1", name="look", arguments="{}")
    result = attrs.evolve(Message.of("tool", "found"), tool_call_id="c1")
    await bench.turns(thread, (Message.of("user", "look"), Message(role="assistant", tool_calls=(call,))))
    ids = await bench.turns(thread, (result, Message.of("assistant", "there")))
    await bench.chat(thread, "thanks", "welcome")

    await _pin(bench, ids[0])

    assert [2, 3, 4, 5] == await _pinned(bench, thread)


async def test_of_answers_made_in_place_of_one_another_the_newest_is_pinned() -> None:
    """The one before can't be: it is in no memory."""
    bench = ThreadBench()
    thread = await bench.thread(chats=1)
    asked, first = await bench.messages(thread)
    await bench.turns(thread, (Message.of("assistant", "again"),), parent=asked.id)
    await bench.chat(thread, "next", "one")

    await _pin(bench, asked.id)
    pinned = await _pinned(bench, thread)
    with pytest.raises(Conflict, match="another one made in its place"):
        await _pin(bench, first.id)

    assert [0, 2] == pinned


async def test_what_was_not_answered_can_not_be_pinned() -> None:
    """It is half an exchange; to let go of it is no error."""
    bench = ThreadBench()
    thread = await bench.thread(chats=1)
    asked, failed = await bench.chat(thread, "question", "", status="failed")
    await bench.chat(thread, "next", "one")

    for message_id in (asked, failed):
        with pytest.raises(Conflict, match="only whole exchanges"):
            await _pin(bench, message_id)

        assert not await _pin(bench, message_id, pinned=False)
    assert [] == await _pinned(bench, thread)


async def test_no_more_than_a_hundred_messages_are_pinned() -> None:
    """However many ask at the same time; one that is let go makes room."""
    bench = ThreadBench()
    thread = await bench.thread(chats=MAX_PINNED // 2 + 5)
    messages = await bench.messages(thread)

    async def pin(message_id: str) -> bool:
        try:
            return await _pin(bench, message_id)
        except LorError:
            return False

    pinned = await asyncio.gather(*(pin(each.id) for each in messages[::2]))
    left = next(each for each in await bench.messages(thread) if not each.pinned)
    with pytest.raises(Conflict, match="at most 100 pinned messages"):
        await _pin(bench, left.id)
    held = next(each for each in await bench.messages(thread) if each.pinned)
    await _pin(bench, held.id, pinned=False)

    assert MAX_PINNED // 2 == sum(pinned)
    assert await _pin(bench, left.id)
    assert MAX_PINNED == len(await _pinned(bench, thread))


@pytest.mark.parametrize("kind", ["absent", "foreign", "no id"])
async def test_a_message_that_is_not_there_is_not_pinned(kind: str) -> None:
    """Another tenant's stays as it is."""
    bench = ThreadBench()
    foreign = await bench.thread(chats=1, tenant=OTHER)
    message = (await bench.read.messages(OTHER, foreign.id)).items[0]
    message_id = {"absent": ABSENT, "foreign": message.id, "no id": "x"}[kind]

    with pytest.raises(NotFound, match=f"there is no message {message_id}"):
        await _pin(bench, message_id)

    assert not (await bench.read.message(OTHER, message.id)).message.pinned
    assert () == (await bench.read.threads(DEFAULT_TENANT)).items
