"""What every store does with idempotency keys; part of `StoreSuite`."""

import asyncio
import uuid
from decimal import Decimal

import attrs
import pytest

from adapters.testing.prompts_to_store import NOW, OTHER_TENANT, Stores
from application.ports.store import Store
from domain.answer import ChatAnswer, ContextUse, LeftOut
from domain.attempt import Attempt
from domain.errors import KeyTakenOver, NotFound
from domain.idempotency import (
    LEASE_S,
    Answered,
    Claimed,
    ClaimOutcome,
    IdempotencyKey,
    InFlight,
    KeyCompletion,
    OfAnotherRequest,
)
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.message import Message, ToolCall
from domain.model import ModelRef
from domain.thread import ChatRecord, Session, StoredMessage, Thread
from domain.usage import Usage

MODEL = ModelRef("openai", "gpt-4:turbo")


def new_key(key: str = "the key", fingerprint: str = "one") -> IdempotencyKey:
    return IdempotencyKey(key=key, fingerprint=fingerprint)


async def claim(
    store: Store, key: IdempotencyKey, *, tenant: Tenant = DEFAULT_TENANT, owner: str | None = None
) -> ClaimOutcome:
    """In a unit of work of its own, as a request does."""
    async with store.unit_of_work(tenant) as work:
        outcome = await work.idempotency.claim(key, owner=owner or str(uuid.uuid4()))
        await work.commit()
    return outcome


async def claimed(store: Store, key: IdempotencyKey, *, tenant: Tenant = DEFAULT_TENANT) -> Claimed:
    outcome = await claim(store, key, tenant=tenant)
    assert isinstance(outcome, Claimed)
    return outcome


async def release(store: Store, held: Claimed, *, tenant: Tenant = DEFAULT_TENANT) -> None:
    async with store.unit_of_work(tenant) as work:
        await work.idempotency.release(held)
        await work.commit()


def answered_chat(held: Claimed | None, *, tenant: Tenant = DEFAULT_TENANT) -> ChatRecord:
    """A chat of a new thread that completes a key with an answer of every kind of value."""
    session = Session(id=SessionId(str(uuid.uuid4())), tenant=tenant, created_at=NOW)
    thread = Thread(id=ThreadId(str(uuid.uuid4())), tenant=tenant, session_id=session.id, created_at=NOW)
    asked = StoredMessage(
        id=MessageId(str(uuid.uuid4())),
        tenant=tenant,
        thread_id=thread.id,
        message=Message.of("user", "Hello?"),
        created_at=NOW,
    )
    answered = attrs.evolve(
        asked, id=MessageId(str(uuid.uuid4())), message=Message.of("assistant", "Hello!"), model=MODEL
    )
    usage = Usage(input_tokens=2**40, output_tokens=3, cached_input_tokens=1, estimated=True)
    attempt = Attempt(
        model=MODEL, outcome="ok", started_at=NOW, latency_ms=12, status=200, usage=usage, response_id="r\0"
    )
    answer = ChatAnswer(
        message_id=answered.id,
        thread_id=thread.id,
        session_id=session.id,
        output={"text": "ä\U0001f642 \\u0000 \0 \ud800 \"'", "numbers": [1, 1.5, 10**30, 1e-300, True, None]},
        format="json",
        model=MODEL,
        prompt_version="support:v3",
        finish_reason="tool_calls",
        tool_calls=(ToolCall(id="c1", name="f", arguments='{"q": "x', complete=False),),
        usage=usage,
        cost_usd=Decimal("0.000000000001230"),
        attempts=(attrs.evolve(attempt, outcome="rate_limited", status=429, cost_usd=None), attempt),
        fallbacks=1,
        context=ContextUse(
            injected=3,
            dropped=2,
            pinned=1,
            summarised=7,
            left_out=(LeftOut(reason="unanswered", messages=2),),
        ),
        warnings=("careful", ""),
        overhead_s=0.1 + 0.2,
    )
    return ChatRecord(
        session=session,
        new_session=True,
        thread=thread,
        new_thread=True,
        messages=(asked, answered),
        attempts=(attempt,),
        completes=None if held is None else KeyCompletion(claim=held, answer=answer),
    )


def continued(before: ChatRecord, held: Claimed) -> ChatRecord:
    """A further chat of its thread that completes a key."""
    further = answered_chat(held)
    assert further.completes is not None
    messages = tuple([attrs.evolve(each, thread_id=before.thread.id) for each in further.messages])
    answer = attrs.evolve(further.completes.answer, thread_id=before.thread.id)
    return attrs.evolve(
        before,
        new_session=False,
        new_thread=False,
        messages=messages,
        completes=KeyCompletion(claim=held, answer=answer),
    )


