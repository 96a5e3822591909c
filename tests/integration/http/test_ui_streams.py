"""The stream of a client's chat: resumed, stopped, and read again after a reload."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from application.ports.thread_gate import ThreadGate
from domain.chat import AnswerFinished, TextDelta, ToolCallDelta
from domain.ids import DEFAULT_TENANT, ThreadId
from entrypoints.http import event_stream
from lor3.testing import InMemoryStore, ScriptedProvider
from tests.support.resuming import Paced, saying, served, until
from tests.support.shared_events import EventHub
from tests.support.ui_chats import UIClient, message_of, parts_of, text_of, user

WORDS = ("Rain ", "falls\n\ndata: [DONE]\n\n", "on hills.")
ALL = "".join(WORDS)


@asynccontextmanager
async def under_way(chat: UIClient, provider: Paced, *, said: int = 1) -> AsyncIterator[None]:
    """The answer to a message, of which that many words are said; its own reader has left."""
    provider.let(said)
    async with chat.streaming("Say it."):
        pass
    yield
    provider.let()
    await until(lambda: provider.ended)


async def test_an_answer_is_resumed_from_its_beginning() -> None:
    """By as many readers as there are; nothing that a model says can end the stream. Once it is stored, 204."""
    provider = saying(*WORDS)
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        async with under_way(chat, provider):
            readers = [asyncio.ensure_future(chat.resumed()) for _ in range(3)]
            live = server.application.live_answers.named(DEFAULT_TENANT, "chat:chat")
            assert live is not None
            log = live.log
            await until(lambda: log.readers == 3)
            provider.let()
            found = await asyncio.gather(*readers)
        assert None is await chat.resumed()
        items = (await chat.stored())["items"]

    for parts in found:
        assert parts is not None
        assert ALL == text_of(message_of(parts))
        assert parts[0]["messageId"] == items[1]["id"]
        assert ["start", "start-step", "text-start"] == [each["type"] for each in parts[:3]]
    assert ALL == text_of(items[1])


async def test_a_stopped_answer_keeps_its_text() -> None:
    """Its reader is told `abort`; the chat goes on from there."""
    provider = saying(*WORDS)
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        assert 404 == (await chat.stop())[0]
        provider.let(2)
        async with chat.streaming("Say it.") as response:
            await until(lambda: provider.allowed.locked())
            status, stopped = await chat.stop()
            parts = parts_of(await response.read())
        again = await chat.stop()
        provider.let()
        assert 200 == await chat.send("Go on.")
        items = (await chat.stored())["items"]

    assert (200, {"message_id": items[1]["id"], "status": "incomplete", "stopped": True}) == (status, stopped)
    assert (200, {**stopped, "stopped": False}) == again
    assert ["finish-step", "message-metadata", "abort"] == [each["type"] for each in parts[-3:]]
    assert "stopped" == parts[-2]["messageMetadata"]["lor3"]["finish_reason"]
    assert "".join(WORDS[:2]) == text_of(items[1])


async def test_a_page_that_is_loaded_again_has_the_question_of_the_live_answer() -> None:
    """Stored or not: the message list ends where the resumed stream goes on."""
    provider = saying(*WORDS)
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        async with under_way(chat, provider):
            first = (await chat.stored())["items"]
        provider.allowed = asyncio.Semaphore(0)
        provider.let(1)
        async with chat.streaming("Again."):
            second = (await chat.stored())["items"]
        provider.let()
        await until(lambda: len(provider.ended) == 2)
        provider.allowed = asyncio.Semaphore(0)
        regenerating = asyncio.ensure_future(chat.regenerate("u2"))
        await until(lambda: len(provider.calls) == 3)
        third = (await chat.stored())["items"]
        provider.let()
        await regenerating
        last = (await chat.stored())["items"]

    assert ["Say it."] == [text_of(each) for each in first]
    assert (
        ["Say it.", ALL, "Again."] == [text_of(each) for each in second] == [text_of(each) for each in third]
    )
    assert ["Say it.", ALL, "Again.", ALL] == [text_of(each) for each in last]


@attrs.frozen
class Replicas:
    """Two, with one store and one log; the first one makes the answers."""

    chat: UIClient
    other: UIClient
    provider: Paced
    gate: ThreadGate
    """Of the second one."""

    async def shown(self) -> list[str]:
        """On both, which say the same."""
        here, there = [(await each.stored())["items"] for each in (self.chat, self.other)]
        assert [text_of(each) for each in here] == [text_of(each) for each in there]
        assert [each["role"] for each in here] == [each["role"] for each in there]
        return [text_of(each) for each in there]

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """What the second replica is asked waits for its turn."""
        thread_id = (await self.chat.stored())["thread_id"]
        async with self.gate.hold(DEFAULT_TENANT, ThreadId(thread_id)):
            yield

    @asynccontextmanager
    async def making(self, asking: Coroutine[Any, Any, int]) -> AsyncIterator[None]:
        """While the answer to it is made: one word of it is said."""
        self.provider.allowed = asyncio.Semaphore(0)
        calls = len(self.provider.calls)
        task = asyncio.ensure_future(asking)
        await until(lambda: len(self.provider.calls) > calls)
        self.provider.let(1)
        yield
        self.provider.let()
        assert 200 == await task


@asynccontextmanager
async def replicas(version: str = "7") -> AsyncIterator[Replicas]:
    provider, hub, store = saying(*WORDS), EventHub(), InMemoryStore()
    async with (
        served({"a": provider}, store=store, hub=hub) as here,
        served({"a": provider}, store=store, hub=hub) as there,
    ):
        chat = UIClient(client=here.client, version=version)
        other = attrs.evolve(chat, client=there.client)
        yield Replicas(chat, other, provider, there.application.send_chat._admission.gate)


async def test_another_replica_shows_what_the_live_answer_is_made_for() -> None:
    """The first turn, a later one, one in another's place, and an answer in place of another."""
    async with replicas() as both:
        chat, found = both.chat, []
        for asking in (
            chat.send("one"),
            chat.send("two"),
            chat.regenerate("u2"),
            chat.send("TWO", instead_of="u2"),
            chat.send("ONE", instead_of="u1"),
        ):
            async with both.making(asking):
                found.append(await both.shown())
        last = await both.shown()

    assert found == [["one"], ["one", ALL, "two"], ["one", ALL, "two"], ["one", ALL, "TWO"], ["ONE"]]
    assert ["ONE", ALL] == last


