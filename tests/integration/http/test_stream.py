"""Server-sent events of `POST /chat`."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from application.services import answer_log
from domain.answer import ChatDone, Delta, Reset, ToolCalled, ToolCallGrew
from domain.errors import ChatFailed
from domain.message import ToolCall
from domain.model import ModelRef
from entrypoints.http import event_stream, paced_writing
from entrypoints.http.problems import shutting_down
from tests.support.http import MODEL, ScriptedSendChat, an_answer, events_of, serving, started


async def test_events_come_in_order_with_increasing_ids_and_end_with_the_answer(tmp_path: Path) -> None:
    """start, deltas, done; the text of the deltas is the output."""
    async with serving(tmp_path) as server:
        async with server.client.post("/chat", json={"prompt": "hi", "stream": True}) as response:
            events = events_of(await response.read())

    assert response.content_type == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache, no-store"
    numbers = [number for number, _, _ in events]
    assert sorted(set(numbers)) == numbers
    assert numbers[-1] == len(events[-1][2]["output"]) + 2
    assert list(dict.fromkeys(name for _, name, _ in events)) == ["start", "delta", "done"]
    assert events[-1][2]["output"] == "".join(data["text"] for _, name, data in events if name == "delta")
    assert events[0][2]["message_id"] == events[-1][2]["message_id"]


async def test_the_accept_header_asks_for_events_too(tmp_path: Path) -> None:
    """As an EventSource would."""
    async with serving(tmp_path) as server:
        headers = {"Accept": "text/event-stream"}
        async with server.client.post("/chat", json={"prompt": "hi"}, headers=headers) as response:
            assert response.content_type == "text/event-stream"


async def test_every_event_is_rendered(tmp_path: Path) -> None:
    """tool calls while they grow and complete, and a reset."""
    call = ToolCall(id="c1", name="f", arguments="{}")
    chat = ScriptedSendChat(
        script=[
            started(),
            ToolCallGrew(index=0, id="c1", name="f", arguments="{"),
            Reset(reason="server_error", from_model=MODEL, to_model=ModelRef("a", "b")),
            ToolCalled(call),
            ChatDone(an_answer()),
        ]
    )
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "hi", "stream": True}) as response:
            events = events_of(await response.read())

    assert [name for _, name, _ in events] == ["start", "tool_call_delta", "reset", "tool_call", "done"]
    assert events[1][2] == {"index": 0, "id": "c1", "name": "f", "arguments": "{"}
    assert events[2][2] == {"reason": "server_error", "from": "demo:scripted", "to": "a:b"}
    assert events[3][2]["function"] == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    "text", ["a\rb", "x\n\nevent: done\ndata: {}\n\n", "\r\n\r\nid: 9", "\u2028\u0085\x00", ": x"]
)
async def test_output_can_not_make_events(text: str, tmp_path: Path) -> None:
    """Three events stay three, and the text arrives as it was (security 19)."""
    chat = ScriptedSendChat(script=[started(), Delta(text), ChatDone(an_answer(output=text))])
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "hi", "stream": True}) as response:
            events = events_of(await response.read())

    assert [name for _, name, _ in events] == ["start", "delta", "done"]
    assert text == events[1][2]["text"] == events[2][2]["output"]


async def test_a_failure_after_content_is_an_error_event_and_the_last(tmp_path: Path) -> None:
    """Never `done`; the same object as a plain problem."""
    chat = ScriptedSendChat(
        script=[started(), Delta("a"), ChatFailed("upstream_error", "cut", retryable=True)]
    )
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "hi", "stream": True}) as response:
            events = events_of(await response.read())

    assert response.status == 200
    assert [name for _, name, _ in events] == ["start", "delta", "error"]
    assert (events[-1][2]["code"], events[-1][2]["status"]) == ("upstream_error", 502)
    assert response.headers["X-Request-ID"] == events[-1][2]["request_id"]


async def test_an_unexpected_fault_after_content_shows_nothing(tmp_path: Path) -> None:
    """`internal_error` without the exception's words."""
    chat = ScriptedSendChat(script=[started(), RuntimeError("CANARY")])
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "hi", "stream": True}) as response:
            raw = await response.read()

    assert b"CANARY" not in raw
    assert events_of(raw)[-1][2]["code"] == "internal_error"


