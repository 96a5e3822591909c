"""Who may rate what, and what it leaves behind."""

import asyncio
from typing import Any

import attrs
import pytest

from application.use_cases.rate_message import RateMessage, RateMessageCommand
from application.use_cases.read_feedback import MessageFeedback, ReadFeedback
from domain.errors import InvalidRequest, NotFound
from domain.feedback import Feedback
from domain.ids import DEFAULT_TENANT, MessageId, ThreadId
from tests.support.thread_bench import ABSENT, OTHER, ThreadBench


@attrs.define
class Bench(ThreadBench):
    @property
    def rating(self) -> RateMessage:
        return RateMessage(unit_of_work=self.store.unit_of_work, clock=self.clock)

    @property
    def feedback(self) -> ReadFeedback:
        return ReadFeedback(unit_of_work=self.store.unit_of_work)

    async def rate(self, message_id: str, rating: Any = "thumbs_up", **fields: Any) -> Feedback:
        return await self.rating.execute(
            RateMessageCommand(message_id=MessageId(message_id), rating=rating, **fields)
        )

    async def of(self, message_id: MessageId) -> MessageFeedback:
        return await self.feedback.of_message(DEFAULT_TENANT, message_id)


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def _answer(bench: Bench) -> tuple[MessageId, MessageId]:
    thread = await bench.thread()
    question, answer = await bench.chat(thread, "a", "A")
    return question, answer


async def test_answer_is_rated(bench: Bench) -> None:
    """With tags in order, each once; an empty comment is none."""
    _, answer = await _answer(bench)
    given = await bench.rate(answer, 4, comment="", tags=("tone", "a", "tone"), user="u-1")

    expected = Feedback(rating=4, tags=("a", "tone"), user="u-1", given_at=bench.clock.now())
    assert expected == given
    found = await bench.of(answer)
    assert expected == found.current
    assert [(1, expected)] == [(change.position, change.feedback) for change in found.history]


async def test_same_word_again_changes_nothing(bench: Bench) -> None:
    """Neither its time nor the history; characters that no database keeps make no difference."""
    _, answer = await _answer(bench)
    first = await bench.rate(answer, comment="why\0", tags=("b", "a"))
    bench.clock.advance(60)
    second = await bench.rate(answer, comment="why\0", tags=("a", "b"))

    assert first == second
    assert len((await bench.of(answer)).history) == 1


async def test_another_rater_overwrites_the_first(bench: Bench) -> None:
    """An answer has one feedback; the history has both, newest first."""
    _, answer = await _answer(bench)
    first = await bench.rate(answer, "thumbs_up", user="ada")
    second = await bench.rate(answer, "thumbs_up", user="bob")

    found = await bench.of(answer)
    assert second == found.current
    assert [second, first] == [change.feedback for change in found.history]


async def test_feedback_is_taken_back(bench: Bench) -> None:
    """Once; the history says so, and the answer can be rated again."""
    _, answer = await _answer(bench)
    await bench.rate(answer)

    assert await bench.rating.take_back(DEFAULT_TENANT, answer) is True
    assert await bench.rating.take_back(DEFAULT_TENANT, answer) is False
    found = await bench.of(answer)
    assert found.current is None
    assert [2, 1] == [change.position for change in found.history]
    assert found.history[0].feedback is None
    await bench.rate(answer)
    assert len((await bench.of(answer)).history) == 3


async def test_only_answers_can_be_rated(bench: Bench) -> None:
    """A failed one too; a question can't, and is told so."""
    question, _ = await _answer(bench)
    thread = await bench.thread()
    _, failed = await bench.chat(thread, "a", "", status="failed")

    for refused in (bench.rate(question), bench.rating.take_back(DEFAULT_TENANT, question)):
        with pytest.raises(InvalidRequest, match="role `user`; only answers"):
            await refused
    assert (await bench.rate(failed, 1)).rating == 1


