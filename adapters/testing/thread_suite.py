"""What every store must do with sessions and threads: a part of `StoreSuite`."""

import asyncio
import datetime
from typing import Any

import attrs

from adapters.testing.chats_to_store import (
    MODEL,
    further_chat,
    new_id,
    read_thread,
    store_chats,
    stored_thread,
)
from adapters.testing.prompts_to_store import NOW, OTHER_TENANT, Stores, error_of
from application.ports.store import Store
from application.ports.unit_of_work import UnitOfWork
from domain.clean_text import clean
from domain.errors import NotFound, StorageUnavailable
from domain.feedback import Feedback
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, ThreadId
from domain.thread import ChatRecord, Session, Thread, ThreadOrder, ThreadSummary

LATER = NOW + datetime.timedelta(minutes=5)


def new_session(**changes: Any) -> Session:
    session = Session(id=SessionId(new_id()), tenant=DEFAULT_TENANT, user="ada", created_at=NOW)
    return attrs.evolve(session, **changes)


def new_thread(session: Session, **changes: Any) -> Thread:
    thread = Thread(
        id=ThreadId(new_id()),
        tenant=session.tenant,
        session_id=session.id,
        created_at=NOW,
        updated_at=NOW,
    )
    return attrs.evolve(thread, **changes)


def new_summary(up_to: int, text: str = "They greeted.") -> ThreadSummary:
    return ThreadSummary(up_to=up_to, text=text, token_count=4, model=MODEL, created_at=NOW)


