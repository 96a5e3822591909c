"""What callers of sessions, threads and messages get wrong, and what they are told."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import attrs
import pytest

from application.ports.unit_of_work import UnitOfWork
from application.services.thread_forking import ThreadForking
from application.use_cases.change_thread import ChangeThread
from application.use_cases.delete_thread import DeleteThread
from application.use_cases.export_thread import ExportThread
from application.use_cases.fork_thread import ForkThread
from application.use_cases.open_session import OpenSession
from application.use_cases.open_thread import OpenThread
from application.use_cases.pin_message import PinMessage
from application.use_cases.read_threads import ReadThreads
from domain.errors import StorageUnavailable
from domain.ids import Tenant
from entrypoints.application import Application
from tests.support.http import serving
from tests.support.thread_api import ABSENT, ThreadAPI


@pytest.mark.parametrize(
    ("method", "path", "body", "faults"),
    [
        ("GET", "/threads?limit=0", None, ["limit"]),
        ("GET", "/threads?limit=101", None, ["limit"]),
        ("GET", "/threads?limit=x&curser=1", None, ["limit", "curser"]),
        ("GET", "/threads?cursor=nope", None, ["cursor"]),
        ("GET", "/threads?cursor=", None, ["cursor"]),
        ("GET", "/threads?cursor=c2Vzc2lvbnM6eA", None, ["cursor"]),
        ("GET", "/threads?cursor=dGhyZWFkczp4", None, ["cursor"]),
        ("GET", "/threads?session_id=x", None, ["session_id"]),
        ("GET", "/threads?usr=ada&tag=&order=newest", None, ["usr", "tag", "order"]),
        ("GET", "/threads?order=updated", None, ["order"]),
        ("GET", "/threads?order=updated&tag=x", None, ["order"]),
        ("GET", "/threads?order=updated&user=ada&cursor=dGhyZWFkczp4", None, ["cursor"]),
        ("GET", "/threads?tag=" + "x" * 65, None, ["tag"]),
        ("GET", "/threads/{thread}?x=1", None, ["x"]),
        ("GET", "/sessions?limit=1&limit=2", None, ["limit"]),
        ("GET", "/sessions/{session}?x=1", None, ["x"]),
        ("GET", "/sessions/{session}/threads?session_id=x", None, ["session_id"]),
        ("GET", "/threads/{thread}/messages?order=up&curser=x", None, ["order", "curser"]),
        ("GET", "/threads/{thread}/export?format=pdf", None, ["format"]),
        ("GET", "/messages/{message}?attempts=true", None, ["attempts"]),
        ("DELETE", "/threads/{thread}?purge=1", None, ["purge"]),
        ("POST", "/sessions", {"usr": "x"}, ["usr"]),
        ("POST", "/sessions", {"user": "x" * 257}, ["user"]),
        ("POST", "/sessions?x=1", {"user": 1}, ["x", "user"]),
        ("POST", "/threads", {"title": " ", "tags": ["", 1], "sesion_id": "x"},
         ["title", "tags[0]", "tags[1]", "sesion_id"]),
        ("POST", "/threads", {"title": "x" * 257, "tags": ["x"] * 33, "session_id": "x"},
         ["title", "tags", "session_id"]),
        ("POST", "/threads", {"tags": ["x" * 65]}, ["tags[0]"]),
        ("PATCH", "/threads/{thread}", {}, [""]),
        ("PATCH", "/threads/{thread}", {"title": "", "messages": 0}, ["title", "messages"]),
        ("POST", "/threads/{thread}/fork", {}, ["message_id"]),
        ("POST", "/threads/{thread}/fork", {"message_id": "x", "title": "", "at": 1},
         ["message_id", "title", "at"]),
        ("PATCH", "/messages/{message}", {}, ["pinned"]),
        ("PATCH", "/messages/{message}", {"pinned": "yes", "content": "x"}, ["pinned", "content"]),
    ],
)  # fmt: skip
async def test_wrong_input_is_refused_with_all_its_faults(
    method: str, path: str, body: Any, faults: list[str], tmp_path: Path
) -> None:
    """Each at its path; nothing is changed."""
    async with serving(tmp_path) as server:
        api = ThreadAPI(server)
        answer = await api.chat("One")
        ids = {name: answer[f"{name}_id"] for name in ("session", "thread", "message")}
        before = (await api.get("/threads")).body
        refused = await api.call(method, path.format(**ids), body)
        after = (await api.get("/threads")).body

    assert (400, "invalid_request") == (refused.status, refused.code)
    assert set(faults) == set(refused.paths)
    assert before == after


@pytest.mark.parametrize("text", ["x", "v1", "%00", ABSENT[:-1], ABSENT + "f", "0" * 33, "%F0%9F%98%80"])
async def test_an_id_that_is_none_is_absent(text: str, database_url: str, tmp_path: Path) -> None:
    """In the words that are said of an id that nobody has."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        answers = {
            path: (await api.get(path.format(text)), await api.get(path.format(ABSENT)))
            for path in ("/sessions/{}", "/sessions/{}/threads", "/threads/{}", "/threads/{}/messages",
                         "/threads/{}/export", "/messages/{}")
        }  # fmt: skip

    for path, (none, absent) in answers.items():
        assert (404, 404) == (none.status, absent.status), path
        words = absent.body["detail"].partition(ABSENT)
        assert none.body["detail"].startswith(words[0])
        assert none.body["detail"].endswith(words[2])


