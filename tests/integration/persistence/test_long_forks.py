"""Chats go on while long threads are forked."""

import asyncio

import attrs

from adapters.persistence.store import create
from adapters.system import SystemClock, UUID7Generator
from adapters.testing.chats_to_store import first_chat, further_chat, new_id, store_chats
from application.ports.store import Store
from application.services.thread_forking import MAX_COPIED, ThreadForking
from application.use_cases.fork_thread import ForkThread, ForkThreadCommand
from domain.ids import DEFAULT_TENANT, MessageId, ThreadId
from domain.thread import StoredMessage, Thread
from tests.support.records import store_config


async def test_forks_of_the_longest_threads_shut_out_no_chat(postgres_url: str) -> None:
    """Four at once: each is whole, and no chat meanwhile is told that all connections are in use."""
    store = create(store_config(postgres_url))
    await store.start()
    try:
        thread, last = await _long_thread(store)
        forking = ThreadForking(unit_of_work=store.unit_of_work, clock=SystemClock(), ids=UUID7Generator())
        fork = ForkThread(forking=forking)
        command = ForkThreadCommand(thread_id=thread.id, message_id=last.id)
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            chats = [group.create_task(_chats(store, over)) for _ in range(8)]
            forks = await asyncio.gather(*(fork.execute(command) for _ in range(4)))
            over.set()
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            ends = [await work.messages.page(each.id, limit=1, newest_first=True) for each in forks]
    finally:
        await store.aclose()

    assert [(MAX_COPIED - 1, last.id)] * 4 == [(end.position, end.copied_from) for (end,) in ends]
    assert all(chat.result() for chat in chats)


async def _chats(store: Store, over: asyncio.Event) -> int:
    """How many went on in one thread until it was over."""
    record = first_chat()
    await store.journal.commit(record)
    count = 0
    while not over.is_set():
        assert await store.conversations.conversation(DEFAULT_TENANT, record.thread.id, limit=4) is not None
        await store.journal.commit(further_chat(record))
        count += 1
        await asyncio.sleep(0.01)
    return count


async def _long_thread(store: Store) -> tuple[Thread, StoredMessage]:
    record = await store_chats(store, 1)
    thread = attrs.evolve(record.thread, id=ThreadId(new_id()), length=MAX_COPIED)
    messages = [
        attrs.evolve(
            record.messages[position % 2], id=MessageId(new_id()), thread_id=thread.id, position=position
        )
        for position in range(MAX_COPIED)
    ]
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.threads.add(thread)
        await work.messages.add(messages)
        await work.commit()
    return thread, messages[-1]