class ThreadSuite:
    async def test_added_session_and_thread_read_back_as_they_were(self, stores: Stores) -> None:
        """Every field, from another replica, and a session without a user too."""
        store, other = stores
        session, nobody = new_session(), new_session(user=None)
        thread = new_thread(
            session,
            title="Bröd",
            tags=("baking", "ä"),
            forked_from=MessageId(new_id()),
            updated_at=LATER,
        )
        bare = new_thread(nobody, updated_at=None)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.sessions.add(session)
            await work.sessions.add(nobody)
            await work.threads.add(thread)
            await work.threads.add(bare)
            assert thread == await work.threads.get(thread.id)
            await work.commit()

        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert session == await work.sessions.get(session.id)
            assert nobody == await work.sessions.get(nobody.id)
            assert thread == await work.threads.get(thread.id)
            assert attrs.evolve(bare, updated_at=NOW) == await work.threads.get(bare.id)

    async def test_session_of_a_thread_and_of_a_message_is_found(self, stores: Stores) -> None:
        """Whatever the case of the id; of what is absent, deleted or another tenant's there is none."""
        store, other = stores
        record = await store_chats(store, 1)
        theirs = await store_chats(store, 1, tenant=OTHER_TENANT)
        thread_id, message_id = record.thread.id, record.messages[-1].id
        async with other.unit_of_work(DEFAULT_TENANT) as work:
            assert record.session == await work.sessions.of_thread(ThreadId(thread_id.upper()))
            assert record.session == await work.sessions.of_message(MessageId(message_id.upper()))
            for absent in (new_id(), theirs.thread.id, theirs.messages[-1].id, record.session.id, "no-uuid"):
                assert await work.sessions.of_thread(ThreadId(absent)) is None
                assert await work.sessions.of_message(MessageId(absent)) is None
            assert await work.threads.delete(thread_id, at=LATER)
            await work.commit()
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.sessions.of_thread(thread_id) is None
            assert await work.sessions.of_message(message_id) is None

    async def test_unfit_characters_of_a_thread_become_replacement_characters(self, stores: Stores) -> None:
        """U+0000 and half a surrogate pair, in user, title and tag; a user is found by what was sent."""
        store, _ = stores
        session = new_session(user="a\0")
        thread = new_thread(session, title="b\0", tags=("c\ud800",))
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.sessions.add(session)
            await work.threads.add(thread)
            await work.commit()

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            (found,) = await work.sessions.list(user="a\0", limit=9)
            stored = await work.threads.get(thread.id)
        assert found.user == "a\ufffd"
        assert stored is not None
        assert (stored.title, stored.tags) == ("b\ufffd", ("c\ufffd",))

    async def test_id_that_is_taken_is_refused(self, stores: Stores) -> None:
        """Of a session or a thread; and nothing of that unit of work is stored, even if it commits."""
        store, _ = stores
        record = await store_chats(store, 1)
        for is_session in (True, False):
            another = new_session()
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                await work.sessions.add(another)
                adding = work.sessions.add(record.session) if is_session else work.threads.add(record.thread)
                assert isinstance(await error_of(adding), StorageUnavailable)
                assert isinstance(await error_of(work.commit()), StorageUnavailable)
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                assert await work.sessions.get(another.id) is None
                assert stored_thread(record) == await work.threads.get(record.thread.id)

    async def test_thread_needs_a_session_of_its_tenant(self, stores: Stores) -> None:
        """NotFound where it is absent or another's; the unit of work may go on."""
        store, _ = stores
        theirs = (await store_chats(store, 1, tenant=OTHER_TENANT)).session
        mine = new_session()
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            for session in (new_session(), attrs.evolve(theirs, tenant=DEFAULT_TENANT), new_session(id="x")):
                assert isinstance(await error_of(work.threads.add(new_thread(session))), NotFound)
            await work.sessions.add(mine)
            await work.threads.add(new_thread(mine))
            await work.commit()

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert len(await work.threads.list(limit=9)) == 1

    async def test_sessions_are_listed_newest_first(self, stores: Stores) -> None:
        """In pages that hold each session once, of all users or of one, and none of another tenant."""
        store, _ = stores
        await store_chats(store, 1, tenant=OTHER_TENANT)
        sessions = [new_session(user=("ada", "bob", None)[n % 3]) for n in range(11)]
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            for session in sessions:
                await work.sessions.add(session)
            await work.commit()

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            for user in (None, "ada", "bob", "nobody"):
                expected = [each for each in reversed(sessions) if user is None or each.user == user]
                pages: list[Session] = []
                while page := await work.sessions.list(
                    user=user, before=pages[-1].id if pages else None, limit=3
                ):
                    assert len(page) <= 3
                    pages += page
                assert expected == pages
            assert await work.sessions.list(limit=0) == ()

    async def test_threads_are_listed_newest_first(self, stores: Stores) -> None:
        """In pages that hold each thread once, of all sessions or of one; deleted and foreign ones not at all."""
        store, _ = stores
        foreign = await store_chats(store, 1, tenant=OTHER_TENANT)
        sessions = new_session(), new_session()
        threads = [new_thread(sessions[n % 2]) for n in range(11)]
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            for session in sessions:
                await work.sessions.add(session)
            for thread in threads:
                await work.threads.add(thread)
            await work.threads.delete(threads[4].id, at=LATER)
            await work.commit()
        del threads[4]

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            for session_id in (None, sessions[0].id, sessions[1].id):
                expected = [each for each in reversed(threads) if session_id in (None, each.session_id)]
                pages: list[Thread] = []
                while page := await work.threads.list(
                    session_id=session_id, before=pages[-1].id if pages else None, limit=3
                ):
                    assert len(page) <= 3
                    pages += page
                assert expected == pages
            assert await work.threads.list(limit=0) == ()
            for absent in (foreign.session.id, SessionId(new_id()), SessionId("x")):
                assert await work.threads.list(session_id=absent, limit=9) == ()

    async def test_threads_are_found_by_user_and_tag(self, stores: Stores) -> None:
        """And by both and a session too, in either order; a tag that was taken away finds nothing any more."""
        store, _ = stores
        ada, again, bob, nobody = [new_session(user=user) for user in ("a\0da", "a\0da", "bob", None)]
        threads = [
            new_thread(
                (ada, again, bob, nobody)[n % 4],
                tags=(("red",), ("red", "x\0", "x\ud800"), ())[n % 3],
                updated_at=NOW + datetime.timedelta(seconds=n * 7 % 5),
            )
            for n in range(24)
        ]
        theirs = new_session(user="a\0da", tenant=OTHER_TENANT)
        async with store.unit_of_work(OTHER_TENANT) as work:
            await work.sessions.add(theirs)
            await work.threads.add(new_thread(theirs, tags=("red",)))
            await work.commit()
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            for session in (ada, again, bob, nobody):
                await work.sessions.add(session)
            for thread in threads:
                await work.threads.add(thread)
            await work.threads.delete(threads[0].id, at=LATER)
            await work.threads.purge(threads[1].id)
            await work.threads.change(attrs.evolve(threads[3], tags=("blue",), updated_at=LATER))
            await work.commit()
        threads[3] = attrs.evolve(threads[3], tags=("blue",), updated_at=LATER)
        del threads[:2]
        users = {session.id: session.user for session in (ada, again, bob, nobody)}

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            for chosen in (
                {},
                {"user": "a\0da"},
                {"user": "a\ufffdda", "tag": "red"},
                {"user": "bob", "tag": "blue"},
                {"tag": "x\0"},
                {"tag": "red"},
                {"tag": "re"},
                {"tag": "blue"},
                {"user": "carol"},
                {"session_id": ada.id, "tag": "red"},
                {"session_id": ada.id, "user": "bob"},
            ):
                fits = [
                    each.id
                    for each in threads
                    if chosen.get("session_id") in (None, each.session_id)
                    and clean(chosen.get("user")) in (None, clean(users[each.session_id]))
                    and (chosen.get("tag") is None or clean(chosen["tag"]) in clean(each.tags))
                ]
                by_time = {each.id: (each.updated_at, each.id) for each in threads}
                assert sorted(fits, reverse=True) == await self._listed(work, chosen, "created")
                assert sorted(fits, key=lambda each: by_time[each], reverse=True) == await self._listed(
                    work, chosen, "updated"
                )

    @staticmethod
    async def _listed(work: UnitOfWork, chosen: dict[str, Any], order: ThreadOrder) -> list[ThreadId]:
        """Page by page."""
        listed: list[Thread] = []
        while page := await work.threads.list(
            **chosen,
            order=order,
            before=listed[-1].id if listed else None,
            updated_before=listed[-1].updated_at if listed and order == "updated" else None,
            limit=4,
        ):
            assert len(page) <= 4
            listed += page
        return [each.id for each in listed]

    async def test_change_writes_title_tags_and_time(self, stores: Stores) -> None:
        """And nothing else; a title and tags can be taken away again."""
        store, other = stores
        record = await store_chats(store, 2)
        kept = attrs.evolve(stored_thread(record), length=4)
        named = attrs.evolve(kept, title="Named", tags=("a", "b"), updated_at=LATER)
        for changed in (named, attrs.evolve(named, title=None, tags=())):
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                await work.threads.lock(record.thread.id)
                await work.threads.change(
                    attrs.evolve(changed, length=99, session_id=SessionId(new_id()), created_at=LATER)
                )
                await work.commit()
            async with other.unit_of_work(DEFAULT_TENANT) as work:
                assert changed == await work.threads.get(record.thread.id)

    async def test_change_needs_the_lock_and_the_tenant(self, stores: Stores) -> None:
        """Also after a commit, which ends the lock; nobody can write rows of another tenant."""
        store, _ = stores
        record = await store_chats(store, 1)
        foreign = await store_chats(store, 1, tenant=OTHER_TENANT)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert isinstance(await error_of(work.threads.change(record.thread)), RuntimeError)
            await work.threads.lock(record.thread.id)
            await work.threads.change(stored_thread(record))
            await work.commit()
            assert isinstance(await error_of(work.threads.change(record.thread)), RuntimeError)
            for refused in (
                work.threads.change(foreign.thread),
                work.threads.add(foreign.thread),
                work.sessions.add(foreign.session),
                work.messages.add(foreign.messages),
            ):
                assert isinstance(await error_of(refused), ValueError)

    async def test_threads_are_their_tenants_alone(self, stores: Stores) -> None:
        """Every method finds another tenant's thread absent, and changes nothing of it."""
        store, _ = stores
        record = await store_chats(store, 1)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.threads.summarise(record.thread.id, new_summary(0))
            await work.commit()
        async with store.unit_of_work(OTHER_TENANT) as work:
            assert await work.threads.get(record.thread.id) is None
            assert await work.threads.lock(record.thread.id) is None
            assert await work.threads.list(limit=9) == ()
            assert await work.threads.list(session_id=record.session.id, limit=9) == ()
            assert await work.sessions.list(limit=9) == ()
            assert not await work.threads.delete(record.thread.id, at=LATER)
            assert not await work.threads.purge(record.thread.id)
            await work.threads.summarise(record.thread.id, new_summary(1, "Not theirs."))
            await work.commit()

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert stored_thread(record) == await work.threads.get(record.thread.id)
        conversation = await store.conversations.conversation(DEFAULT_TENANT, record.thread.id, limit=9)
        assert conversation is not None
        assert conversation.summary == new_summary(0)
        assert len(conversation.recent) == 2

    async def test_what_was_not_committed_never_was(self, stores: Stores) -> None:
        """Addition, change, deletion, removal, summary and pin are undone together; nobody else ever saw them."""
        store, other = stores
        kept, deleted, purged = [await store_chats(store, 1) for _ in range(3)]
        before = [await self._seen(other, record) for record in (kept, deleted, purged)]
        session = new_session()
        thread = new_thread(session)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.sessions.add(session)
            await work.threads.add(thread)
            await work.threads.lock(kept.thread.id)
            await work.threads.change(attrs.evolve(kept.thread, title="Gone", updated_at=LATER))
            await work.threads.summarise(kept.thread.id, new_summary(1))
            await work.messages.pin([kept.messages[0].id], pinned=True)
            await work.messages.note_token_counts({kept.messages[0].id: 7})
            await work.threads.delete(deleted.thread.id, at=LATER)
            await work.threads.purge(purged.thread.id)
            assert await work.threads.get(deleted.thread.id) is None
            assert await work.threads.get(purged.thread.id) is None
            for replica in (store, other):
                after = [await self._seen(replica, record) for record in (kept, deleted, purged)]
                assert before == after

        assert before == [await self._seen(store, record) for record in (kept, deleted, purged)]
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.sessions.get(session.id) is None
            assert await work.threads.get(thread.id) is None

    async def test_chat_waits_for_a_locked_thread(self, stores: Stores) -> None:
        """It is stored behind what the holder wrote, whether that commits or gives up."""
        store, other = stores
        record = await store_chats(store, 1)
        for number, commits in enumerate((True, False), start=1):
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                thread = await work.threads.lock(record.thread.id)
                assert thread is not None
                assert thread.length == 2 * number
                chat = asyncio.ensure_future(other.journal.commit(further_chat(record)))
                await asyncio.sleep(0.05)
                assert not chat.done()
                await work.threads.change(attrs.evolve(thread, title=f"Lock {number}"))
                if commits:
                    await work.commit()
            await chat

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            thread = await work.threads.get(record.thread.id)
        assert thread is not None
        assert (thread.title, thread.length) == ("Lock 1", 6)
        assert list(range(6)) == [stored.position for stored in await read_thread(store, record)]

    async def test_locks_of_a_thread_take_turns(self, stores: Stores) -> None:
        """Eight renamers and eight chats at once, through two replicas: nothing is lost."""
        store, other = stores
        record = await store_chats(store, 1)

        async def tag(replica: Store, name: str) -> None:
            async with replica.unit_of_work(DEFAULT_TENANT) as work:
                thread = await work.threads.lock(record.thread.id)
                assert thread is not None
                tags = tuple(sorted((*thread.tags, name)))
                await work.threads.change(attrs.evolve(thread, tags=tags, updated_at=LATER))
                await work.commit()

        names = [f"tag{n}" for n in range(8)]
        await asyncio.gather(
            *(tag((store, other)[n % 2], name) for n, name in enumerate(names)),
            *((store, other)[n % 2].journal.commit(further_chat(record)) for n in range(8)),
        )

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            thread = await work.threads.get(record.thread.id)
        assert thread is not None
        assert (thread.tags, thread.length, thread.updated_at) == (tuple(names), 18, LATER)
        assert list(range(18)) == [stored.position for stored in await read_thread(store, record)]

    async def test_deleted_thread_is_absent_at_once(self, stores: Stores) -> None:
        """For every read and write, its messages too, through every replica; its neighbour stays."""
        store, other = stores
        record, neighbour = await store_chats(store, 1), await store_chats(store, 1)
        message_ids = [each.id for each in record.messages]
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.threads.delete(record.thread.id, at=LATER)
            assert not await work.threads.delete(record.thread.id, at=LATER)
            await work.commit()

        for replica in (store, other):
            async with replica.unit_of_work(DEFAULT_TENANT) as work:
                assert await self._is_absent(work, record)
                assert await work.threads.lock(record.thread.id) is None
                assert not await work.threads.delete(record.thread.id, at=LATER)
                assert await work.threads.list(session_id=record.session.id, limit=9) == ()
                await work.messages.pin(message_ids, pinned=True)
                await work.messages.note_token_counts(dict.fromkeys(message_ids, 3))
                await work.threads.summarise(record.thread.id, new_summary(1))
                await work.commit()
            reader = replica.conversations
            assert await reader.conversation(DEFAULT_TENANT, record.thread.id, limit=9) is None
            assert record.session == await reader.session(DEFAULT_TENANT, record.session.id)
        assert len(await read_thread(store, neighbour)) == 2

    async def test_chat_under_way_when_its_thread_is_deleted_is_stored_unseen(self, stores: Stores) -> None:
        """What it cost belongs in the books, so the journal takes it; nobody can read it."""
        store, _ = stores
        record = await store_chats(store, 1)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.threads.delete(record.thread.id, at=LATER)
            await work.commit()
        late = further_chat(record)
        await store.journal.commit(late)
        await store.journal.commit(late)

        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await self._is_absent(work, late)

    async def test_purged_thread_leaves_nothing(self, stores: Stores) -> None:
        """Messages, attempts, feedback with its history and summary: the same ids may be stored anew."""
        store, other = stores
        for delete_first in (False, True):
            record, neighbour = await store_chats(store, 3), await store_chats(store, 1)
            answer = record.messages[1]
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                await work.threads.summarise(record.thread.id, new_summary(1))
                await work.feedback.lock(answer.id)
                await work.feedback.put(answer.id, Feedback(rating=5, given_at=NOW), at=NOW)
                await work.commit()
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                if delete_first:
                    await work.threads.delete(record.thread.id, at=LATER)
                assert await work.threads.purge(record.thread.id)
                assert not await work.threads.purge(record.thread.id)
                await work.commit()

            async with other.unit_of_work(DEFAULT_TENANT) as work:
                assert await self._is_absent(work, record)
                assert not await work.threads.purge(record.thread.id)
            late = await asyncio.gather(other.journal.commit(further_chat(record)), return_exceptions=True)
            assert isinstance(late[0], NotFound)
            assert len(await read_thread(store, neighbour)) == 2

            await store.journal.commit(record)
            async with other.unit_of_work(DEFAULT_TENANT) as work:
                assert stored_thread(record) == await work.threads.get(record.thread.id)
                assert record.attempts == await work.messages.attempts(answer.id)
                assert await work.feedback.history(answer.id, limit=9) == ()
                stored = await work.messages.get(answer.id)
            assert stored is not None
            assert stored.feedback is None
            conversation = await store.conversations.conversation(DEFAULT_TENANT, record.thread.id, limit=9)
            assert conversation is not None
            assert conversation.summary is None

    async def test_summary_that_reaches_further_stays(self, stores: Stores) -> None:
        """The newer of two that reach as far counts; a thread that is absent gets none."""
        store, other = stores
        record = await store_chats(store, 2)
        for summary, expected in (
            (new_summary(1, "One."), "One."),
            (new_summary(3, "Three."), "Three."),
            (new_summary(2, "Two."), "Three."),
            (attrs.evolve(new_summary(3, "Again \0."), token_count=None), "Again \ufffd."),
        ):
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                await work.threads.summarise(record.thread.id, summary)
                await work.threads.summarise(ThreadId(new_id()), summary)
                await work.threads.summarise(ThreadId("x"), summary)
                await work.commit()
            found = await other.conversations.conversation(DEFAULT_TENANT, record.thread.id, limit=1)
            assert found is not None
            assert found.summary is not None
            assert found.summary.text == expected

    async def test_summaries_at_once_keep_the_furthest(self, stores: Stores) -> None:
        """Whoever comes last, and a chat need not wait for them."""
        store, other = stores
        record = await store_chats(store, 4)

        async def summarise(replica: Store, up_to: int) -> None:
            async with replica.unit_of_work(DEFAULT_TENANT) as work:
                await work.threads.summarise(record.thread.id, new_summary(up_to))
                await work.commit()

        reaches = (3, 7, 1, 5, 2, 6)
        await asyncio.gather(*(summarise((store, other)[n % 2], each) for n, each in enumerate(reaches)))

        found = await store.conversations.conversation(DEFAULT_TENANT, record.thread.id, limit=1)
        assert found is not None
        assert found.summary == new_summary(7)

    async def test_what_is_no_id_is_no_thread(self, stores: Stores) -> None:
        """A made-up id is nobody's for every method; one in capitals is the same as in small letters."""
        store, _ = stores
        record = await store_chats(store, 1)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            for made_up in (ThreadId(""), ThreadId("x"), ThreadId(new_id() + "\n"), ThreadId("\0")):
                assert await work.threads.lock(made_up) is None
                assert not await work.threads.delete(made_up, at=NOW)
                assert not await work.threads.purge(made_up)
            capitals = ThreadId(record.thread.id.upper())
            assert stored_thread(record) == await work.threads.get(capitals)
            assert stored_thread(record) == await work.threads.lock(capitals)
            assert record.session == await work.sessions.get(SessionId(record.session.id.upper()))
            assert await work.threads.delete(capitals, at=NOW)

    async def _seen(self, store: Store, record: ChatRecord) -> object:
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            return (
                await work.threads.get(record.thread.id),
                await work.messages.page(record.thread.id, limit=9),
                await store.conversations.conversation(DEFAULT_TENANT, record.thread.id, limit=9),
            )

    async def _is_absent(self, work: UnitOfWork, record: ChatRecord) -> bool:
        thread_id = record.thread.id
        found: list[object] = [await work.threads.get(thread_id)]
        found += await work.threads.list(session_id=record.session.id, limit=9)
        found += await work.messages.tail(thread_id, limit=9)
        found += await work.messages.page(thread_id, limit=9)
        found += await work.messages.page(thread_id, limit=9, newest_first=True)
        found += await work.feedback.of_thread(thread_id, limit=9)
        found.append(await work.messages.count_pinned(thread_id) or None)
        for message in record.messages:
            found.append(await work.messages.get(message.id))
            found += await work.messages.attempts(message.id)
            found += await work.feedback.history(message.id, limit=9)
        return [None] * (2 + len(record.messages)) == found
