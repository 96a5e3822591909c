"""A SQLite file that is locked, full, misplaced or shared."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import attrs
import pytest

from adapters.persistence.store import create
from application.ports.store import Store
from domain.errors import StorageUnavailable
from tests.support.records import new_chat, next_chat, store_config
from tests.support.sqlite_files import put_migrated


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lor3.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    store = create(store_config(f"sqlite:///{path}", statement_timeout_s=0.1))
    await store.start()
    yield store
    await store.aclose()


async def test_locked_file_is_waited_out(store: Store, path: Path) -> None:
    """A backup or another process that writes delays a chat past the busy timeout, and loses none."""
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    chats = [new_chat() for _ in range(3)]
    waiting = asyncio.gather(*map(store.journal.commit, chats))
    async with asyncio.timeout(30):
        while store.journal.is_ready:  # noqa: ASYNC110 - what is asked for is a plain property
            await asyncio.sleep(0.02)
    holder.execute("ROLLBACK")
    holder.close()
    await waiting

    async with store.unit_of_work(chats[0].thread.tenant) as work:
        for chat in chats:
            assert len(await work.messages.tail(chat.thread.id, limit=9)) == 2


async def test_poison_record_fails_alone(store: Store) -> None:
    """A number past 64 bits is refused by the driver; its neighbours are stored."""
    chats = [new_chat() for _ in range(3)]
    too_large = attrs.evolve(chats[1].messages[1], latency_ms=2**63)
    chats[1] = attrs.evolve(chats[1], messages=(chats[1].messages[0], too_large))
    outcomes = await asyncio.gather(*map(store.journal.commit, chats), return_exceptions=True)

    assert [isinstance(outcome, StorageUnavailable) for outcome in outcomes] == [False, True, False]


async def test_missing_directory_is_said(tmp_path: Path) -> None:
    """It starts all the same, and `check` has the reason without the path."""
    store = create(store_config(f"sqlite:///{tmp_path}/missing/lor3.db"))
    await store.start()

    reason = await store.check()
    assert reason is not None
    assert "the folder of the database file does not exist" in reason
    assert str(tmp_path) not in reason
    assert not store.journal.is_ready
    await store.aclose()


@pytest.fixture
def diary(path: Path) -> Iterator[Path]:
    path.write_text("dear diary " * 100)
    yield path
    assert path.read_text().startswith("dear diary")


async def test_file_that_is_no_database_is_said(diary: Path) -> None:
    """Somebody's text file is neither taken nor overwritten."""
    store = create(store_config(f"sqlite:///{diary}"))
    await store.start()

    assert "is no SQLite database" in (await store.check() or "")
    await store.aclose()


async def test_two_stores_write_one_file(store: Store, path: Path) -> None:
    """As with `--workers 2`: the write lock goes back and forth, positions stay whole."""
    other = create(store_config(f"sqlite:///{path}"))
    await other.start()
    chat = new_chat()
    await store.journal.commit(chat)
    for _ in range(10):
        await asyncio.gather(store.journal.commit(next_chat(chat)), other.journal.commit(next_chat(chat)))

    async with store.unit_of_work(chat.thread.tenant) as work:
        turns = await work.messages.tail(chat.thread.id, limit=99)
    assert list(range(42)) == [turn.position for turn in turns]
    await other.aclose()


async def test_acknowledged_answer_is_synced(store: Store, path: Path) -> None:
    """WAL with full syncs, and foreign keys kept, on the connection that writes."""
    engine = store._queue._writers[0]._engine  # type: ignore[attr-defined]  # no other way to ask that connection
    with engine.connect() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert pragmas == ["wal", 2, 1]


def _moved_away(path: Path) -> Path:
    return path.rename(path.with_name("gone.db"))


def _files(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.glob("*.db"))


async def test_file_that_was_moved_away_takes_no_chats_until_it_is_back(
    store: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is acknowledged into a file that nobody finds again; put back, the file has all of it."""
    kept, late = new_chat(), new_chat()
    await store.journal.commit(kept)
    gone = _moved_away(path)

    assert not store.journal.is_ready
    assert "removed or replaced" in (await store.check() or "")
    with pytest.raises(StorageUnavailable):
        await store.conversations.conversation(kept.thread.tenant, kept.thread.id, limit=9)
    waiting = asyncio.create_task(store.journal.commit(late))
    await asyncio.wait((waiting,), timeout=0.1)
    assert not waiting.done()
    assert ["gone.db"] == _files(path.parent)  # nor was an empty one made

    gone.rename(path)
    await waiting
    async with asyncio.timeout(30):
        while await store.check() is not None:  # noqa: ASYNC110 - what is asked for says no more
            await asyncio.sleep(0.02)
    async with store.unit_of_work(late.thread.tenant) as work:
        assert len(await work.messages.tail(late.thread.id, limit=9)) == 2
    assert 1 == caplog.text.count("the store is not ready: the database file was removed or replaced")


async def test_file_that_another_took_the_place_of_stays_refused(store: Store, path: Path) -> None:
    """A migrated one in its place is no answer either, nor is the first one beside the other's log."""
    _moved_away(path)
    put_migrated(path)
    with sqlite3.connect(path) as other:
        other.execute("SELECT count(*) FROM sessions")
    other.close()

    assert not store.journal.is_ready
    assert "removed or replaced" in (await store.check() or "")
    with pytest.raises(StorageUnavailable, match="removed or replaced"):
        await store.keys.changes(None)
