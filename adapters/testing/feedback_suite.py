"""What every store must do with feedback; a part of `StoreSuite`."""

import asyncio
import datetime

import attrs
import pytest

from adapters.testing.chats_to_store import first_chat, further_chat, new_id
from adapters.testing.prompts_to_store import NOW, OTHER_TENANT, Stores
from application.ports.store import Store
from domain.feedback import RATINGS, Feedback, FeedbackChange, RatedMessage
from domain.ids import DEFAULT_TENANT, MessageId, Tenant, ThreadId
from domain.thread import ChatRecord, StoredMessage

FULL = Feedback(
    rating=2,
    comment="Too long; \U0001f642 \"'%s:x",
    tags=("length", "tone ä"),
    user="u-4711",
    given_at=NOW + datetime.timedelta(minutes=5),
)


async def rate(
    store: Store, message_id: MessageId, feedback: Feedback | None, *, tenant: Tenant = DEFAULT_TENANT
) -> None:
    async with store.unit_of_work(tenant) as work:
        assert await work.feedback.lock(message_id) is not None
        await work.feedback.put(message_id, feedback, at=NOW if feedback is None else feedback.given_at)
        await work.commit()


async def _feedback_on(store: Store, message_id: MessageId) -> Feedback | None:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        stored = await work.messages.get(message_id)
    assert stored is not None
    return stored.feedback


async def _history_of(
    store: Store, message_id: MessageId, *, limit: int = 1000
) -> tuple[FeedbackChange, ...]:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        return await work.feedback.history(message_id, limit=limit)


async def _answers(store: Store, count: int) -> tuple[ChatRecord, list[StoredMessage]]:
    """A thread of so many chats, with its answers."""
    first = first_chat()
    records = [first, *(further_chat(first) for _ in range(count - 1))]
    for record in records:
        await store.journal.commit(record)
    return first, [record.messages[-1] for record in records]