async def test_a_thread_of_a_session_of_another_user_is_refused(database_url: str, tmp_path: Path) -> None:
    """And one of no session is absent."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        session = (await api.post("/sessions", {"user": "ada"})).body
        refused = await api.post("/threads", {"session_id": session["id"], "user": "bob"})
        absent = await api.post("/threads", {"session_id": ABSENT})
        listed = await api.get(f"/threads?session_id={ABSENT}")

    assert (400, ["user"]) == (refused.status, refused.paths)
    assert (404, 404) == (absent.status, listed.status)


async def test_odd_characters_in_words_are_kept_or_replaced(database_url: str, tmp_path: Path) -> None:
    """U+0000, which PostgreSQL refuses, becomes U+FFFD; in the answer as in the store, and in a filter."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        session = (await api.post("/sessions", {"user": "a\0b"})).body
        thread = await api.thread(session_id=session["id"], title="<b>\0\n\u202e", tags=["\0"])
        shown = (await api.get(f"/threads/{thread['id']}")).body
        found = (await api.get("/sessions?user=a%00b")).body

    assert "a\N{REPLACEMENT CHARACTER}b" == session["user"]
    assert thread == shown
    assert "<b>\N{REPLACEMENT CHARACTER}\n\u202e" == thread["title"]
    assert [session] == found["items"]


async def test_a_database_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    """By each route, as a 503 that may be tried again; an export has not begun then."""

    def refuse(tenant: Tenant) -> AbstractAsyncContextManager[UnitOfWork]:
        raise StorageUnavailable("the database is away; try again shortly")

    def away(application: Application) -> Application:
        clock, ids = application.clock, application.ids
        return attrs.evolve(
            application,
            read_threads=ReadThreads(unit_of_work=refuse),
            open_session=OpenSession(unit_of_work=refuse, clock=clock, ids=ids),
            open_thread=OpenThread(unit_of_work=refuse, clock=clock, ids=ids),
            change_thread=ChangeThread(unit_of_work=refuse, clock=clock),
            fork_thread=ForkThread(forking=ThreadForking(unit_of_work=refuse, clock=clock, ids=ids)),
            delete_thread=DeleteThread(unit_of_work=refuse, clock=clock),
            export_thread=ExportThread(unit_of_work=refuse),
            pin_message=PinMessage(unit_of_work=refuse),
        )

    async with serving(tmp_path, change=away) as server:
        api = ThreadAPI(server)
        thread, message = f"/threads/{ABSENT}", f"/messages/{ABSENT}"
        answers = [
            *[
                await api.get(path)
                for path in ("/sessions", f"/sessions/{ABSENT}", f"/sessions/{ABSENT}/threads", "/threads", thread,
                             f"{thread}/messages", f"{thread}/export", message)
            ],
            await api.post("/sessions", {}),
            await api.post("/threads", {}),
            await api.post(f"{thread}/fork", {"message_id": ABSENT}),
            await api.patch(thread, {"title": "x"}),
            await api.patch(message, {"pinned": True}),
            await api.delete(thread),
        ]  # fmt: skip

    assert {(503, "storage_unavailable", "1")} == {
        (each.status, each.code, each.headers["Retry-After"]) for each in answers
    }
