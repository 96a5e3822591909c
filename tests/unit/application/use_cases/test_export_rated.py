"""Which rated answers are exported, and with what."""

import datetime
from typing import Any

import attrs
import pytest

from application.use_cases.export_rated import ExportRated, ExportRatedCommand, RatedConversation
from application.use_cases.fork_thread import ForkThreadCommand
from application.use_cases.rate_message import RateMessage, RateMessageCommand
from domain.errors import InvalidRequest, StorageUnavailable
from domain.feedback import Rating
from domain.ids import DEFAULT_TENANT, MessageId
from domain.message import Message, ToolCall
from domain.model import ModelRef
from domain.prompt.reference import PromptReference
from domain.thread import Thread
from tests.support.records import MODEL
from tests.support.thread_bench import OTHER, ThreadBench

DAY = datetime.timedelta(days=1)


@attrs.define
class Bench(ThreadBench):
    async def rate(self, message_id: MessageId, rating: Rating = "thumbs_up") -> None:
        rating_of = RateMessage(unit_of_work=self.store.unit_of_work, clock=self.clock)
        await rating_of.execute(RateMessageCommand(message_id=message_id, rating=rating))

    async def rated(self, **conditions: Any) -> list[RatedConversation]:
        exported = ExportRated(unit_of_work=self.store.unit_of_work)
        return [each async for each in exported.execute(ExportRatedCommand(**conditions))]

    async def texts(self, **conditions: Any) -> list[str]:
        """Of the answers."""
        return [each.messages[-1].text for each in await self.rated(**conditions)]

    async def rated_chat(self, thread: Thread, answer: str, rating: Rating, **fields: Any) -> None:
        """A chat whose answer has these fields, rated."""
        first = await self.chat(thread, f"about {answer}", answer)
        async with self.store.unit_of_work(DEFAULT_TENANT) as work:
            stored = [await work.messages.get(each) for each in first]
        assert stored[1] is not None
        shelves = self.store.shelves  # type: ignore[attr-defined]  # the store in memory
        shelves.messages[DEFAULT_TENANT, stored[1].id] = attrs.evolve(stored[1], **fields)
        await self.rate(first[1], rating)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_rated_answer_is_exported_with_what_it_answered(bench: Bench) -> None:
    """In the order in which the answers were made; those that nobody rated are context alone."""
    thread = await bench.thread()
    ids = [(await bench.chat(thread, f"q{number}", f"a{number}"))[1] for number in range(3)]
    await bench.rate(ids[2], 5)
    await bench.rate(ids[1], "thumbs_down")

    found = await bench.rated()
    assert [["q0", "a0", "q1", "a1"], ["q0", "a0", "q1", "a1", "q2", "a2"]] == [
        [message.text for message in each.messages] for each in found
    ]
    assert [(ids[1], "thumbs_down"), (ids[2], 5)] == [
        (each.answer.id, each.feedback.rating) for each in found
    ]


async def test_answer_that_is_not_whole_is_left_out(bench: Bench) -> None:
    """Failed, cut and empty ones, and what no model wrote; a call of a tool says something without a word."""
    thread = await bench.thread()
    for status in ("failed", "incomplete", "interrupted", "cancelled"):
        await bench.rated_chat(thread, status, "thumbs_down", status=status)
    await bench.rated_chat(thread, "empty", 1, message=Message.of("assistant", ""))
    call = ToolCall(id="c1", name="weather", arguments="{}")
    await bench.rated_chat(
        thread, "called", 1, message=Message(role="assistant", parts=(), tool_calls=(call,))
    )
    await bench.rated_chat(thread, "brought", 1)
    for key, stored in bench.store.shelves.messages.items():  # type: ignore[attr-defined]  # the store in memory
        if stored.message.text == "brought":
            changed = attrs.evolve(stored, model=None, latency_ms=None)
            bench.store.shelves.messages[key] = changed  # type: ignore[attr-defined]  # as above
    await bench.rated_chat(thread, "whole", 2)

    assert ["", "whole"] == await bench.texts()


async def test_answer_is_found_by_its_rating(bench: Bench) -> None:
    """Thumbs up is as much as 5, thumbs down as little as 1."""
    thread = await bench.thread()
    for rating in (1, 2, 3, 4, 5, "thumbs_up", "thumbs_down"):
        await bench.rated_chat(thread, str(rating), rating)

    assert ["4", "5", "thumbs_up"] == await bench.texts(at_least=4)
    assert ["5", "thumbs_up"] == await bench.texts(at_least="thumbs_up")
    assert ["1", "2", "thumbs_down"] == await bench.texts(at_most=2)
    assert ["2", "3"] == await bench.texts(at_least=2, at_most=3)