async def test_a_chat_that_is_begun_with_a_history_is_shown_with_it() -> None:
    """On every replica, from its first answer on."""
    async with replicas() as both:
        answer = {"id": "a1", "role": "assistant", "parts": [{"type": "text", "text": "yes"}]}
        both.chat.messages = [user("zero"), answer]
        async with both.making(both.chat.send("one")):
            found = await both.shown()

    assert ["zero", "yes", "one"] == found


@pytest.mark.parametrize("where", [0, 1])
async def test_stop_ends_the_answer_that_is_made_before_one_that_waits(where: int) -> None:
    """Whichever replica is asked, that where the other one waits too; so do a reload and a resumption."""
    async with replicas() as both:
        async with both.making(both.chat.send("one")):
            async with both.held():
                second = asyncio.ensure_future(both.other.send("two"))
                await asyncio.sleep(0.05)
                asked = both.chat, both.other
                resumed = asyncio.ensure_future(asked[where].resumed())
                waiting = await both.shown()
                status, stopped = await asked[where].stop()
                parts = await resumed
            both.provider.let()
        assert 200 == await second
        last = await both.shown()

    assert parts is not None
    assert WORDS[0] == text_of(message_of(parts))
    assert (200, "incomplete", True) == (status, stopped["status"], stopped["stopped"])
    assert ["one"] == waiting
    assert ["one", WORDS[0], "two", ALL] == last


async def test_stop_in_one_process_ends_the_answer_that_is_made_before_one_that_waits() -> None:
    """And then that one."""
    provider = saying(*WORDS)
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        async with under_way(chat, provider):
            second = asyncio.ensure_future(chat.send("two"))
            await asyncio.sleep(0.05)
            first = await chat.stop()
            provider.let(1)
            await until(lambda: len(provider.calls) == 2 and provider.allowed.locked())
            then = await chat.stop()
            assert 200 == await second
        items = (await chat.stored())["items"]

    assert [True, True] == [first[1]["stopped"], then[1]["stopped"]]
    assert ["Say it.", WORDS[0], "two", WORDS[0]] == [text_of(each) for each in items]


async def test_whoever_goes_back_stops_the_answer_that_is_being_made() -> None:
    """It is asked for anew in its place, and the question is in the thread once."""
    provider = saying(*WORDS)
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        async with under_way(chat, provider):
            again = asyncio.ensure_future(chat.regenerate())
            await until(lambda: len(provider.calls) == 2)
            provider.let()
            assert 200 == await again
        items = (await chat.stored())["items"]

    assert provider.ended == ["cut", "whole"]
    assert ["Say it.", ALL] == [text_of(each) for each in items]


async def test_a_second_message_waits_for_its_turn() -> None:
    """As in any thread: it sees the answer before it."""
    provider = saying(*WORDS)
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        async with under_way(chat, provider):
            second = asyncio.ensure_future(chat.send("And then?"))
            await asyncio.sleep(0.05)
            assert 1 == len(provider.calls)
            provider.let()
            assert 200 == await second

    assert ["Say it.", ALL] == [each.text for each in provider.calls[1].request.history]


