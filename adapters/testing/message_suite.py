"""What every store must do with messages beside the chats that make them: a part of `StoreSuite`."""

import uuid

import attrs

from adapters.testing.chats_to_store import first_chat, further_chat, new_id, read_thread, store_chats
from adapters.testing.prompts_to_store import NOW, OTHER_TENANT, Stores, error_of
from application.ports.store import Store
from domain.errors import StorageUnavailable
from domain.feedback import Feedback
from domain.ids import DEFAULT_TENANT, MessageId, ThreadId
from domain.message import Message
from domain.thread import ChatRecord, StoredMessage, Thread

LONG = 10_000


class MessageSuite:
    async def test_tail_holds_the_last_complete_messages(self, stores: Stores) -> None:
        """Failed and cut answers are stored, but are no context; the order is oldest first."""
        store, _ = stores
        record = first_chat()
        failed = attrs.evolve(record.messages[1], status="failed", error_code="upstream_unavailable")
        await store.journal.commit(attrs.evolve(record, messages=(record.messages[0], failed)))
        await store.journal.commit(further_chat(record))

        assert [stored.position for stored in await read_thread(store, record)] == [0, 2, 3]
        assert [stored.position for stored in await read_thread(store, record, limit=2)] == [2, 3]
        assert await read_thread(store, record, limit=0) == ()
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert attrs.evolve(failed, position=1) == await work.messages.get(failed.id)

    async def test_pages_hold_every_message_once(self, stores: Stores) -> None:
        """Whatever their status, forwards and backwards, and between any two positions."""
        store, other = stores
        record = await store_chats(store, 4)
        failed = further_chat(record)
        failed = attrs.evolve(
            failed,
            messages=(failed.messages[0], attrs.evolve(failed.messages[1], status="cancelled")),
        )
        await store.journal.commit(failed)

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            forwards: list[StoredMessage] = []
            while page := await work.messages.page(
                record.thread.id, after=(forwards[-1].position or 0) if forwards else -1, limit=3
            ):
                assert len(page) <= 3
                forwards += page
            backwards: list[StoredMessage] = []
            while page := await work.messages.page(
                record.thread.id,
                below=backwards[-1].position if backwards else None,
                limit=3,
                newest_first=True,
            ):
                assert len(page) <= 3
                backwards += page
            between = await work.messages.page(record.thread.id, after=2, below=6, limit=9)
            assert forwards == [await work.messages.get(each.id) for each in forwards]
            assert await work.messages.page(record.thread.id, limit=0) == ()
            assert await work.messages.page(record.thread.id, below=0, limit=9) == ()
            assert await work.messages.page(record.thread.id, after=9, limit=9) == ()
            assert await work.messages.page(record.thread.id, after=2**70, limit=9) == ()
            assert len(await work.messages.page(record.thread.id, after=-5, below=2**70, limit=99)) == 10
        assert list(range(10)) == [each.position for each in forwards]
        assert forwards[::-1] == backwards
        assert [each.position for each in between] == [3, 4, 5]
        assert forwards[-1].status == "cancelled"

    async def test_gaps_hide_nothing(self, stores: Stores) -> None:
        """Where retention took the beginning, or most of the newest failed: pages, tail and memory go on behind."""
        store, other = stores
        record = await store_chats(store, 1)
        thread = _fork_of(record, length=700)
        places = [*range(200, 205), *range(400, 600), 699]
        copies = _copies(record, thread)
        messages = [attrs.evolve(copies[n], status="failed" if 202 < n < 699 else "complete") for n in places]
        await _add(store, thread, messages)

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            for limit in (3, 50, 150):
                forwards: list[StoredMessage] = []
                while page := await work.messages.page(
                    thread.id, after=(forwards[-1].position or 0) if forwards else -1, limit=limit
                ):
                    forwards += page
                backwards: list[StoredMessage] = []
                while page := await work.messages.page(
                    thread.id,
                    below=backwards[-1].position if backwards else None,
                    limit=limit,
                    newest_first=True,
                ):
                    backwards += page
                assert places == [each.position for each in forwards]
                assert forwards[::-1] == backwards
            assert await work.messages.page(thread.id, after=300, below=380, limit=9) == ()
            assert await work.messages.page(thread.id, below=200, limit=9, newest_first=True) == ()
            tail = await work.messages.tail(thread.id, limit=3)
        assert [each.position for each in tail] == [201, 202, 699]
        found = await other.conversations.conversation(DEFAULT_TENANT, thread.id, limit=3)
        assert found is not None
        assert found.recent == tail
        found = await other.conversations.conversation(DEFAULT_TENANT, thread.id, limit=3, below=699)
        assert found is not None
        assert [each.position for each in found.recent] == [200, 201, 202]

    async def test_every_field_of_a_message_survives(self, stores: Stores) -> None:
        """Those of forks, of pins and of feedback too."""
        store, other = stores
        record = await store_chats(store, 1)
        thread = _fork_of(record, length=2)
        feedback = Feedback(rating=4, comment="Ä", tags=("a", "b"), user="bob", given_at=NOW)
        messages = [
            attrs.evolve(
                each,
                id=MessageId(new_id()),
                thread_id=thread.id,
                position=position,
                pinned=True,
                copied_from=each.id,
                parent=MessageId(new_id()),
                status="failed" if position else "complete",
                error_code="timeout" if position else None,
                feedback=feedback,
            )
            for position, each in enumerate(record.messages)
        ]
        await _add(store, thread, messages)

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert tuple(messages) == await work.messages.page(thread.id, limit=9)
            assert thread == await work.threads.get(thread.id)

    async def test_attempts_read_back_in_order(self, stores: Stores) -> None:
        """Every field of them; turns of the caller have none."""
        store, other = stores
        record = first_chat()
        summary = attrs.evolve(record.attempts[1], purpose="summary", latency_ms=7)
        record = attrs.evolve(record, attempts=(summary, *record.attempts))
        await store.journal.commit(record)

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert record.attempts == await work.messages.attempts(record.messages[1].id)
            assert await work.messages.attempts(record.messages[0].id) == ()
            for absent in (MessageId(new_id()), MessageId("x")):
                assert await work.messages.attempts(absent) == ()
        async with other.unit_of_work(OTHER_TENANT) as work:
            assert await work.messages.attempts(record.messages[1].id) == ()

    async def test_long_fork_is_stored_whole(self, stores: Stores) -> None:
        """Ten thousand messages in one unit of work; the next chat follows them."""
        store, other = stores
        record = await store_chats(store, 1)
        thread = _fork_of(record, length=LONG)
        await _add(store, thread, _copies(record, thread))
        await other.journal.commit(further_chat(attrs.evolve(record, thread=thread)))

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            stored = await work.threads.get(thread.id)
            first = await work.messages.page(thread.id, limit=2)
            last = await work.messages.page(thread.id, limit=4, newest_first=True)
            middle = await work.messages.page(thread.id, after=4999, limit=1)
        assert stored is not None
        assert stored.length == LONG + 2
        assert [each.position for each in first] == [0, 1]
        assert [each.position for each in last] == [LONG + 1, LONG, LONG - 1, LONG - 2]
        assert [each.position for each in middle] == [5000]

    async def test_fork_that_is_not_committed_leaves_nothing(self, stores: Stores) -> None:
        """Neither its thread nor a message of it."""
        store, other = stores
        record = await store_chats(store, 1)
        thread = _fork_of(record, length=600)
        messages = _copies(record, thread)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.threads.add(thread)
            await work.messages.add(messages)
            assert len(await work.messages.page(thread.id, limit=999)) == 600

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.threads.get(thread.id) is None
            for each in (messages[0], messages[-1]):
                assert await work.messages.get(each.id) is None

    async def test_messages_are_added_to_a_new_thread_only(self, stores: Stores) -> None:
        """Anything else would race with its chats; an id that is taken undoes the whole."""
        store, _ = stores
        record = await store_chats(store, 1)
        thread = _fork_of(record, length=2)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert isinstance(await error_of(work.messages.add(_copies(record, thread))), RuntimeError)
            await work.threads.add(thread)
            taken = attrs.evolve(record.messages[0], thread_id=thread.id, position=0)
            assert isinstance(await error_of(work.messages.add([taken])), StorageUnavailable)
            assert isinstance(await error_of(work.commit()), StorageUnavailable)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.threads.get(thread.id) is None

    async def test_messages_are_pinned_and_loosened(self, stores: Stores) -> None:
        """Those that exist; of other threads, tenants and none at all, nothing changes."""
        store, other = stores
        record, neighbour = await store_chats(store, 2), await store_chats(store, 1)
        question, answer = (each.id for each in record.messages)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.messages.pin(
                [question, answer, MessageId(new_id()), MessageId("x"), question], pinned=True
            )
            await work.messages.pin([], pinned=True)
            assert await work.messages.count_pinned(record.thread.id) == 2
            await work.messages.pin([answer], pinned=False)
            await work.commit()
        async with other.unit_of_work(OTHER_TENANT) as work:
            await work.messages.pin([question], pinned=False)
            assert await work.messages.count_pinned(record.thread.id) == 0
            await work.commit()

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.messages.count_pinned(record.thread.id) == 1
            assert await work.messages.count_pinned(neighbour.thread.id) == 0
            assert await work.messages.count_pinned(ThreadId("x")) == 0
        assert [each.pinned for each in await read_thread(store, record)] == [True, False, False, False]

    async def test_token_counts_are_noted_once(self, stores: Stores) -> None:
        """Where there was none; 0 is a count."""
        store, other = stores
        record = await store_chats(store, 3)
        before = await read_thread(store, record)
        assert [each.message.token_count for each in before] == [None, 3, None, 3, None, 3]
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            counts = {each.id: 10 + n for n, each in enumerate(before[:4])} | {before[2].id: 0}
            await work.messages.note_token_counts({**counts, MessageId("x"): 1, MessageId(new_id()): 2})
            await work.messages.note_token_counts({before[0].id: 99})
            await work.messages.note_token_counts({})
            await work.commit()
        async with other.unit_of_work(OTHER_TENANT) as work:
            await work.messages.note_token_counts({before[4].id: 5})
            await work.commit()

        after = await read_thread(other, record)
        assert [each.message.token_count for each in after] == [10, 3, 0, 3, None, 3]

    async def test_ids_need_not_tell_their_time(self, stores: Stores) -> None:
        """Random UUIDs are stored and found as well, and a month's bound leaves out none of them."""
        store, other = stores
        record = _with_random_ids(first_chat())
        await store.journal.commit(record)
        await store.journal.commit(_with_random_messages(further_chat(record)))

        turns = await read_thread(other, record)
        assert [each.position for each in turns] == [0, 1, 2, 3]
        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert turns == await work.messages.page(record.thread.id, limit=9)
            assert record.attempts == await work.messages.attempts(record.messages[1].id)
            await work.messages.pin([record.messages[0].id], pinned=True)
            assert await work.messages.count_pinned(record.thread.id) == 1
            assert await work.threads.purge(record.thread.id)
            assert await work.messages.get(record.messages[0].id) is None
            await work.commit()
        await store.journal.commit(record)
        assert len(await read_thread(other, record)) == 2


def _fork_of(record: ChatRecord, *, length: int) -> Thread:
    return attrs.evolve(
        record.thread,
        id=ThreadId(new_id()),
        forked_from=record.messages[-1].id,
        length=length,
        updated_at=NOW,
    )


def _copies(record: ChatRecord, thread: Thread) -> list[StoredMessage]:
    return [
        attrs.evolve(
            record.messages[position % 2],
            id=MessageId(new_id()),
            thread_id=thread.id,
            position=position,
            message=Message.of("user", f"Turn {position}"),
        )
        for position in range(thread.length)
    ]


async def _add(store: Store, thread: Thread, messages: list[StoredMessage]) -> None:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.threads.add(thread)
        await work.messages.add(messages)
        await work.commit()


def _with_random_ids(record: ChatRecord) -> ChatRecord:
    thread = attrs.evolve(record.thread, id=ThreadId(str(uuid.uuid4())))
    return _with_random_messages(attrs.evolve(record, thread=thread))


def _with_random_messages(record: ChatRecord) -> ChatRecord:
    messages = [
        attrs.evolve(each, id=MessageId(str(uuid.uuid4())), thread_id=record.thread.id)
        for each in record.messages
    ]
    return attrs.evolve(record, messages=tuple(messages))
