"""What every store does with the chats that clients name; part of `StoreSuite`."""

import asyncio
import datetime
from typing import Final

from adapters.testing.chats_to_store import new_id, store_chats
from adapters.testing.prompts_to_store import NOW, OTHER_TENANT, Stores, error_of
from application.ports.store import Store
from domain.client_chat import MAX_CHAT_ID, ClientChat
from domain.ids import DEFAULT_TENANT, Tenant, ThreadId

LATER: Final = NOW + datetime.timedelta(minutes=5)


async def bind(
    store: Store,
    chat_id: str,
    thread_id: ThreadId,
    *,
    at: datetime.datetime = NOW,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    async with store.unit_of_work(tenant) as work:
        await work.client_chats.lock(chat_id)
        await work.client_chats.bind(chat_id, thread_id, at=at)
        await work.commit()


async def bound(store: Store, chat_id: str, *, tenant: Tenant = DEFAULT_TENANT) -> ClientChat | None:
    async with store.unit_of_work(tenant) as work:
        return await work.client_chats.get(chat_id)


class ClientChatSuite:
    async def test_chat_is_found_by_the_id_its_client_gave(self, stores: Stores) -> None:
        """Whatever characters it is made of; case and form of them count."""
        store, other = stores
        record = await store_chats(store, 1)
        ids = ("x", "A", "a b/c?d=%2F#\"'\\", "\u00e4", "a\u0308", "\U0001f642" * MAX_CHAT_ID, " ")
        for chat_id in ids:
            assert await bound(store, chat_id) is None
            await bind(store, chat_id, record.thread.id)

        for chat_id in ids:
            expected = ClientChat(
                id=chat_id,
                tenant=DEFAULT_TENANT,
                thread_id=record.thread.id,
                created_at=NOW,
                updated_at=NOW,
            )
            assert expected == await bound(other, chat_id)
        assert await bound(other, "X") is None

    async def test_unfit_characters_of_a_chat_id_are_replaced(self, stores: Stores) -> None:
        """As everywhere; it is found by what was given."""
        store, _ = stores
        record = await store_chats(store, 1)
        await bind(store, "nul \0 half \ud800", record.thread.id)

        found = await bound(store, "nul \0 half \ud800")
        assert found is not None
        assert found.id == "nul \ufffd half \ufffd"

    async def test_chat_goes_on_in_the_thread_it_was_bound_to_last(self, stores: Stores) -> None:
        """It keeps the time of its first binding; a thread may have several chats."""
        store, other = stores
        first, second = await store_chats(store, 1), await store_chats(store, 1)
        await bind(store, "chat", first.thread.id)
        await bind(other, "chat", ThreadId(second.thread.id.upper()), at=LATER)
        await bind(other, "another", second.thread.id)

        found = await bound(store, "chat")
        assert found is not None
        assert (second.thread.id, NOW, LATER) == (found.thread_id, found.created_at, found.updated_at)

    async def test_chats_of_tenants_are_apart(self, stores: Stores) -> None:
        """The same id is another chat in another tenant."""
        store, _ = stores
        mine, theirs = await store_chats(store, 1), await store_chats(store, 1, tenant=OTHER_TENANT)
        await bind(store, "chat", mine.thread.id)

        assert await bound(store, "chat", tenant=OTHER_TENANT) is None
        await bind(store, "chat", theirs.thread.id, tenant=OTHER_TENANT)
        for tenant, record in ((DEFAULT_TENANT, mine), (OTHER_TENANT, theirs)):
            found = await bound(store, "chat", tenant=tenant)
            assert found is not None
            assert record.thread.id == found.thread_id

    async def test_chat_of_a_deleted_thread_is_free(self, stores: Stores) -> None:
        """Deleted, or purged; it can be bound anew."""
        store, _ = stores
        for purge in (False, True):
            record, following = await store_chats(store, 1), await store_chats(store, 1)
            chat_id = f"chat {purge}"
            await bind(store, chat_id, record.thread.id)
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                if purge:
                    assert await work.threads.purge(record.thread.id)
                else:
                    assert await work.threads.delete(record.thread.id, at=NOW)
                await work.commit()

            assert await bound(store, chat_id) is None
            await bind(store, chat_id, following.thread.id)
            found = await bound(store, chat_id)
            assert found is not None
            assert following.thread.id == found.thread_id

    async def test_two_that_bind_a_new_chat_take_turns(self, stores: Stores) -> None:
        """The second one sees what the first one did."""
        threads = [(await store_chats(stores[0], 1)).thread.id for _ in stores]

        async def bind_unless_bound(store: Store, thread_id: ThreadId) -> ThreadId:
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                chat = await work.client_chats.lock("chat")
                if chat is not None:
                    return chat.thread_id
                await asyncio.sleep(0)
                await work.client_chats.bind("chat", thread_id, at=NOW)
                await work.commit()
                return thread_id

        found = await asyncio.gather(
            *[bind_unless_bound(store, thread_id) for store, thread_id in zip(stores, threads, strict=True)]
        )
        assert len(set(found)) == 1

    async def test_chat_is_bound_with_a_lock_to_a_thread_that_exists(self, stores: Stores) -> None:
        """Without a commit nothing is bound."""
        store, _ = stores
        record = await store_chats(store, 1)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert isinstance(
                await error_of(work.client_chats.bind("chat", record.thread.id, at=NOW)), RuntimeError
            )
            await work.client_chats.lock("chat")
            await work.client_chats.bind("chat", record.thread.id, at=NOW)
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            await work.client_chats.lock("other")
            assert await error_of(work.client_chats.bind("other", ThreadId(new_id()), at=NOW)) is not None

        assert await bound(store, "chat") is None