class IdempotencySuite:
    """Keys: claimed by one, renewed, given back, taken over, completed with a chat or not at all."""

    async def test_a_key_is_claimed_once(self, stores: Stores) -> None:
        """Whoever comes second is told how long the lease lasts, whichever replica it asks."""
        store, other = stores
        await claimed(store, new_key())

        for replica in stores:
            outcome = await claim(replica, new_key())
            assert isinstance(outcome, InFlight)
            assert 0 < outcome.lease_left_s <= LEASE_S
        assert isinstance(await claim(other, new_key("another key")), Claimed)

    async def test_answer_of_a_deleted_thread_is_not_given_again(self, stores: Stores) -> None:
        """What is deleted is hidden from whoever sends the key as well; the key is free."""
        store, other = stores
        held = await claimed(store, new_key())
        record = answered_chat(held)
        await store.journal.commit(record)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.threads.delete(record.thread.id, at=NOW)
            await work.commit()

        assert isinstance(await claim(other, new_key()), Claimed)

    async def test_of_many_claims_at_once_one_gets_the_key(self, stores: Stores) -> None:
        """Through two replicas."""
        outcomes = await asyncio.gather(*(claim(stores[n % 2], new_key()) for n in range(20)))

        assert sum(isinstance(outcome, Claimed) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, InFlight) for outcome in outcomes) == 19

    async def test_a_claim_that_is_not_committed_is_none(self, stores: Stores) -> None:
        """Leaving the unit of work gives the key back."""
        store, _ = stores
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert isinstance(await work.idempotency.claim(new_key(), owner=str(uuid.uuid4())), Claimed)

        await claimed(store, new_key())

    async def test_another_request_with_the_key_is_told_apart(self, stores: Stores) -> None:
        """While it is in flight and when it is done."""
        store, other = stores
        held = await claimed(store, new_key())
        assert isinstance(await claim(other, new_key(fingerprint="two")), OfAnotherRequest)

        await store.journal.commit(answered_chat(held))
        assert isinstance(await claim(other, new_key(fingerprint="two")), OfAnotherRequest)

    async def test_tenants_have_their_own_keys(self, stores: Stores) -> None:
        """The same key of another tenant is another key, whatever became of it."""
        store, _ = stores
        ours = await claimed(store, new_key())
        theirs = await claimed(store, new_key(fingerprint="two"), tenant=OTHER_TENANT)
        await release(store, attrs.evolve(ours, owner=theirs.owner))
        await store.journal.commit(answered_chat(theirs, tenant=OTHER_TENANT))

        assert isinstance(await claim(store, new_key()), InFlight)
        assert isinstance(await claim(store, new_key(fingerprint="two"), tenant=OTHER_TENANT), Answered)

    async def test_a_completed_key_gives_its_answer_exactly(self, stores: Stores) -> None:
        """Every field and every kind of value, for every replica."""
        store, other = stores
        record = answered_chat(await claimed(store, new_key()))
        await store.journal.commit(record)

        assert record.completes is not None
        for replica in (store, other):
            assert Answered(answer=record.completes.answer) == await claim(replica, new_key())

    async def test_a_continued_thread_completes_its_key(self, stores: Stores) -> None:
        """New threads and continued ones in one batch, with keys and without."""
        store, other = stores
        first = answered_chat(None)
        await store.journal.commit(first)
        keys = [new_key(f"key {n}") for n in range(3)]
        held = [await claimed(store, key) for key in keys]
        records = [
            continued(first, held[0]),
            answered_chat(held[1]),
            answered_chat(None),
            continued(first, held[2]),
        ]
        await asyncio.gather(*(store.journal.commit(record) for record in records))

        for key, record in zip(keys, (records[0], records[1], records[3]), strict=True):
            assert record.completes is not None
            assert Answered(answer=record.completes.answer) == await claim(other, key)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert len(await work.messages.tail(first.thread.id, limit=10)) == 6

    async def test_committing_a_completion_twice_is_a_success(self, stores: Stores) -> None:
        """After an unknown COMMIT the record is sent again: its ids tell that it is stored, key and all."""
        store, other = stores
        record = answered_chat(await claimed(store, new_key()))
        await store.journal.commit(record)
        await asyncio.gather(store.journal.commit(record), other.journal.commit(record))

        assert isinstance(await claim(store, new_key()), Answered)

    async def test_a_released_key_is_free(self, stores: Stores) -> None:
        """For the same request and, since nothing came of it, for another one."""
        store, other = stores
        await release(store, await claimed(store, new_key()))
        held = await claimed(other, new_key(fingerprint="two"))

        assert isinstance(await claim(store, new_key(fingerprint="two")), InFlight)
        await release(store, held)

    async def test_only_its_owner_releases_a_key(self, stores: Stores) -> None:
        """A run that lost its claim can't free that of the one who took over, nor what is completed."""
        store, _ = stores
        held = await claimed(store, new_key())
        await release(store, attrs.evolve(held, owner=str(uuid.uuid4())))
        assert isinstance(await claim(store, new_key()), InFlight)

        await store.journal.commit(answered_chat(held))
        await release(store, held)
        assert isinstance(await claim(store, new_key()), Answered)

    async def test_a_chat_whose_key_is_lost_fails_alone(self, stores: Stores) -> None:
        """Nothing of it is stored; its neighbours of the same moment are, with their keys."""
        store, other = stores
        lost = attrs.evolve(await claimed(store, new_key("lost")), owner=str(uuid.uuid4()))
        first = answered_chat(None)
        await store.journal.commit(first)
        held = [await claimed(store, new_key(f"key {n}")) for n in range(3)]
        records = [
            answered_chat(held[0]),
            continued(first, lost),
            answered_chat(None),
            continued(first, held[1]),
            answered_chat(lost),
            answered_chat(held[2]),
        ]
        outcomes = await asyncio.gather(
            *(store.journal.commit(record) for record in records), return_exceptions=True
        )

        assert [None, KeyTakenOver, None, None, KeyTakenOver, None] == [
            None if outcome is None else type(outcome) for outcome in outcomes
        ]
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            for record, outcome in zip(records, outcomes, strict=True):
                for message in record.messages:
                    assert (outcome is None) == (await work.messages.get(message.id) is not None)
            assert await work.threads.get(records[4].thread.id) is None
        for n in range(3):
            assert isinstance(await claim(other, new_key(f"key {n}")), Answered)

    async def test_a_key_that_was_released_completes_nothing(self, stores: Stores) -> None:
        """Nobody holds it."""
        store, _ = stores
        held = await claimed(store, new_key())
        await release(store, held)

        with pytest.raises(KeyTakenOver):
            await store.journal.commit(answered_chat(held))

    async def test_a_key_completes_once(self, stores: Stores) -> None:
        """Another answer for a completed key is refused, though its owner was the same."""
        store, _ = stores
        held = await claimed(store, new_key())
        record = answered_chat(held)
        await store.journal.commit(record)
        with pytest.raises(KeyTakenOver):
            await store.journal.commit(answered_chat(held))

        assert record.completes is not None
        assert Answered(answer=record.completes.answer) == await claim(store, new_key())

    async def test_a_chat_of_a_lost_thread_leaves_its_key(self, stores: Stores) -> None:
        """NotFound, and the claim is still its owner's to release; neighbours complete theirs."""
        store, _ = stores
        orphan = continued(answered_chat(None), await claimed(store, new_key("orphan")))
        good = answered_chat(await claimed(store, new_key("good")))
        outcomes = await asyncio.gather(
            store.journal.commit(orphan), store.journal.commit(good), return_exceptions=True
        )

        assert isinstance(outcomes[0], NotFound)
        assert outcomes[1] is None
        assert isinstance(await claim(store, new_key("orphan")), InFlight)
        assert isinstance(await claim(store, new_key("good")), Answered)

    async def test_a_silent_owner_is_taken_over_and_can_not_commit(self, stores: Stores) -> None:
        """Past its lease the same request goes ahead; of the two runs one commits. Another request may not."""
        store, other = stores
        held = await claimed(store, new_key())
        silent = await claimed(store, new_key("marked"))
        await asyncio.sleep(LEASE_S + 0.05)
        assert isinstance(await claim(other, new_key(fingerprint="two")), OfAnotherRequest)
        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.idempotency.interrupt() == 2
            assert await work.idempotency.interrupt() == 0
            await work.commit()
        taker = await claimed(other, new_key())
        with pytest.raises(KeyTakenOver):
            await store.journal.commit(answered_chat(held))
        record = answered_chat(taker)
        await other.journal.commit(record)
        late = answered_chat(silent)  # silent for long, but nobody took its key: the answer was paid for
        await store.journal.commit(late)

        assert record.completes is not None
        assert late.completes is not None
        assert Answered(answer=record.completes.answer) == await claim(store, new_key())
        assert Answered(answer=late.completes.answer) == await claim(store, new_key("marked"))

    async def test_a_renewed_lease_lasts(self, stores: Stores) -> None:
        """Of those that are still held, as long as they are renewed; others stay as they are."""
        store, other = stores
        held = await claimed(store, new_key())
        dropped = await claimed(store, new_key("dropped"))
        done = await claimed(store, new_key("done"))
        await store.journal.commit(answered_chat(done))
        await asyncio.sleep(LEASE_S - 1.0)
        async with other.unit_of_work(DEFAULT_TENANT) as work:
            await work.idempotency.renew([held, done, attrs.evolve(dropped, owner=str(uuid.uuid4()))])
            await work.idempotency.renew([])
            await work.commit()
        await asyncio.sleep(1.05)

        outcome = await claim(other, new_key())
        assert isinstance(outcome, InFlight)
        assert LEASE_S - 2.0 < outcome.lease_left_s <= LEASE_S
        assert isinstance(await claim(other, new_key("dropped")), Claimed)
        assert isinstance(await claim(other, new_key("done")), Answered)
