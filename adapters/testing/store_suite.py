"""What every store must do: subclass `StoreSuite` and give it your store.

class TestMyStore(StoreSuite):
    @pytest.fixture
    async def stores(self):
        first, second = MyStore(...), MyStore(...)
        ...
        yield first, second
"""

import asyncio
import datetime
from decimal import Decimal

import attrs

from adapters.testing.anomaly_suite import AnomalySuite
from adapters.testing.budget_ledger_suite import BudgetLedgerSuite
from adapters.testing.chats_to_store import (
    first_chat,
    further_chat,
    new_id,
    read_thread,
    stored_thread,
    with_turns,
)
from adapters.testing.client_chat_suite import ClientChatSuite
from adapters.testing.conversation_reader_suite import ConversationReaderSuite
from adapters.testing.feedback_suite import FeedbackSuite
from adapters.testing.idempotency_suite import IdempotencySuite
from adapters.testing.key_store_suite import KeyStoreSuite
from adapters.testing.message_copy_suite import MessageCopySuite
from adapters.testing.message_suite import MessageSuite
from adapters.testing.prompt_locking_suite import PromptLockingSuite
from adapters.testing.prompt_repository_suite import PromptRepositorySuite
from adapters.testing.prompts_to_store import NOW, OTHER_TENANT, Stores
from adapters.testing.thread_suite import ThreadSuite
from adapters.testing.usage_suite import UsageSuite
from domain.errors import NotFound
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, ThreadId
from domain.message import ImagePart, Message, TextPart, ToolCall