async def test_answer_is_found_by_its_prompt_and_model(bench: Bench) -> None:
    """A prompt by its name, a version, or the label by which it was chosen."""
    thread = await bench.thread()
    opus = ModelRef("anthropic", "claude-opus-5-5")
    await bench.rated_chat(thread, "a", 5, prompt_version="support:v1", prompt_label="production")
    await bench.rated_chat(thread, "b", 5, prompt_version="support:v12", model=opus)
    await bench.rated_chat(thread, "c", 5, prompt_version="support_agent:v1", prompt_label="production")
    await bench.rated_chat(thread, "d", 5)

    for text, expected in (
        ("support", ["a", "b"]),
        ("support:v1", ["a"]),
        ("support@production", ["a"]),
        ("support@staging", []),
        ("other", []),
    ):
        assert expected == await bench.texts(prompt=PromptReference.parse(text)), text
    assert ["b"] == await bench.texts(model=opus)
    assert ["a", "c", "d"] == await bench.texts(model=MODEL)
    assert [] == await bench.texts(model=opus, prompt=PromptReference.parse("support:v1"))


async def test_answer_is_found_by_its_time(bench: Bench) -> None:
    """The beginning counts, the end does not."""
    thread = await bench.thread()
    begun = bench.clock.now()
    for answer in ("a", "b", "c"):
        await bench.rated_chat(thread, answer, 5)
        bench.clock.advance(DAY.total_seconds())

    assert ["b"] == await bench.texts(since=begun + DAY, until=begun + 2 * DAY)
    assert ["b", "c"] == await bench.texts(since=begun + DAY)
    assert ["a"] == await bench.texts(until=begun + DAY)


async def test_regenerated_answer_has_its_own_conversation(bench: Bench) -> None:
    """Without the answer in whose place it was made, however much was said in between."""
    thread = await bench.thread(1)
    question, _ = (each.id for each in await bench.messages(thread))
    await bench.chat(thread, "later", "Later.")
    (again,) = await bench.turns(thread, (Message.of("assistant", "again"),), parent=question)
    await bench.rate(again)

    (found,) = await bench.rated()
    assert ["question 0", "again"] == [message.text for message in found.messages]


async def test_tool_calls_are_exported_whole(bench: Bench) -> None:
    """Call, result and answer are one exchange."""
    thread = await bench.thread()
    call = ToolCall(id="call_1", name="find", arguments="{}")
    await bench.turns(thread, (Message.of("user", "q"), Message(role="assistant", tool_calls=(call,))))
    result = attrs.evolve(Message.of("tool", "42"), tool_call_id="call_1")
    ids = await bench.turns(thread, (result, Message.of("assistant", "a")))
    await bench.rate(ids[-1])

    (found,) = await bench.rated()
    assert ["user", "assistant", "tool", "assistant"] == [message.role for message in found.messages]
    assert (call,) == found.messages[1].tool_calls


async def test_many_rated_answers_are_all_exported(bench: Bench) -> None:
    """Beyond one page; each once."""
    thread = await bench.thread(130)
    for each in await bench.messages(thread):
        if each.message.role == "assistant":
            await bench.rate(each.id)

    found = await bench.texts()
    assert [f"answer {number}" for number in range(130)] == found
    assert 50 == max([len(each.messages) for each in await bench.rated()])


async def test_what_is_deleted_or_foreign_is_not_exported(bench: Bench) -> None:
    """Nor is the copy in a fork, which nobody rated."""
    kept, deleted = await bench.thread(), await bench.thread()
    await bench.rated_chat(kept, "kept", 5)
    await bench.rated_chat(deleted, "deleted", 5)
    last = (await bench.messages(kept))[-1]
    await bench.fork.execute(ForkThreadCommand(thread_id=kept.id, message_id=last.id))
    async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
        await work.threads.delete(deleted.id, at=bench.clock.now())
        await work.commit()

    assert ["kept"] == await bench.texts()
    assert [] == await bench.texts(tenant=OTHER)


@pytest.mark.parametrize(
    ("conditions", "path"),
    [
        ({"at_least": 4, "at_most": 3}, "at_least"),
        ({"at_least": "thumbs_up", "at_most": "thumbs_down"}, "at_least"),
        (
            {
                "since": datetime.datetime.now(datetime.UTC),
                "until": datetime.datetime.now(datetime.UTC) - DAY,
            },
            "from",
        ),
    ],
)
async def test_conditions_that_exclude_each_other_are_refused(
    bench: Bench, conditions: dict[str, Any], path: str
) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidRequest) as error:
        await bench.rated(**conditions)

    assert [path] == [fault.path for fault in error.value.faults]


async def test_export_ends_with_the_database(bench: Bench) -> None:
    """In the middle: what was given stays given."""
    thread = await bench.thread()
    await bench.rated_chat(thread, "a", 5)
    await bench.rated_chat(thread, "b", 5)
    exported = ExportRated(unit_of_work=bench.store.unit_of_work).execute(ExportRatedCommand())
    first = await anext(exported)
    bench.store.shelves.available = False  # type: ignore[attr-defined]  # the store in memory

    assert "a" == first.messages[-1].text
    with pytest.raises(StorageUnavailable):
        await anext(exported)
