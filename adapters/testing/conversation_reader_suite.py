"""What every store's reader of conversations must do: a part of `StoreSuite`."""

import asyncio
import datetime

import attrs

from adapters.testing.chats_to_store import (
    MODEL,
    first_chat,
    further_chat,
    new_id,
    read_thread,
    store_chats,
    with_turns,
)
from adapters.testing.prompts_to_store import NOW, OTHER_TENANT, Stores
from application.ports.store import Store
from domain.feedback import Feedback
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, ThreadId
from domain.message import ImagePart, Message, TextPart, ToolCall
from domain.thread import MAX_PINNED, ChatRecord, Conversation, ThreadSummary


class ConversationReaderSuite:
    async def test_conversation_is_what_units_of_work_read(self, stores: Stores) -> None:
        """Session, thread, messages and summary, every field of them, from another replica."""
        store, other = stores
        record = await store_chats(store, 2)
        answer = record.messages[1].id
        summary = ThreadSummary(up_to=1, text='Ä "1"\n', token_count=None, model=MODEL, created_at=NOW)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            thread = await work.threads.lock(record.thread.id)
            assert thread is not None
            await work.threads.change(attrs.evolve(thread, tags=("a", "b"), updated_at=NOW))
            await work.threads.summarise(thread.id, summary)
            await work.messages.pin([answer], pinned=True)
            await work.feedback.lock(answer)
            await work.feedback.put(
                answer, Feedback(rating="thumbs_down", comment="No.", tags=("x",), given_at=NOW), at=NOW
            )
            await work.commit()

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            thread = await work.threads.get(record.thread.id)
            assert thread is not None
            assert Conversation(
                session=record.session,
                thread=thread,
                recent=await work.messages.tail(thread.id, limit=9),
                summary=summary,
            ) == await self._read(other, record)

    async def test_conversation_holds_every_kind_of_turn(self, stores: Stores) -> None:
        """Images, tool calls and odd characters come as they do from elsewhere, and cost to the last decimal."""
        store, other = stores
        record = first_chat()
        turns = (
            Message(role="system", parts=(TextPart(text=""),)),
            Message(
                role="user",
                parts=(TextPart(text="\U0001f642 \\u0000 \"'$1?"), ImagePart(url="https://a.test")),
            ),
            Message(role="user", parts=(ImagePart(data="aGk=", media_type="image/png", detail="low"),)),
            Message(
                role="assistant",
                parts=(TextPart(text="a"), TextPart(text="b")),
                tool_calls=(
                    ToolCall(id="1", name="find", arguments='{"q": "x'),
                    ToolCall(id="2", name="stop", arguments="", complete=False),
                ),
            ),
            Message(role="tool", parts=(TextPart(text="42"),), tool_call_id="1", token_count=0),
            Message(role="assistant"),
        )
        zone = datetime.timezone(datetime.timedelta(hours=-3))
        messages = tuple(
            attrs.evolve(
                record.messages[n % 2],
                id=MessageId(new_id()),
                message=turn,
                created_at=(NOW + datetime.timedelta(microseconds=n)).astimezone(zone),
            )
            for n, turn in enumerate(turns)
        )
        await store.journal.commit(attrs.evolve(record, messages=messages))

        found = await self._read(other, record)
        assert turns == tuple(each.message for each in found.recent)
        assert await read_thread(store, record) == found.recent
        assert all(each.created_at.tzinfo is datetime.UTC for each in found.recent)

    async def test_session_and_thread_without_anything_are_read(self, stores: Stores) -> None:
        """No user, no title, no message."""
        store, other = stores
        record = attrs.evolve(first_chat(), messages=(), attempts=())
        record = attrs.evolve(
            record,
            session=attrs.evolve(record.session, user=None),
            thread=attrs.evolve(record.thread, title=None),
        )
        await store.journal.commit(record)

        found = await self._read(other, record)
        assert (
            Conversation(session=record.session, thread=attrs.evolve(record.thread, updated_at=NOW)) == found
        )

    async def test_conversation_holds_the_last_complete_messages(self, stores: Stores) -> None:
        """As many as asked for, below the position asked for, oldest first; none where none are wanted."""
        store, _ = stores
        record = await store_chats(store, 3)
        failed = further_chat(record)
        failed_answer = attrs.evolve(failed.messages[1], status="failed", error_code="timeout")
        await store.journal.commit(attrs.evolve(failed, messages=(failed.messages[0], failed_answer)))
        await store.journal.commit(further_chat(record))

        for limit, below, expected in (
            (99, None, [0, 1, 2, 3, 4, 5, 6, 8, 9]),
            (3, None, [6, 8, 9]),
            (3, 8, [4, 5, 6]),
            (3, 1, [0]),
            (3, 0, []),
            (0, None, []),
            (-1, None, []),
            (2, 2**70, [8, 9]),
        ):
            found = await self._read(store, record, limit=limit, below=below)
            assert expected == [each.position for each in found.recent]
            assert found.pinned == ()

    async def test_pinned_messages_before_them_come_along(self, stores: Stores) -> None:
        """Those that are complete and older than the others, oldest first, each once."""
        store, _ = stores
        record = await store_chats(store, 5)
        failed = further_chat(record)
        failed_answer = attrs.evolve(failed.messages[1], status="failed", pinned=True)
        await store.journal.commit(attrs.evolve(failed, messages=(failed.messages[0], failed_answer)))
        await store.journal.commit(further_chat(record))
        turns = await read_thread(store, record)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.messages.pin([turns[n].id for n in (3, 0, 1, 8)], pinned=True)
            await work.commit()

        for limit, below, recent, pinned in (
            (2, None, [12, 13], [0, 1, 3, 8]),
            (5, None, [8, 9, 10, 12, 13], [0, 1, 3]),
            (2, 4, [2, 3], [0, 1]),
            (99, None, [*range(11), 12, 13], []),
            (0, None, [], []),
        ):
            found = await self._read(store, record, limit=limit, below=below)
            assert recent == [each.position for each in found.recent]
            assert pinned == [each.position for each in found.pinned]
            assert all(each.pinned for each in found.pinned)

    async def test_no_more_pinned_messages_come_along_than_may_be_pinned(self, stores: Stores) -> None:
        """Each chat reads them: of a thread that has more, the last ones."""
        store, _ = stores
        record = first_chat()
        turns = tuple(
            attrs.evolve(record.messages[0], id=MessageId(new_id()), pinned=True)
            for _ in range(MAX_PINNED + 3)
        )
        await store.journal.commit(attrs.evolve(record, messages=(*turns, record.messages[1])))
        found = await self._read(store, record, limit=1)

        assert list(range(3, MAX_PINNED + 3)) == [each.position for each in found.pinned]

    async def test_conversations_are_their_tenants_alone(self, stores: Stores) -> None:
        """Foreign, absent and made-up ids are absent alike; capitals are small letters."""
        store, _ = stores
        record = await store_chats(store, 1)
        reader = store.conversations

        assert await reader.conversation(OTHER_TENANT, record.thread.id, limit=9) is None
        assert await reader.session(OTHER_TENANT, record.session.id) is None
        for made_up in ("", "x", new_id(), new_id() + "\n", "\0", "' OR true --"):
            assert await reader.conversation(DEFAULT_TENANT, ThreadId(made_up), limit=9) is None
            assert await reader.session(DEFAULT_TENANT, SessionId(made_up)) is None
        found = await reader.conversation(DEFAULT_TENANT, ThreadId(record.thread.id.upper()), limit=9)
        assert await self._read(store, record) == found
        assert record.session == await reader.session(DEFAULT_TENANT, SessionId(record.session.id.upper()))

    async def test_reading_waits_for_nobody(self, stores: Stores) -> None:
        """A locked thread reads as it was last committed."""
        store, other = stores
        record = await store_chats(store, 1)
        before = await self._read(other, record)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            thread = await work.threads.lock(record.thread.id)
            assert thread is not None
            await work.threads.change(attrs.evolve(thread, title="Unseen"))
            async with asyncio.timeout(30):
                assert before == await self._read(other, record)

    async def test_many_read_at_once(self, stores: Stores) -> None:
        """More than there are connections, each gets its own conversation."""
        store, other = stores
        records = [await store_chats(store, 1) for _ in range(8)]
        found = await asyncio.gather(*(self._read((store, other)[n % 2], records[n % 8]) for n in range(64)))

        assert [records[n % 8].thread.id for n in range(64)] == [each.thread.id for each in found]
        assert all(len(each.recent) == 2 for each in found)

    async def test_cancelled_reader_harms_nobody(self, stores: Stores) -> None:
        """Wherever it stood; those after it read what they asked for."""
        store, _ = stores
        records = [await store_chats(store, 1) for _ in range(2)]
        for delay_s in (0, 0, 0.0001, 0.0003, 0.001):
            tasks = [asyncio.ensure_future(self._read(store, records[0])) for _ in range(3)]
            await asyncio.sleep(delay_s)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert records[1].thread.id == (await self._read(store, records[1])).thread.id

    async def test_thread_of_another_session_names_it(self, stores: Stores) -> None:
        """The session is that of the thread, whichever chat began it."""
        store, _ = stores
        first = await store_chats(store, 1)
        thread = attrs.evolve(first_chat().thread, session_id=first.session.id)
        second = with_turns(attrs.evolve(first, thread=thread, new_session=False), "Me too?")
        await store.journal.commit(second)

        found = await self._read(store, second)
        assert (thread.id, first.session) == (found.thread.id, found.session)

    async def _read(
        self, store: Store, record: ChatRecord, *, limit: int = 9, below: int | None = None
    ) -> Conversation:
        found = await store.conversations.conversation(
            record.thread.tenant, record.thread.id, limit=limit, below=below
        )
        assert found is not None
        return found