class StoreSuite(
    ThreadSuite,
    AnomalySuite,
    MessageSuite,
    MessageCopySuite,
    ConversationReaderSuite,
    PromptRepositorySuite,
    PromptLockingSuite,
    IdempotencySuite,
    FeedbackSuite,
    UsageSuite,
    ClientChatSuite,
    KeyStoreSuite,
    BudgetLedgerSuite,
):
    """The journal here, all else in the files of the others."""

    async def test_committed_chat_reads_back_as_it_was(self, stores: Stores) -> None:
        """Every field of session, thread and messages survives; positions are the store's gift."""
        store, other = stores
        record = first_chat()
        await store.journal.commit(record)

        for replica in (store, other):
            async with replica.unit_of_work(DEFAULT_TENANT) as work:
                assert record.session == await work.sessions.get(record.session.id)
                assert stored_thread(record) == await work.threads.get(record.thread.id)
                for position, message in enumerate(record.messages):
                    assert attrs.evolve(message, position=position) == await work.messages.get(message.id)

    async def test_every_kind_of_turn_reads_back_as_it_was(self, stores: Stores) -> None:
        """Images, tool calls and tool answers keep every field, and an empty turn stays empty."""
        store, _ = stores
        record = first_chat()
        turns = (
            Message(role="system", parts=(TextPart(text=""),)),
            Message(
                role="user",
                parts=(
                    TextPart(text="Look: \U0001f642 \\u0000 \"'%s:x"),
                    ImagePart(url="https://example.test/a.png", detail="low"),
                    ImagePart(data="aGk=", media_type="image/png"),
                ),
            ),
            Message(
                role="assistant",
                tool_calls=(
                    ToolCall(id="call_1", name="find", arguments='{"q": "x'),
                    ToolCall(id="call_2", name="stop", arguments="", complete=False),
                ),
            ),
            Message(role="tool", parts=(TextPart(text="42"),), tool_call_id="call_1", token_count=0),
            Message(role="assistant"),
        )
        messages = tuple(
            attrs.evolve(record.messages[0], id=MessageId(new_id()), message=turn) for turn in turns
        )
        await store.journal.commit(attrs.evolve(record, messages=messages))

        assert turns == tuple(stored.message for stored in await read_thread(store, record))

    async def test_unknown_cost_is_not_zero(self, stores: Stores) -> None:
        """None, 0 and twelve decimals are three different amounts, and none is rounded."""
        store, _ = stores
        record = first_chat()
        costs = (None, Decimal(0), Decimal("0.000000000001"), Decimal("123456789.123456789012"))
        messages = tuple(
            attrs.evolve(record.messages[1], id=MessageId(new_id()), cost_usd=cost) for cost in costs
        )
        await store.journal.commit(attrs.evolve(record, messages=messages))

        assert costs == tuple(stored.cost_usd for stored in await read_thread(store, record))

    async def test_time_in_another_zone_is_the_same_instant(self, stores: Stores) -> None:
        """Times come back in UTC, to the microsecond."""
        store, _ = stores
        record = first_chat()
        zone = datetime.timezone(datetime.timedelta(hours=5, minutes=45))
        moved = attrs.evolve(record.messages[0], created_at=NOW.astimezone(zone))
        await store.journal.commit(attrs.evolve(record, messages=(moved, *record.messages[1:])))

        first, _ = await read_thread(store, record)
        assert first.created_at == NOW

    async def test_nul_and_lone_surrogate_are_stored_as_replacement_characters(self, stores: Stores) -> None:
        """U+0000, which PostgreSQL refuses, and half a surrogate pair become U+FFFD, wherever they stand."""
        store, _ = stores
        record = first_chat(prompt="a\0b\ud800c")
        asked = attrs.evolve(record.messages[0], metadata=(("k\0", "v\udfff"),))
        session = attrs.evolve(record.session, user="\0ada")
        await store.journal.commit(
            attrs.evolve(record, session=session, messages=(asked, *record.messages[1:]))
        )

        first, _ = await read_thread(store, record)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            stored_session = await work.sessions.get(session.id)
        assert first.message.text == "a\ufffdb\ufffdc"
        assert first.metadata == (("k\ufffd", "v\ufffd"),)
        assert stored_session is not None
        assert stored_session.user == "\ufffdada"

    async def test_thread_continues_without_a_gap(self, stores: Stores) -> None:
        """The next chat's positions follow on, whichever replica commits it."""
        store, other = stores
        record = first_chat()
        await store.journal.commit(record)
        await other.journal.commit(further_chat(record))
        await store.journal.commit(further_chat(record))

        assert list(range(6)) == [stored.position for stored in await read_thread(store, record)]

    async def test_concurrent_chats_in_one_thread_get_unique_gap_free_positions(self, stores: Stores) -> None:
        """Fault row 65: fifty at once through two replicas; none is lost and no turn parts from its answer."""
        store, other = stores
        record = first_chat()
        await store.journal.commit(record)
        chats = [further_chat(record) for _ in range(50)]

        await asyncio.gather(*((store, other)[n % 2].journal.commit(chat) for n, chat in enumerate(chats)))

        turns = await read_thread(store, record)
        assert list(range(102)) == [stored.position for stored in turns]
        position = {stored.id: stored.position for stored in turns}
        for chat in chats:
            question, answer = (position[message.id] for message in chat.messages)
            assert question is not None
            assert answer == question + 1

    async def test_positions_follow_the_order_of_commits(self, stores: Stores) -> None:
        """Within one process, what is committed first stands first."""
        store, _ = stores
        record = first_chat()
        chats = [record, *(further_chat(record) for _ in range(9))]
        tasks = [asyncio.ensure_future(store.journal.commit(chat)) for chat in chats]
        await asyncio.gather(*tasks)

        expected = [message.id for chat in chats for message in chat.messages]
        assert expected == [stored.id for stored in await read_thread(store, record)]

    async def test_many_threads_at_once(self, stores: Stores) -> None:
        """A crowd of new and continued threads is stored whole."""
        store, other = stores
        old = [first_chat() for _ in range(20)]
        await asyncio.gather(*(store.journal.commit(record) for record in old))
        new = [first_chat() for _ in range(100)]
        more = [further_chat(record) for record in old for _ in range(3)]

        await asyncio.gather(
            *((store, other)[n % 2].journal.commit(chat) for n, chat in enumerate([*new, *more]))
        )

        for record in old:
            assert list(range(8)) == [stored.position for stored in await read_thread(store, record)]
        for record in new:
            assert len(await read_thread(store, record)) == 2

    async def test_committing_twice_stores_once(self, stores: Stores) -> None:
        """A record is known by its ids, so a retry is free, alone or in the same breath."""
        store, other = stores
        record = first_chat()
        await asyncio.gather(store.journal.commit(record), store.journal.commit(record))
        more = further_chat(record)
        await store.journal.commit(more)
        await asyncio.gather(other.journal.commit(more), other.journal.commit(record))

        assert list(range(4)) == [stored.position for stored in await read_thread(store, record)]

    async def test_two_chats_may_open_the_same_session(self, stores: Stores) -> None:
        """The first one makes it; both threads belong to it."""
        store, other = stores
        first = first_chat()
        thread = attrs.evolve(first_chat().thread, session_id=first.session.id)
        second = with_turns(attrs.evolve(first, thread=thread), "Me too?")
        await asyncio.gather(store.journal.commit(first), other.journal.commit(second))

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            stored = await work.threads.get(thread.id)
        assert stored == stored_thread(second)

    async def test_thread_that_is_gone_fails_alone(self, stores: Stores) -> None:
        """NotFound for the one that continues nothing; its neighbours of the same moment are stored."""
        store, _ = stores
        orphan = further_chat(first_chat())
        good = [first_chat() for _ in range(5)]
        outcomes = await asyncio.gather(
            *(store.journal.commit(chat) for chat in (*good[:2], orphan, *good[2:])), return_exceptions=True
        )

        assert [None, None, NotFound, None, None, None] == [
            None if outcome is None else type(outcome) for outcome in outcomes
        ]
        assert await read_thread(store, orphan) == ()
        for record in good:
            assert len(await read_thread(store, record)) == 2

    async def test_session_that_is_gone_is_not_found(self, stores: Stores) -> None:
        """A new thread in a session that does not exist is stored neither in part nor whole."""
        store, _ = stores
        record = attrs.evolve(first_chat(), new_session=False)
        outcomes = await asyncio.gather(
            store.journal.commit(record), store.journal.commit(first_chat()), return_exceptions=True
        )

        assert isinstance(outcomes[0], NotFound)
        assert outcomes[1] is None
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.threads.get(record.thread.id) is None

    async def test_tenants_do_not_see_one_another(self, stores: Stores) -> None:
        """Another tenant's rows look like absent ones, and can't be continued."""
        store, _ = stores
        record = first_chat()
        await store.journal.commit(record)

        async with store.unit_of_work(OTHER_TENANT) as work:
            assert await work.sessions.get(record.session.id) is None
            assert await work.threads.get(record.thread.id) is None
            assert await work.messages.get(record.messages[0].id) is None
            assert await work.messages.tail(record.thread.id, limit=10) == ()
        intruder = further_chat(first_chat(tenant=OTHER_TENANT))
        thread = attrs.evolve(intruder.thread, id=record.thread.id)
        messages = tuple(attrs.evolve(message, thread_id=thread.id) for message in intruder.messages)
        error = await asyncio.gather(
            store.journal.commit(attrs.evolve(intruder, thread=thread, messages=messages)),
            return_exceptions=True,
        )
        assert isinstance(error[0], NotFound)
        assert len(await read_thread(store, record)) == 2

    async def test_other_tenants_session_can_not_be_joined(self, stores: Stores) -> None:
        """A thread can't hang on a session of another tenant."""
        store, _ = stores
        theirs = first_chat()
        await store.journal.commit(theirs)
        mine = first_chat(tenant=OTHER_TENANT)
        thread = attrs.evolve(mine.thread, session_id=theirs.session.id)
        outcome = await asyncio.gather(
            store.journal.commit(attrs.evolve(mine, thread=thread, new_session=False)), return_exceptions=True
        )

        assert isinstance(outcome[0], NotFound)

    async def test_what_is_no_uuid_is_absent(self, stores: Stores) -> None:
        """A made-up id is not an error, only nobody's."""
        store, _ = stores
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            for made_up in ("", "x", "0" * 32, "'; DROP TABLE messages; --", "\0", new_id() + "\n"):
                assert await work.sessions.get(SessionId(made_up)) is None
                assert await work.threads.get(ThreadId(made_up)) is None
                assert await work.messages.get(MessageId(made_up)) is None
                assert await work.messages.tail(ThreadId(made_up), limit=1) == ()

    async def test_cancelled_caller_does_not_undo_its_chat(self, stores: Stores) -> None:
        """Once handed over, a chat is stored even where nobody waits any more."""
        store, _ = stores
        record = first_chat()
        task = asyncio.ensure_future(store.journal.commit(record))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.journal.commit(first_chat())  # whatever was handed over before is done after this

        assert len(await read_thread(store, record)) == 2

    async def test_started_store_is_ready_and_current(self, stores: Stores) -> None:
        """It says so on all three ways of asking."""
        store, _ = stores

        assert await store.check() is None
        assert store.journal.is_ready
        assert (await store.schema()).is_current
        assert await store.upgrade() == ()
