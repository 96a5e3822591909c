"""What every store must do with the copies that a fork begins with: a part of `StoreSuite`."""

import attrs

from adapters.testing.chats_to_store import first_chat, further_chat, new_id, read_thread, store_chats
from adapters.testing.prompts_to_store import NOW, OTHER_TENANT, Stores, error_of
from application.ports.store import Store
from domain.errors import StorageUnavailable
from domain.feedback import Feedback
from domain.ids import DEFAULT_TENANT, MessageId, ThreadId
from domain.message import Message
from domain.thread import ChatRecord, StoredMessage, Thread

_LONG = 2_300
"""More than a store copies at a time."""


class MessageCopySuite:
    async def test_copies_are_as_their_originals(self, stores: Stores) -> None:
        """In every field, but for id, thread, place, links and feedback; and those are seen before the commit."""
        store, other = stores
        record = await store_chats(store, 2)
        failed = further_chat(record)
        failed = attrs.evolve(
            failed,
            messages=(
                failed.messages[0],
                attrs.evolve(failed.messages[1], status="failed", error_code="timeout", pinned=True),
            ),
        )
        await store.journal.commit(failed)
        answer = record.messages[1].id
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.feedback.lock(answer)
            await work.feedback.put(answer, Feedback(rating=4, given_at=NOW), at=NOW)
            await work.commit()

        fork = _fork_of(record, length=5)
        ids = _new_ids(5)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            originals = await work.messages.page(record.thread.id, after=0, limit=9)
            await work.threads.add(fork)
            await work.messages.copy(record.thread.id, fork.id, first=1, ids=ids)
            uncommitted = await work.messages.page(fork.id, limit=9)
            await work.commit()

        parents = (None, None, ids[1], None, ids[3])
        expected = tuple(
            attrs.evolve(
                original,
                id=new_id,
                thread_id=fork.id,
                position=position,
                parent=parent,
                copied_from=original.id,
                feedback=None,
            )
            for position, (original, new_id, parent) in enumerate(zip(originals, ids, parents, strict=True))
        )
        assert expected == uncommitted
        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert expected == await work.messages.page(fork.id, limit=9)
            assert await work.messages.attempts(ids[0]) == ()
            assert originals == await work.messages.page(record.thread.id, after=0, limit=9)
        await other.journal.commit(further_chat(attrs.evolve(record, thread=fork)))
        assert [each.position for each in await read_thread(other, record)] == [0, 1, 2, 3, 4]

    async def test_long_threads_are_copied_whole(self, stores: Stores) -> None:
        """With gaps where nothing is; an answer's parent may lie a long way before it."""
        store, other = stores
        record = await store_chats(store, 1)
        source = _fork_of(record, length=_LONG)
        messages = _turns(record, source)
        messages[-1] = attrs.evolve(messages[-1], parent=messages[0].id)
        await _add(store, source, [*messages[:700], *messages[703:]])

        fork = _fork_of(record, length=_LONG)
        ids = _new_ids(_LONG)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.threads.add(fork)
            await work.messages.copy(source.id, ThreadId(fork.id.upper()), first=0, ids=ids)
            await work.commit()

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            copies = await work.messages.page(fork.id, limit=_LONG)
        assert [*ids[:700], *ids[703:]] == [each.id for each in copies]
        assert [*range(700), *range(703, _LONG)] == [each.position for each in copies]
        assert copies[-1].parent == ids[0]
        assert copies[-1].copied_from == messages[-1].id
        assert copies[1500].message == messages[1503].message

    async def test_only_what_is_there_is_copied(self, stores: Stores) -> None:
        """Nothing of other tenants, of deleted threads, of ids that are none, or beyond the end."""
        store, _ = stores
        record, deleted = await store_chats(store, 1), await store_chats(store, 1)
        foreign = await store_chats(store, 1, tenant=OTHER_TENANT)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.threads.delete(deleted.thread.id, at=NOW)
            await work.commit()

        fork = _fork_of(record, length=2)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.threads.add(fork)
            for source in (foreign.thread.id, deleted.thread.id, ThreadId(new_id()), ThreadId("x")):
                await work.messages.copy(source, fork.id, first=0, ids=_new_ids(2))
            await work.messages.copy(record.thread.id, fork.id, first=2, ids=_new_ids(9))
            await work.messages.copy(record.thread.id, fork.id, first=0, ids=[])
            assert await work.messages.page(fork.id, limit=9) == ()
            await work.messages.copy(record.thread.id, fork.id, first=0, ids=_new_ids(2))
            assert len(await work.messages.page(fork.id, limit=9)) == 2

    async def test_copies_go_to_a_new_thread_only(self, stores: Stores) -> None:
        """Anything else would race with its chats; an id that is taken undoes the whole."""
        store, _ = stores
        record = await store_chats(store, 1)
        fork = _fork_of(record, length=1)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            copying = work.messages.copy(record.thread.id, fork.id, first=0, ids=_new_ids(1))
            assert isinstance(await error_of(copying), RuntimeError)
            await work.threads.add(fork)
            taken = [record.messages[0].id]
            copying = work.messages.copy(record.thread.id, fork.id, first=0, ids=taken)
            assert isinstance(await error_of(copying), StorageUnavailable)
            assert isinstance(await error_of(work.commit()), StorageUnavailable)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.threads.get(fork.id) is None

    async def test_copies_of_a_rolled_back_fork_are_gone(self, stores: Stores) -> None:
        """Nobody sees a fork before it is whole."""
        store, other = stores
        record = first_chat()
        await store.journal.commit(record)
        fork = _fork_of(record, length=2)
        ids = _new_ids(2)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.threads.add(fork)
            await work.messages.copy(record.thread.id, fork.id, first=0, ids=ids)
            async with other.unit_of_work(DEFAULT_TENANT) as elsewhere:
                assert await elsewhere.messages.get(ids[0]) is None

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.threads.get(fork.id) is None
            assert await work.messages.get(ids[0]) is None


def _fork_of(record: ChatRecord, *, length: int) -> Thread:
    return attrs.evolve(
        record.thread,
        id=ThreadId(new_id()),
        forked_from=record.messages[-1].id,
        length=length,
        updated_at=NOW,
    )


def _turns(record: ChatRecord, thread: Thread) -> list[StoredMessage]:
    return [
        attrs.evolve(
            record.messages[position % 2],
            id=MessageId(new_id()),
            thread_id=thread.id,
            position=position,
            parent=None,
            message=Message.of("user", f"Turn {position}"),
        )
        for position in range(thread.length)
    ]


def _new_ids(count: int) -> list[MessageId]:
    return [MessageId(new_id()) for _ in range(count)]


async def _add(store: Store, thread: Thread, messages: list[StoredMessage]) -> None:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.threads.add(thread)
        await work.messages.add(messages)
        await work.commit()
