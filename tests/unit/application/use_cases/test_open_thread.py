"""Sessions and threads before their first message."""

import pytest

from application.use_cases.open_session import OpenSessionCommand
from application.use_cases.open_thread import OpenThreadCommand
from domain.errors import InvalidRequest, NotFound
from domain.ids import DEFAULT_TENANT, SessionId
from tests.support.thread_bench import ABSENT, OTHER, ThreadBench


async def test_a_session_is_kept_with_its_user() -> None:
    """As it is read again."""
    bench = ThreadBench()

    session = await bench.open_session.execute(OpenSessionCommand(user="a\0b"))

    assert "a\N{REPLACEMENT CHARACTER}b" == session.user
    assert session == await bench.read.session(DEFAULT_TENANT, session.id)


async def test_a_thread_makes_its_session() -> None:
    """With the user; title and tags are kept in order, each tag once."""
    bench = ThreadBench()

    thread = await bench.open.execute(OpenThreadCommand(user="ada", title="T\0", tags=("b", "a", "b", "a\0")))

    assert (0, None) == (thread.length, thread.forked_from)
    assert ("T\N{REPLACEMENT CHARACTER}", ("a", "a\N{REPLACEMENT CHARACTER}", "b")) == (
        thread.title,
        thread.tags,
    )
    assert thread == await bench.read.thread(DEFAULT_TENANT, thread.id)
    assert "ada" == (await bench.read.session(DEFAULT_TENANT, thread.session_id)).user


async def test_a_thread_joins_a_session() -> None:
    """Whoever names the session's own user may do so; another one is told."""
    bench = ThreadBench()
    session = await bench.open_session.execute(OpenSessionCommand(user="ada"))

    thread = await bench.open.execute(OpenThreadCommand(session_id=SessionId(session.id.upper()), user="ada"))
    with pytest.raises(InvalidRequest) as refused:
        await bench.open.execute(OpenThreadCommand(session_id=session.id, user="bob"))

    assert session.id == thread.session_id
    assert ["user"] == [fault.path for fault in refused.value.faults]


@pytest.mark.parametrize("kind", ["absent", "foreign", "no id"])
async def test_a_thread_of_no_session_is_refused(kind: str) -> None:
    """And nothing is left of it."""
    bench = ThreadBench()
    foreign = await bench.open_session.execute(OpenSessionCommand(tenant=OTHER))
    session_id = {"absent": ABSENT, "foreign": foreign.id, "no id": "x"}[kind]

    with pytest.raises(NotFound, match=f"there is no session {session_id}"):
        await bench.open.execute(OpenThreadCommand(session_id=SessionId(session_id)))

    assert () == (await bench.read.threads(DEFAULT_TENANT)).items


async def test_words_that_are_none_are_refused() -> None:
    """Blank ones, long ones and too many; the longest are taken."""
    bench = ThreadBench()
    longest = await bench.open.execute(
        OpenThreadCommand(title="x" * 256, tags=tuple(f"{number:02}" + "x" * 62 for number in range(32)))
    )
    for title in ("", " \n", "x" * 257):
        with pytest.raises(InvalidRequest, match="title"):
            await bench.open.execute(OpenThreadCommand(title=title))
    with pytest.raises(InvalidRequest) as refused:
        await bench.open.execute(OpenThreadCommand(tags=("ok", " ", "x" * 65)))
    with pytest.raises(InvalidRequest, match="at most 32 tags"):
        await bench.open.execute(OpenThreadCommand(tags=("x",) * 33))

    assert 32 == len(longest.tags)
    assert ["tags[1]", "tags[2]"] == [fault.path for fault in refused.value.faults]
