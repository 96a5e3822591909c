"""What is left of a thread that was deleted."""

import pytest

from application.use_cases.delete_thread import DeleteThreadCommand
from domain.errors import NotFound
from domain.ids import DEFAULT_TENANT, ThreadId
from tests.support.thread_bench import ABSENT, OTHER, ThreadBench


@pytest.mark.parametrize("purge", [False, True])
async def test_a_deleted_thread_is_absent_and_its_session_stays(purge: bool) -> None:
    """With its messages; and it can't be deleted again."""
    bench = ThreadBench()
    thread = await bench.thread(chats=1)
    message = (await bench.messages(thread))[0]
    command = DeleteThreadCommand(thread_id=ThreadId(thread.id.upper()), purge=purge)

    await bench.delete.execute(command)

    for call in (
        bench.read.thread(DEFAULT_TENANT, thread.id),
        bench.read.message(DEFAULT_TENANT, message.id),
        bench.delete.execute(command),
    ):
        with pytest.raises(NotFound):
            await call
    await bench.read.session(DEFAULT_TENANT, thread.session_id)


async def test_a_deleted_thread_can_be_purged() -> None:
    """Whoever wants it gone at once need not wait for retention."""
    bench = ThreadBench()
    thread = await bench.thread(chats=1)
    await bench.delete.execute(DeleteThreadCommand(thread_id=thread.id))

    await bench.delete.execute(DeleteThreadCommand(thread_id=thread.id, purge=True))

    with pytest.raises(NotFound):
        await bench.delete.execute(DeleteThreadCommand(thread_id=thread.id, purge=True))


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("kind", ["absent", "foreign", "no id"])
async def test_a_thread_that_is_not_there_is_not_deleted(kind: str, purge: bool) -> None:
    """Another tenant's stays."""
    bench = ThreadBench()
    foreign = await bench.thread(tenant=OTHER)
    thread_id = ThreadId({"absent": ABSENT, "foreign": foreign.id, "no id": "x"}[kind])

    with pytest.raises(NotFound, match=f"there is no thread {thread_id}"):
        await bench.delete.execute(DeleteThreadCommand(thread_id=thread_id, purge=purge))

    assert foreign == await bench.read.thread(OTHER, foreign.id)