class FeedbackSuite:
    async def test_feedback_reads_back_as_it_was(self, stores: Stores) -> None:
        """Every field, on the message and in its history, through another replica."""
        store, other = stores
        _, (answer,) = await _answers(store, 1)
        assert await _feedback_on(store, answer.id) is None
        await rate(store, answer.id, FULL)

        assert await _feedback_on(other, answer.id) == FULL
        (change,) = await _history_of(other, answer.id)
        assert change == FeedbackChange(position=1, feedback=FULL, at=FULL.given_at)

    async def test_every_rating_keeps_its_type(self, stores: Stores) -> None:
        """Thumbs are texts, stars are integers."""
        store, _ = stores
        _, answers = await _answers(store, len(RATINGS))
        for answer, rating in zip(answers, RATINGS, strict=True):
            await rate(store, answer.id, Feedback(rating=rating, given_at=NOW))

        read = [await _feedback_on(store, answer.id) for answer in answers]
        assert [Feedback(rating=rating, given_at=NOW) for rating in RATINGS] == read
        assert [type(rating) for rating in RATINGS] == [
            type(each.rating) for each in read if each is not None
        ]

    async def test_history_keeps_what_was_overwritten_and_taken_back(self, stores: Stores) -> None:
        """Newest first, numbered without a gap."""
        store, _ = stores
        _, (answer,) = await _answers(store, 1)
        worse = attrs.evolve(FULL, rating="thumbs_down", user="u-2")
        for said in (FULL, worse, None, FULL):
            await rate(store, answer.id, said)

        history = await _history_of(store, answer.id)
        assert [(4, FULL), (3, None), (2, worse), (1, FULL)] == [
            (change.position, change.feedback) for change in history
        ]
        assert history[:2] == await _history_of(store, answer.id, limit=2)
        assert await _history_of(store, answer.id, limit=0) == ()
        assert await _feedback_on(store, answer.id) == FULL

    async def test_feedback_that_was_not_committed_is_forgotten(self, stores: Stores) -> None:
        """Both on the message and in the history."""
        store, _ = stores
        _, (answer,) = await _answers(store, 1)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.feedback.lock(answer.id)
            await work.feedback.put(answer.id, FULL, at=NOW)

        assert await _feedback_on(store, answer.id) is None
        assert await _history_of(store, answer.id) == ()

    async def test_feedback_without_a_lock_is_a_mistake(self, stores: Stores) -> None:
        """Two of them could give the same number to two changes."""
        store, _ = stores
        _, (answer,) = await _answers(store, 1)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            with pytest.raises(RuntimeError, match="lock"):
                await work.feedback.put(answer.id, FULL, at=NOW)

    async def test_lock_returns_what_the_one_before_wrote(self, stores: Stores) -> None:
        """Who waited reads the message as it is now."""
        store, other = stores
        _, (answer,) = await _answers(store, 1)
        async with store.unit_of_work(DEFAULT_TENANT) as first:
            await first.feedback.lock(answer.id)
            waiting = asyncio.ensure_future(_locked(other, answer.id))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            await first.feedback.put(answer.id, FULL, at=NOW)
            await first.commit()

        seen = await waiting
        assert seen is not None
        assert seen.feedback == FULL

    async def test_ratings_at_once_leave_a_gap_free_history(self, stores: Stores) -> None:
        """Fifty, through two replicas: none is lost, and the last one stands."""
        store, other = stores
        _, (answer,) = await _answers(store, 1)
        words = [attrs.evolve(FULL, comment=f"word {number}") for number in range(50)]
        # As many at a time as a store has connections: whoever waits for one may be refused.
        turns = asyncio.Semaphore(4), asyncio.Semaphore(4)

        async def say(number: int, word: Feedback) -> None:
            async with turns[number % 2]:
                await rate((store, other)[number % 2], answer.id, word)

        await asyncio.gather(*(say(number, word) for number, word in enumerate(words)))

        history = await _history_of(store, answer.id)
        assert list(range(50, 0, -1)) == [change.position for change in history]
        assert {word.comment for word in words} == {
            change.feedback.comment for change in history if change.feedback is not None
        }
        assert history[0].feedback == await _feedback_on(store, answer.id)

    async def test_feedback_of_a_thread_is_read_by_position(self, stores: Stores) -> None:
        """In pages, without the answers that nobody rated or of which it was taken back."""
        store, _ = stores
        record, answers = await _answers(store, 5)
        for index in (3, 0, 4, 1):
            await rate(store, answers[index].id, attrs.evolve(FULL, rating=RATINGS[2 + index]))
        await rate(store, answers[4].id, None)

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            everything = await work.feedback.of_thread(record.thread.id, limit=10)
            first = await work.feedback.of_thread(record.thread.id, limit=2)
            rest = await work.feedback.of_thread(record.thread.id, after=first[-1].position, limit=2)
            none = await work.feedback.of_thread(record.thread.id, limit=0)
        expected = [
            RatedMessage(
                message_id=answers[index].id,
                thread_id=record.thread.id,
                position=2 * index + 1,
                feedback=attrs.evolve(FULL, rating=RATINGS[2 + index]),
            )
            for index in (0, 1, 3)
        ]
        assert expected == list(everything)
        assert everything == (*first, *rest)
        assert none == ()

    async def test_rated_answers_of_all_threads_are_read_by_id(self, stores: Stores) -> None:
        """In pages, and by the time the answers were made: the beginning counts, the end does not."""
        store, _ = stores
        _, first = await _answers(store, 2)
        _, second = await _answers(store, 2)
        answers = [*first, *second]
        for answer in answers[:3]:
            await rate(store, answer.id, FULL)
        made_at = answers[0].created_at
        moment = datetime.timedelta(microseconds=1)

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            everything = await work.feedback.rated(limit=10)
            page = await work.feedback.rated(after=everything[0].message_id, limit=1)
            since = await work.feedback.rated(since=made_at, until=made_at + moment, limit=10)
            after = await work.feedback.rated(since=made_at + moment, limit=10)
            before = await work.feedback.rated(until=made_at, limit=10)
        assert sorted(answer.id for answer in answers[:3]) == [each.message_id for each in everything]
        assert page == everything[1:2]
        assert since == everything
        assert (after, before) == ((), ())

    async def test_feedback_of_a_deleted_thread_is_never_shown(self, stores: Stores) -> None:
        """Nor can it be changed."""
        store, _ = stores
        record, (answer,) = await _answers(store, 1)
        await rate(store, answer.id, FULL)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.threads.delete(record.thread.id, at=NOW)
            await work.commit()

        await _assert_absent(store, DEFAULT_TENANT, answer.id, record.thread.id)

    async def test_feedback_of_another_tenant_is_absent(self, stores: Stores) -> None:
        """By every way of asking."""
        store, _ = stores
        record, (answer,) = await _answers(store, 1)
        await rate(store, answer.id, FULL)

        await _assert_absent(store, OTHER_TENANT, answer.id, record.thread.id)
        assert await _feedback_on(store, answer.id) == FULL

    async def test_feedback_of_what_does_not_exist_is_absent(self, stores: Stores) -> None:
        """Ids that nobody has, and texts that are no ids."""
        store, _ = stores
        for made_up in (new_id(), "", "x", "'; DROP TABLE messages; --", "\0"):
            await _assert_absent(store, DEFAULT_TENANT, MessageId(made_up), ThreadId(made_up))

    async def test_nul_in_feedback_becomes_a_replacement_character(self, stores: Stores) -> None:
        """In every text of it."""
        store, _ = stores
        _, (answer,) = await _answers(store, 1)
        await rate(store, answer.id, attrs.evolve(FULL, comment="a\0", tags=("b\ud800",), user="c\0"))

        cleaned = attrs.evolve(FULL, comment="a\ufffd", tags=("b\ufffd",), user="c\ufffd")
        assert await _feedback_on(store, answer.id) == cleaned
        assert (await _history_of(store, answer.id))[0].feedback == cleaned


async def _locked(store: Store, message_id: MessageId) -> StoredMessage | None:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        return await work.feedback.lock(message_id)


async def _assert_absent(store: Store, tenant: Tenant, message_id: MessageId, thread_id: ThreadId) -> None:
    async with store.unit_of_work(tenant) as work:
        assert await work.feedback.lock(message_id) is None
    async with store.unit_of_work(tenant) as work:
        assert await work.feedback.history(message_id, limit=10) == ()
        assert await work.feedback.of_thread(thread_id, limit=10) == ()
        assert await work.feedback.rated(limit=10) == ()
