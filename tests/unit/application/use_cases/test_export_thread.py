"""A whole thread, some messages at a time."""

import pytest

from application.use_cases import export_thread
from application.use_cases.delete_thread import DeleteThreadCommand
from application.use_cases.export_thread import ThreadExport
from domain.errors import NotFound
from domain.ids import DEFAULT_TENANT, ThreadId
from tests.support.thread_bench import ABSENT, OTHER, ThreadBench, texts


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_thread, "_PORTION", 4)


async def _portions(export: ThreadExport) -> list[list[str]]:
    return [texts(portion) async for portion in export.portions]


async def test_a_thread_comes_in_portions() -> None:
    """In order, the last one shorter; an empty thread has none."""
    bench = ThreadBench()
    thread = await bench.thread(chats=3)

    export = await bench.export.open(DEFAULT_TENANT, thread.id)
    empty = await bench.export.open(DEFAULT_TENANT, (await bench.thread()).id)

    assert (thread, "ada") == (export.thread, export.session.user)
    assert [
        ["question 0", "answer 0", "question 1", "answer 1"],
        ["question 2", "answer 2"],
    ] == await _portions(export)
    assert [] == await _portions(empty)


async def test_what_is_added_meanwhile_is_left_out() -> None:
    """The export is of one moment."""
    bench = ThreadBench()
    thread = await bench.thread(chats=2)

    export = await bench.export.open(DEFAULT_TENANT, thread.id)
    await bench.chat(thread, "late", "later")

    assert [["question 0", "answer 0", "question 1", "answer 1"]] == await _portions(export)


async def test_a_thread_that_is_deleted_meanwhile_ends_in_an_error() -> None:
    """Half of it must not look like the whole."""
    bench = ThreadBench()
    thread = await bench.thread(chats=4)
    export = await bench.export.open(DEFAULT_TENANT, thread.id)

    assert 4 == len(await anext(export.portions))
    await bench.delete.execute(DeleteThreadCommand(thread_id=thread.id))

    with pytest.raises(NotFound):
        await anext(export.portions)


@pytest.mark.parametrize("kind", ["absent", "foreign", "no id"])
async def test_a_thread_that_is_not_there_is_not_exported(kind: str) -> None:
    """Before anything is read of it."""
    bench = ThreadBench()
    foreign = await bench.thread(chats=1, tenant=OTHER)
    thread_id = ThreadId({"absent": ABSENT, "foreign": foreign.id, "no id": "x"}[kind])

    with pytest.raises(NotFound, match=f"there is no thread {thread_id}"):
        await bench.export.open(DEFAULT_TENANT, thread_id)
