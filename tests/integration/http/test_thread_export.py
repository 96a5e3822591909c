"""A whole thread as a file: complete, streamed, and readable without being fooled."""

import asyncio
import json
import re
from pathlib import Path

import attrs

from domain.ids import ThreadId
from domain.message import ImagePart, Message, TextPart, ToolCall
from tests.support.http import serving
from tests.support.thread_api import ThreadAPI, stored_thread, stored_turns

FORGED = (
    "## 9. Assistant\n\n*forged*\r\n---\r# Title\u2028## 8. User\n```\n    code\n\n> quoted\n[a]: http://x"
)


async def test_a_thread_is_exported_whole(database_url: str, tmp_path: Path) -> None:
    """As JSON with all that a list of its messages shows, as a file with a name."""
    async with serving(tmp_path, database_url=database_url) as server:
        api = ThreadAPI(server)
        thread = (await stored_thread(server.application, turns=75)).thread.id
        exported = await api.get(f"/threads/{thread}/export")
        listed = await api.messages(thread, "?limit=100")
        rest = await api.messages(thread, "?limit=50&order=desc")
        shown = await api.get(f"/threads/{thread}")
        head = await api.call("HEAD", f"/threads/{thread}/export?format=markdown")
        empty = await api.get(f"/threads/{(await api.thread())['id']}/export")

    assert (200, "application/json") == (exported.status, exported.headers["Content-Type"])
    assert f'attachment; filename="thread-{thread}.json"' == exported.headers["Content-Disposition"]
    assert "chunked" == exported.headers["Transfer-Encoding"]
    assert {"nosniff", "no-store"} <= set(exported.headers.values())
    assert ["session", "thread", "messages"] == list(exported.body)
    assert shown.body == exported.body["thread"]
    assert listed + rest[::-1] == exported.body["messages"]
    assert (200, b"", f'attachment; filename="thread-{thread}.md"') == (
        head.status, head.raw, head.headers["Content-Disposition"],
    )  # fmt: skip
    assert [] == empty.body["messages"]


async def test_a_thread_is_written_for_people(tmp_path: Path) -> None:
    """With roles, models, times, tool calls and feedback."""
    call = ToolCall(id="call_1", name="look", arguments='{"at": "it"}')
    picture = Message(
        role="user", parts=(TextPart(text="See:"), ImagePart(data="abcd", media_type="image/png"))
    )
    async with serving(tmp_path) as server:
        api = ThreadAPI(server)
        answer = await api.chat("Hello\n\nthere", user="ada")
        thread = answer["thread_id"]
        await api.patch(f"/threads/{thread}", {"title": "A *talk*", "tags": ["x_y"]})
        await api.call(
            "PUT",
            f"/messages/{answer['message_id']}/feedback",
            {"rating": 5, "comment": "# good\nyes", "user": "u"},
        )
        await api.patch(f"/messages/{answer['message_id']}", {"pinned": True})
        exported = await api.get(f"/threads/{thread}/export?format=markdown")
        stored = await stored_turns(
            server.application,
            (picture, "complete"),
            (Message(role="assistant", tool_calls=(call,)), "complete"),
            (attrs.evolve(Message.of("tool", "found"), tool_call_id="call_1"), "complete"),
            (Message(role="assistant"), "failed"),
        )
        tools = (await api.get(f"/threads/{stored[0].thread_id}/export?format=markdown")).raw.decode()

    assert "text/markdown; charset=utf-8" == exported.headers["Content-Type"]
    lines = exported.raw.decode().split("\n")
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    expected: list[str | re.Pattern[str]] = [
        r"# A \*talk\*", "", f"- Thread: {thread}", f"- Session: {answer['session_id']} of ada",
        re.compile(f"- Begun: {time}"), "- Messages: 2", r"- Tags: x\_y", "",
        "## 0. User", "", re.compile(rf"\*{time} · pinned\*"), "", "> Hello", ">", "> there", "",
        "## 1. Assistant", "", re.compile(rf"\*{time} · demo:demo · pinned\*"), "",
        *(f"> {line}" for line in answer["output"].split("\n")), "",
        re.compile(rf"Feedback: 5 by u, {time}"), "", "> # good", "> yes", "",
    ]  # fmt: skip
    assert len(expected) == len(lines), lines
    for wanted, line in zip(expected, lines, strict=True):
        assert wanted == line if isinstance(wanted, str) else wanted.fullmatch(line), line
    assert "\n> See:\n\nImage: image/png, inline, 4 characters of base64\n" in tools
    assert '\nCalls look (call\\_1):\n\n> {"at": "it"}\n' in tools
    assert " · answers call\\_1*\n\n> found\n" in tools
    assert " · failed*\n" in tools


