"""What a thread is called, and who may say so."""

import attrs
import pytest

from application.use_cases.change_thread import ChangeThreadCommand
from domain.errors import InvalidRequest, NotFound, PreconditionFailed
from domain.ids import DEFAULT_TENANT, ThreadId
from tests.support.thread_bench import ABSENT, OTHER, ThreadBench


async def test_what_is_left_out_stays() -> None:
    """Title and tags change apart from one another."""
    bench = ThreadBench()
    thread = await bench.thread(chats=1)

    renamed = await bench.change.execute(ChangeThreadCommand(thread_id=thread.id, title="New"))
    tagged = await bench.change.execute(ChangeThreadCommand(thread_id=thread.id, tags=("c", "b", "c")))
    cleared = await bench.change.execute(ChangeThreadCommand(thread_id=thread.id, clear_title=True, tags=()))

    assert ("New", ("a",)) == (renamed.title, renamed.tags)
    assert ("New", ("b", "c")) == (tagged.title, tagged.tags)
    assert (None, ()) == (cleared.title, cleared.tags)
    assert cleared == await bench.read.thread(DEFAULT_TENANT, thread.id)


async def test_what_changes_nothing_writes_nothing() -> None:
    """The ETag stays; with a change it is another one, and with a message."""
    bench = ThreadBench()
    thread = await bench.thread()
    bench.clock.advance(1)

    same = await bench.change.execute(ChangeThreadCommand(thread_id=thread.id, title="Talk", tags=("a", "a")))
    changed = await bench.change.execute(ChangeThreadCommand(thread_id=thread.id, title="Walk"))
    await bench.chat(thread, "q", "a")
    continued = await bench.read.thread(DEFAULT_TENANT, thread.id)

    assert thread == same
    assert 3 == len({thread.etag, changed.etag, continued.etag})


async def test_of_two_that_read_the_same_one_is_told() -> None:
    """By its ETag; `*` is any thread that exists, a weak one none."""
    bench = ThreadBench()
    thread = await bench.thread()
    bench.clock.advance(1)
    command = ChangeThreadCommand(thread_id=thread.id, title="First", if_match=(thread.etag,))

    await bench.change.execute(command)
    for tags in ((thread.etag,), ('W/"1"', '"2"'), ()):
        with pytest.raises(PreconditionFailed, match="read it again"):
            await bench.change.execute(attrs.evolve(command, title="Second", if_match=tags))
    last = await bench.change.execute(attrs.evolve(command, title="Third", if_match=("*",)))

    assert "Third" == last.title


@pytest.mark.parametrize("kind", ["absent", "foreign", "no id"])
async def test_a_thread_that_is_not_there_is_not_changed(kind: str) -> None:
    """Before its ETag is looked at."""
    bench = ThreadBench()
    foreign = await bench.thread(tenant=OTHER)
    thread_id = ThreadId({"absent": ABSENT, "foreign": foreign.id, "no id": "x"}[kind])

    with pytest.raises(NotFound, match=f"there is no thread {thread_id}"):
        await bench.change.execute(ChangeThreadCommand(thread_id=thread_id, title="x", if_match=('"1"',)))

    assert foreign == await bench.read.thread(OTHER, foreign.id)


async def test_words_that_are_none_are_refused() -> None:
    """And nothing is changed."""
    bench = ThreadBench()
    thread = await bench.thread()
    for command in (
        ChangeThreadCommand(thread_id=thread.id, title=" "),
        ChangeThreadCommand(thread_id=thread.id, title="ok", tags=("",)),
    ):
        with pytest.raises(InvalidRequest):
            await bench.change.execute(command)

    assert thread == await bench.read.thread(DEFAULT_TENANT, thread.id)