async def test_a_slow_start_gets_its_200_and_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the hold the 200 goes out with a comment; a later failure is then an event."""
    monkeypatch.setattr(event_stream, "HOLD_S", 0.05)
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_S", 0.05)
    chat = ScriptedSendChat(script=[0.3, ChatFailed("upstream_timeout", "late", retryable=True)])
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "hi", "stream": True}) as response:
            raw = await response.read()

    assert response.status == 200
    assert raw.count(b": keep-alive\n\n") >= 2
    assert [name for _, name, _ in events_of(raw)] == ["error"]


async def test_events_that_are_there_together_are_written_together(tmp_path: Path) -> None:
    """One chunk for a burst: each write costs a system call."""
    chat = ScriptedSendChat(script=[started(), *[Delta("x")] * 100, ChatDone(an_answer())])
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "hi", "stream": True}) as response:
            chunks = [chunk async for chunk, _ in response.content.iter_chunks()]

    assert len(chunks) <= 3
    assert len(events_of(b"".join(chunks))) == 102


async def test_a_reader_who_stops_reading_holds_up_the_chat_and_not_the_memory(tmp_path: Path) -> None:
    """The chat waits for room; when the reader leaves, it goes on to its end."""
    chat = ScriptedSendChat(script=[started(), *[Delta("x" * 10_000)] * 3000, ChatDone(an_answer())])
    async with serving(tmp_path, send_chat=chat) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(_request(b'{"prompt":"x","stream":true}'))
        await asyncio.sleep(0.5)
        held = list(chat.ended)
        writer.transport.abort()

    assert held == []
    assert chat.ended == ["done"]


def _request(body: bytes) -> bytes:
    return (
        b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
    )


async def test_a_reader_who_takes_nothing_is_not_waited_for_and_then_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer ends without it, so that its thread is free; the connection is cut in the middle, not ended."""
    monkeypatch.setattr(answer_log, "STALL_S", 0.2)
    monkeypatch.setattr(paced_writing, "WRITE_S", 0.5)
    chat = ScriptedSendChat(script=[started(), *[Delta("x" * 10_000)] * 3000, ChatDone(an_answer())])
    async with serving(tmp_path, send_chat=chat) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(_request(b'{"prompt":"x","stream":true}'))
        async with asyncio.timeout(10):
            while not chat.ended:  # noqa: ASYNC110 - what is asked for is an end
                await asyncio.sleep(0.02)
        ended = list(chat.ended)
        await asyncio.sleep(0.7)
        raw = b""
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(1 << 20):
                raw += piece
        writer.close()

    assert ended == ["done"]
    assert b"event: done" not in raw


async def test_a_slow_reader_of_a_long_answer_gets_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is for a reader who takes nothing, however long the last event is."""
    monkeypatch.setattr(paced_writing, "WRITE_S", 1.0)
    text = "x" * 24_000_000
    chat = ScriptedSendChat(script=[started(), ChatDone(an_answer(output=text))])
    async with serving(tmp_path, send_chat=chat) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(
            _request(b'{"prompt":"x","stream":true}').replace(b"Host: x", b"Host: x\r\nConnection: close")
        )
        taken = 0
        while piece := await reader.read(400_000):
            taken += len(piece)
            await asyncio.sleep(0.05)
        writer.close()

    assert taken > len(text)


async def test_what_outlives_the_drain_gets_shutting_down(tmp_path: Path) -> None:
    """A live stream ends with an error event, not with a cut."""
    chat = ScriptedSendChat(script=[started(), 60.0, ChatDone(an_answer())])
    async with serving(tmp_path, send_chat=chat) as server:
        async with server.client.post("/chat", json={"prompt": "hi", "stream": True}) as response:
            await response.content.readany()
            await server.application.live_answers.drain(within_s=0, because=shutting_down())
            raw = await response.read()

    assert [name for _, name, _ in events_of(raw)] == ["error"]
    assert events_of(raw)[0][2]["code"] == "shutting_down"
