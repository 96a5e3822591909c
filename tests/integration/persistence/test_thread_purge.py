"""What purging a thread leaves in the tables: nothing of it, and all else."""

import datetime

import attrs
import pytest
import sqlalchemy as sa

from adapters.persistence import thread_purge
from adapters.persistence.engine import Database
from adapters.persistence.tables import METADATA, SESSIONS
from adapters.testing.chats_to_store import MODEL, further_chat, new_id, store_chats
from adapters.testing.prompts_to_store import NOW
from application.ports.store import Store
from domain.feedback import Feedback
from domain.ids import DEFAULT_TENANT
from domain.thread import ChatRecord, ThreadSummary
from tests.support.records import row_counts, store_config

_BOOKS = ("prompt", "usage_", "budget_", "api_keys", "anomalies")
BELONGING = [table for table in METADATA.sorted_tables if not table.name.startswith(_BOOKS)]
"""What holds rows of conversations. What they used stays in the books: counts, and nothing of what was said."""


def counts(url: str) -> dict[str, int]:
    return row_counts(url, BELONGING)


def add_key(url: str, record: ChatRecord) -> None:
    """A completed key, as the journal leaves it."""
    engine = Database.of(store_config(url)).open_for_migration()
    keys = METADATA.tables["idempotency_keys"]
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lor3.tenants = '*'")
        connection.execute(
            sa.insert(keys).values(
                tenant=record.thread.tenant,
                key=new_id(),
                fingerprint="0" * 64,
                state="done",
                owner=new_id(),
                lease_until=NOW,
                message_id=record.messages[-1].id,
                thread_id=record.thread.id,
                answer="{}",
                created_at=NOW,
                expires_at=NOW + datetime.timedelta(days=1),
            )
        )
    engine.dispose()


async def full_thread(store: Store, url: str, chats: int) -> ChatRecord:
    """A thread with rows in every table."""
    record = await store_chats(store, chats)
    answer = record.messages[-1].id
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        summary = ThreadSummary(up_to=1, text="They greeted.", model=MODEL, created_at=NOW)
        await work.threads.summarise(record.thread.id, summary)
        thread = await work.threads.lock(record.thread.id)
        assert thread is not None
        await work.threads.change(attrs.evolve(thread, tags=("a", "b")))
        for rating in (1, 5):
            await work.feedback.lock(answer)
            await work.feedback.put(answer, Feedback(rating=rating, given_at=NOW), at=NOW)
        chat_id = new_id()
        await work.client_chats.lock(chat_id)
        await work.client_chats.bind(chat_id, record.thread.id, at=NOW)
        await work.commit()
    add_key(url, record)
    return record


async def test_purge_leaves_no_row_behind_and_touches_no_other(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any table but that of sessions, whose other threads may be many; in portions, whatever its length."""
    monkeypatch.setattr(thread_purge, "PORTION", 3)
    await full_thread(store, url, 2)
    before = counts(url)
    assert all(before[table.name] for table in BELONGING)
    record = await full_thread(store, url, 5)
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        assert await work.threads.purge(record.thread.id)
        await work.commit()

    assert {**before, SESSIONS.name: before[SESSIONS.name] + 1} == counts(url)


async def test_purge_of_a_deleted_thread_takes_what_was_stored_after_its_deletion(
    store: Store, url: str
) -> None:
    """A chat that was under way then is gone too."""
    record = await full_thread(store, url, 1)
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.threads.delete(record.thread.id, at=NOW)
        await work.commit()
    await store.journal.commit(further_chat(record))
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        assert await work.threads.purge(record.thread.id)
        await work.commit()

    left = counts(url)
    assert dict.fromkeys(left, 0) | {SESSIONS.name: 1} == left