async def test_absent_deleted_and_foreign_messages_look_the_same(bench: Bench) -> None:
    """The same words, but for the id."""
    thread = await bench.thread()
    _, deleted = await bench.chat(thread, "a", "A")
    async with bench.store.unit_of_work(DEFAULT_TENANT) as work:
        await work.threads.delete(thread.id, at=bench.clock.now())
        await work.commit()
    foreign_thread = await bench.thread(tenant=OTHER)
    _, foreign = await bench.chat(foreign_thread, "a", "A")

    told = set()
    for message_id in (ABSENT, deleted, foreign, "no id"):
        for refused in (
            bench.rate(message_id),
            bench.rating.take_back(DEFAULT_TENANT, MessageId(message_id)),
            bench.of(MessageId(message_id)),
        ):
            with pytest.raises(NotFound) as error:
                await refused
            told.add(error.value.detail.replace(message_id, "ID"))
    assert len(told) == 1


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"rating": 0}, ["rating"]),
        ({"rating": 6}, ["rating"]),
        ({"rating": True}, ["rating"]),
        ({"rating": 3.0}, ["rating"]),
        ({"rating": "3"}, ["rating"]),
        ({"rating": "good"}, ["rating"]),
        ({"rating": 3, "comment": "x" * 4097}, ["comment"]),
        ({"rating": 3, "user": "x" * 257}, ["user"]),
        ({"rating": 3, "tags": tuple(map(str, range(17)))}, ["tags"]),
        ({"rating": 3, "tags": ("a", " ", "x" * 65)}, ["tags[1]", "tags[2]"]),
        ({"rating": "x", "comment": "x" * 5000, "tags": ("",)}, ["rating", "comment", "tags[0]"]),
    ],
)
async def test_values_beyond_their_limits_are_refused(
    bench: Bench, fields: dict[str, Any], paths: list[str]
) -> None:
    """All at once, before anything is looked up."""
    with pytest.raises(InvalidRequest) as error:
        await bench.rate(ABSENT, **fields)

    assert paths == [fault.path for fault in error.value.faults]


async def test_longest_values_are_kept(bench: Bench) -> None:
    """Up to each limit."""
    _, answer = await _answer(bench)
    tags = tuple(f"{number:02}" + "x" * 62 for number in range(16))

    given = await bench.rate(answer, 5, comment="x" * 4096, tags=tags, user="x" * 256)
    assert (len(given.comment or ""), given.tags) == (4096, tags)


async def test_ratings_at_once_are_kept_in_order(bench: Bench) -> None:
    """The history has no gap, and its newest entry is what stands."""
    _, answer = await _answer(bench)
    await asyncio.gather(*(bench.rate(answer, comment=f"word {number}") for number in range(50)))

    found = await bench.of(answer)
    assert list(range(50, 0, -1)) == [change.position for change in found.history]
    assert found.history[0].feedback == found.current


async def test_feedback_of_a_thread_is_paged(bench: Bench) -> None:
    """By position; an absent thread is not found."""
    thread = await bench.thread(5)
    answers = [each for each in await bench.messages(thread) if each.message.role == "assistant"]
    for answer in answers[:4]:
        await bench.rate(answer.id)

    first = await bench.feedback.of_thread(DEFAULT_TENANT, thread.id, limit=3)
    last = await bench.feedback.of_thread(DEFAULT_TENANT, thread.id, after=first.next_after or 0, limit=3)
    assert ([1, 3, 5], 5) == ([each.position for each in first.items], first.next_after)
    assert ([7], None) == ([each.position for each in last.items], last.next_after)
    for absent in (ABSENT, "x"):
        with pytest.raises(NotFound):
            await bench.feedback.of_thread(DEFAULT_TENANT, ThreadId(absent))
    with pytest.raises(NotFound):
        await bench.feedback.of_thread(OTHER, thread.id)


async def test_turn_that_the_caller_brought_along_is_not_rated(bench: Bench) -> None:
    """No model answered with it, though it is an assistant's."""
    _, answer = await _answer(bench)
    shelves = bench.store.shelves  # type: ignore[attr-defined]  # the store in memory
    stored = shelves.messages[DEFAULT_TENANT, answer]
    shelves.messages[DEFAULT_TENANT, answer] = attrs.evolve(stored, model=None, latency_ms=None)

    with pytest.raises(InvalidRequest, match="only what a model answered can be rated"):
        await bench.rate(answer)