async def test_the_answer_to_a_tool_is_resumed_in_the_message_that_called_it() -> None:
    """Its client begins it anew when it resumes, so it is told of the call and its result, and asked to run nothing."""
    calls = (
        ToolCallDelta(index=0, id="c1", name="weather", arguments="{}"),
        AnswerFinished(reason="tool_calls"),
    )
    first = ScriptedProvider([calls])
    second = Paced(lines=(TextDelta("Sun."), AnswerFinished(reason="stop")))
    async with served({"a": first, "b": second}) as server:
        tools = [{"type": "function", "function": {"name": "weather"}}]
        chat = UIClient(client=server.client, version="6", lor3={"tools": tools})
        await chat.send("Look.")
        called = chat.messages[-1]["id"]
        chat.lor3 |= {"model": "b:y"}
        giving = asyncio.ensure_future(chat.give_outputs("ok"))
        await until(lambda: second.calls)
        items = (await chat.stored())["items"]
        found = []
        for version in ("5", "6", "7"):
            chat.version = version
            found.append(asyncio.ensure_future(chat.resumed()))
            await asyncio.sleep(0.02)
        second.let()
        parts = await asyncio.gather(*found)
        assert 200 == await giving

    assert ("output-available", "ok") == (items[1]["parts"][1]["state"], items[1]["parts"][1]["output"])
    assert called == items[1]["id"]
    for told in parts:
        assert told is not None
        assert called == told[0]["messageId"]
        kinds = [each["type"] for each in told]
        assert [
            "start",
            "start-step",
            "tool-input-start",
            "tool-input-delta",
            "tool-output-available",
        ] == kinds[:5]
        assert ["finish-step", "start-step", "text-start", "text-delta"] == kinds[5:9]
        assert "ok" == told[4]["output"]


async def test_another_replica_resumes_and_stops_by_the_chats_id() -> None:
    """And says 204 once the answer is stored, though the log still has it."""
    provider, hub, store = saying(*WORDS), EventHub(), InMemoryStore()
    async with (
        served({"a": provider}, store=store, hub=hub) as here,
        served({"a": ScriptedProvider()}, store=store, hub=hub) as there,
    ):
        chat = UIClient(client=here.client)
        other = attrs.evolve(chat, client=there.client)
        provider.let(2)
        async with chat.streaming("Say it.") as response:
            await until(lambda: provider.allowed.locked())
            resumed = asyncio.ensure_future(other.resumed())
            await until(lambda: any(each.readers for each in hub.told.values()))
            status, stopped = await other.stop()
            here_parts = parts_of(await response.read())
            there_parts = await resumed
        assert None is await other.resumed()
        items = (await other.stored())["items"]

    assert (200, True) == (status, stopped["stopped"])
    assert there_parts is not None
    assert here_parts == there_parts
    assert ["Say it.", "".join(WORDS[:2])] == [text_of(each) for each in items]


async def test_a_stream_that_waits_is_kept_open_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the client's parser passes over."""
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_S", 0.02)
    provider = saying(*WORDS)
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        provider.let(1)
        async with chat.streaming("Say it.") as response:
            raw = await response.content.readuntil(b": keep-alive\n\n")
            provider.let()
            raw += await response.read()

    assert ALL == text_of(message_of(parts_of(raw)))
    assert "v1" == response.headers["x-vercel-ai-ui-message-stream"]
    assert "text/event-stream" == response.headers["Content-Type"]


async def test_a_stop_waits_for_the_request_that_has_just_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may overtake it while that is judged; then the answer ends all the same."""
    provider = saying(*WORDS)
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        continuing = server.application.continue_chat
        come, go_on = asyncio.Event(), asyncio.Event()
        begin = type(continuing).execute

        async def slowly(self: Any, *given: Any, **named: Any) -> Any:
            come.set()
            await go_on.wait()
            return await begin(self, *given, **named)

        monkeypatch.setattr(type(continuing), "execute", slowly)
        sending = asyncio.ensure_future(chat.send("Say it."))
        await come.wait()
        stopping = asyncio.ensure_future(chat.stop())
        await asyncio.sleep(0.02)
        go_on.set()
        status, stopped = await stopping
        sent = await sending

    assert (200, "cancelled") == (status, stopped["status"])
    assert (sent, chat.problem["code"]) == (409, "answer_stopped") or sent == 200


async def test_an_answer_of_another_surface_is_that_of_the_threads_chat() -> None:
    """By the thread's id, in whatever case it is written."""
    provider = saying(*WORDS)
    async with served({"a": provider}) as server:
        provider.let()
        async with server.client.post("/chat", json={"prompt": "one"}) as response:
            thread_id = (await response.json())["thread_id"]
        provider.allowed = asyncio.Semaphore(0)
        asked = {"prompt": "two", "thread_id": thread_id, "stream": True}
        provider.let(1)
        async with server.client.post("/chat", json=asked) as response:
            chat = UIClient(client=server.client, id=thread_id)
            resumed = asyncio.ensure_future(chat.resumed())
            await asyncio.sleep(0.02)
            status, stopped = await attrs.evolve(chat, id=thread_id.upper()).stop()
            parts = await resumed
            await response.read()

    assert (200, True) == (status, stopped["stopped"])
    assert parts is not None
    assert WORDS[0] == text_of(message_of(parts))
