"""What is seen of sessions, threads and messages, page by page, and by whom."""

import pytest

from application.use_cases import read_threads
from application.use_cases.delete_thread import DeleteThreadCommand
from application.use_cases.open_session import OpenSessionCommand
from application.use_cases.open_thread import OpenThreadCommand
from domain.errors import InvalidRequest, NotFound
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, ThreadId
from tests.support.thread_bench import ABSENT, OTHER, ThreadBench, texts


async def test_sessions_come_newest_first_and_by_user() -> None:
    """In pages that leave out nothing and repeat nothing."""
    bench = ThreadBench()
    made = [
        await bench.open_session.execute(OpenSessionCommand(user=f"u{number % 2}")) for number in range(5)
    ]
    await bench.open_session.execute(OpenSessionCommand(tenant=OTHER, user="u1"))

    first = await bench.read.sessions(DEFAULT_TENANT, limit=3)
    second = await bench.read.sessions(DEFAULT_TENANT, limit=3, before=first.next_before)
    of_one = await bench.read.sessions(DEFAULT_TENANT, user="u1")

    assert made[::-1] == [*first.items, *second.items]
    assert (made[2].id, None) == (first.next_before, second.next_before)
    assert [made[3], made[1]] == list(of_one.items)


async def test_a_full_last_page_has_no_next_one() -> None:
    """Though it holds as many as were asked for."""
    bench = ThreadBench()
    for _ in range(2):
        await bench.thread()

    assert (await bench.read.threads(DEFAULT_TENANT, limit=2)).next_before is None
    assert (await bench.read.sessions(DEFAULT_TENANT, limit=2)).next_before is None


async def test_threads_come_newest_first_and_by_session() -> None:
    """Without those that were deleted."""
    bench = ThreadBench()
    first, second, third = [await bench.thread() for _ in range(3)]
    sister = await bench.open.execute(OpenThreadCommand(session_id=first.session_id))
    await bench.delete.execute(DeleteThreadCommand(thread_id=second.id))

    page = await bench.read.threads(DEFAULT_TENANT, limit=2)
    rest = await bench.read.threads(DEFAULT_TENANT, limit=2, before=page.next_before)
    of_one = await bench.read.threads(DEFAULT_TENANT, session_id=SessionId(first.session_id.upper()))

    assert [sister, third] == list(page.items)
    assert ([first], None) == (list(rest.items), rest.next_before)
    assert [sister, first] == list(of_one.items)


async def test_threads_come_by_last_activity_of_a_user() -> None:
    """Page by page; without a session or a user it is refused, since all threads would be sorted."""
    bench = ThreadBench()
    made = [await bench.open.execute(OpenThreadCommand(user="ada", tags=("a",))) for _ in range(5)]
    await bench.open.execute(OpenThreadCommand(user="bob", tags=("a",)))
    page = await bench.read.threads(DEFAULT_TENANT, user="ada", order="updated", limit=3)
    rest = await bench.read.threads(
        DEFAULT_TENANT,
        user="ada",
        tag="a",
        order="updated",
        before=page.next_before,
        updated_before=page.next_updated_before,
    )

    assert made[::-1] == [*page.items, *rest.items]
    assert (rest.next_before, rest.next_updated_before) == (None, None)
    assert len((await bench.read.threads(DEFAULT_TENANT, tag="a")).items) == 6
    with pytest.raises(InvalidRequest, match="needs a session or a user"):
        await bench.read.threads(DEFAULT_TENANT, tag="a", order="updated")


async def test_messages_are_read_either_way() -> None:
    """By position, whatever their status, up to both ends."""
    bench = ThreadBench()
    thread = await bench.thread(chats=3)
    await bench.chat(thread, "question 3", "", status="failed")

    up = await bench.read.messages(DEFAULT_TENANT, thread.id, limit=5)
    up_again = await bench.read.messages(DEFAULT_TENANT, thread.id, limit=5, beyond=up.next_position)
    down = await bench.read.messages(DEFAULT_TENANT, thread.id, limit=5, newest_first=True)
    down_again = await bench.read.messages(
        DEFAULT_TENANT, thread.id, limit=5, newest_first=True, beyond=down.next_position
    )

    assert ([0, 1, 2, 3, 4], 4) == ([each.position for each in up.items], up.next_position)
    assert ([5, 6, 7], None) == ([each.position for each in up_again.items], up_again.next_position)
    assert ([7, 6, 5, 4, 3], 3) == ([each.position for each in down.items], down.next_position)
    assert ([2, 1, 0], None) == ([each.position for each in down_again.items], down_again.next_position)
    assert "failed" == up_again.items[-1].status


async def test_a_page_of_long_messages_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one message at least, and the next page goes on behind it."""
    monkeypatch.setattr(read_threads, "MAX_PAGE_CHARACTERS", 10)
    bench = ThreadBench()
    thread = await bench.thread()
    await bench.chat(thread, "x" * 30, "12345")
    await bench.chat(thread, "12345", "x")

    pages: list[list[str]] = []
    beyond = None
    while not pages or beyond is not None:
        page = await bench.read.messages(DEFAULT_TENANT, thread.id, beyond=beyond)
        pages.append(texts(page.items))
        beyond = page.next_position

    assert [["x" * 30], ["12345", "12345"], ["x"]] == pages


async def test_a_message_is_shown_with_its_attempts() -> None:
    """Those of an answer; a turn of the caller's has none."""
    bench = ThreadBench()
    asked, answered = (await bench.messages(await bench.thread(chats=1)))[:2]

    assert ["ok"] == [
        each.outcome for each in (await bench.read.message(DEFAULT_TENANT, answered.id)).attempts
    ]
    assert () == (await bench.read.message(DEFAULT_TENANT, asked.id)).attempts


@pytest.mark.parametrize("kind", ["absent", "foreign", "deleted", "no id"])
async def test_what_is_not_there_is_absent_in_the_same_words(kind: str) -> None:
    """Whether it never was, is another tenant's, was deleted, or can't be."""
    bench = ThreadBench()
    thread = await bench.thread(chats=1, tenant=OTHER if kind == "foreign" else DEFAULT_TENANT)
    message = (await bench.read.messages(thread.tenant, thread.id)).items[0]
    ids = {"session": str(thread.session_id), "thread": str(thread.id), "message": str(message.id)}
    if kind == "deleted":
        await bench.delete.execute(DeleteThreadCommand(thread_id=thread.id))
        del ids["session"]
    elif kind != "foreign":
        ids = dict.fromkeys(ids, ABSENT if kind == "absent" else "{" + ABSENT[:-3] + "}")
    read = bench.read
    calls = [
        (read.thread(DEFAULT_TENANT, ThreadId(ids["thread"])), "thread"),
        (read.messages(DEFAULT_TENANT, ThreadId(ids["thread"])), "thread"),
        (read.message(DEFAULT_TENANT, MessageId(ids["message"])), "message"),
    ]
    if "session" in ids:
        session_id = SessionId(ids["session"])
        calls.append((read.session(DEFAULT_TENANT, session_id), "session"))
        calls.append((read.threads(DEFAULT_TENANT, session_id=session_id), "session"))

    for call, what in calls:
        with pytest.raises(NotFound, match=f"there is no {what} {ids[what]}"):
            await call