async def test_no_text_can_be_taken_for_the_frame(tmp_path: Path) -> None:
    """Whatever stands in a message, a name or a word: outside of quotations stands what lor3 wrote alone."""
    call = ToolCall(id=FORGED, name=FORGED, arguments=FORGED)
    turns = (
        Message.of("user", FORGED),
        Message(role="assistant", parts=(TextPart(text=FORGED),), tool_calls=(call,)),
        attrs.evolve(Message.of("tool", FORGED), tool_call_id=FORGED),
        Message(role="user", parts=(ImagePart(url=FORGED), ImagePart(data="x", media_type=FORGED))),
    )
    async with serving(tmp_path) as server:
        api = ThreadAPI(server)
        stored = await stored_turns(server.application, *((turn, "complete") for turn in turns))
        path = f"/threads/{stored[0].thread_id}"
        await api.patch(path, {"title": FORGED, "tags": [FORGED[:60]]})
        text = (await api.get(f"{path}/export?format=markdown")).raw.decode()

    frame = [line for line in re.split(r"\r\n|\n|\r|\u2028", text) if not line.startswith(">")]
    headings = [line for line in frame if line.startswith("#")]
    assert ["## 0. User", "## 1. Assistant", "## 2. Tool", "## 3. User"] == headings[1:]
    starts = ("# ", "## ", "- ", "*", "Calls ", "Image: ")
    assert all(line == "" or line.startswith(starts) for line in frame)
    assert not [line for line in frame if re.search(r"(?<!\\)[\[\]<>`|~]", line)]


async def test_an_export_is_never_whole_in_memory(tmp_path: Path) -> None:
    """A reader that takes its time holds up nobody: others write to the same thread meanwhile."""
    async with serving(tmp_path) as server:
        api = ThreadAPI(server)
        first = await api.chat("x" * 200_000)
        thread = ThreadId(first["thread_id"])
        for _ in range(60):
            await api.chat("y" * 100_000, thread_id=thread, context_depth=0)
        async with server.client.get(f"/threads/{thread}/export") as response:
            begun = await response.content.readexactly(1000)
            await api.chat("late", thread_id=thread)
            rest = await response.read()

    exported = json.loads(begun + rest)
    assert 122 == len(exported["messages"]) == exported["thread"]["messages"]


async def test_an_export_that_can_not_be_finished_is_cut(tmp_path: Path) -> None:
    """So that half of a thread is not taken for the whole; the server goes on."""
    async with serving(tmp_path) as server:
        api = ThreadAPI(server)
        thread = (await api.chat("x"))["thread_id"]
        for _ in range(60):
            await api.chat("y" * 200_000, thread_id=thread, context_depth=0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1000)
        writer.write(b"GET /threads/%s/export HTTP/1.1\r\nHost: x\r\n\r\n" % thread.encode())
        begun = await reader.readuntil(b"\r\n\r\n")
        gone = await api.delete(f"/threads/{thread}")
        rest = b""
        try:
            while piece := await reader.read(65536):
                rest = (rest + piece)[-100:]
        except ConnectionResetError:
            pass  # as abrupt an end as one that just ends
        writer.close()
        alive = await api.get("/healthz")
        counted = [each.status for each in server.telemetry.served if each.route == "/threads/{id}/export"]

    assert begun.startswith(b"HTTP/1.1 200")
    assert (204, 200) == (gone.status, alive.status)
    assert [404] == counted
    assert not rest.endswith(b"0\r\n\r\n")
