"""Changes of prompts in a SQLite file that others hold."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.persistence.store import create
from adapters.testing.prompts_to_store import (
    NAME,
    error_of,
    head_of,
    new_head,
    new_move,
    new_version,
    save,
)
from application.ports.store import Store
from domain.errors import StorageUnavailable
from domain.ids import DEFAULT_TENANT
from domain.prompt.reference import PromptName, VersionRef
from tests.support.records import new_chat, store_config


async def lock(store: Store) -> None:
    async with store.unit_of_work(DEFAULT_TENANT) as work:
        await work.prompts.lock(NAME)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lor3.db"


@pytest.fixture
async def file_store(path: Path) -> AsyncIterator[Store]:
    store = create(store_config(f"sqlite:///{path}", statement_timeout_s=0.2))
    await store.start()
    yield store
    await store.aclose()


async def test_file_that_another_process_writes_is_waited_for_and_given_up(
    file_store: Store, path: Path
) -> None:
    """StorageUnavailable after the busy timeout, reads go on, and it heals with the lock's release."""
    await save(file_store, new_version())
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for attempt in (lock(file_store), save(file_store, new_version(number=2))):
        error = await error_of(attempt)
        assert isinstance(error, StorageUnavailable)
        assert str(error) == "something else is writing to the database; try again in a moment"
    assert new_head() == await head_of(file_store)
    holder.execute("ROLLBACK")
    holder.close()

    await save(file_store, new_version(number=2))
    assert new_head(latest=2) == await head_of(file_store)


async def test_cancelled_wait_for_the_file_leaves_it_free(file_store: Store, path: Path) -> None:
    """The thread that waits inside SQLite may get the lock after its caller is gone; it gives it back."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    waiting = [asyncio.ensure_future(lock(file_store)) for _ in range(3)]
    await asyncio.sleep(0.05)
    for task in waiting:
        task.cancel()
    holder.execute("ROLLBACK")
    holder.close()
    await asyncio.gather(*waiting, return_exceptions=True)

    await save(file_store, new_version())
    await file_store.journal.commit(new_chat())
    assert new_head() == await head_of(file_store)


async def test_chats_are_stored_while_prompts_are_edited(file_store: Store) -> None:
    """Both write one file; a chat waits for the edit, and none is lost."""
    chats = [new_chat() for _ in range(20)]

    async def edit() -> None:
        for number in range(1, 11):
            await save(file_store, new_version(number=number))

    await asyncio.gather(edit(), *map(file_store.journal.commit, chats))

    assert new_head(latest=10) == await head_of(file_store)
    async with file_store.unit_of_work(DEFAULT_TENANT) as work:
        for chat in chats:
            assert len(await work.messages.tail(chat.thread.id, limit=9)) == 2


async def test_deleted_version_leaves_no_pins(file_store: Store, path: Path) -> None:
    """The foreign key takes them along."""
    pinned = VersionRef(PromptName("tone"), 1)
    await save(file_store, new_version(pins=(pinned,)))
    async with file_store.unit_of_work(DEFAULT_TENANT) as work:
        await work.prompts.lock(NAME)
        await work.prompts.note_move(new_move(1))
        assert await work.prompts.delete_version(VersionRef(NAME, 1))
        await work.commit()

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM prompt_pins").fetchone() == (0,)
    connection.close()
