"""What `POST /ui/chat` refuses leaves the chat, and the answer that is being made in it, as they were."""

import asyncio
import copy
from typing import Any

import attrs

from domain.chat import AnswerFinished, ToolCallDelta
from domain.ids import DEFAULT_TENANT
from lor3.testing import ScriptedProvider
from tests.support.resuming import Served, saying, served, until
from tests.support.ui_chats import UIClient, text_of

BAD: dict[str, dict[str, Any]] = {
    "model": {"model": "nope"},
    "provider": {"model": "x:y"},
    "prompt": {"system_prompt": "nonesuch"},
    "format": {"format": "xml"},
    "fallback": {"fallbacks": ["nope"]},
    "schema": {"format": "json", "schema": {"type": "zzz"}},
    "no such session": {"session_id": "01a207c9-4d4c-74fe-9572-2145cd467bff"},
    "foreign user": {"user": "bob"},
}
"""Faults that show only when the request is put together."""
TURNS = ["one", "answer 1", "two", "answer 2", "three", "answer 3"]


async def begun(server: Served, name: str = "chat") -> UIClient:
    chat = UIClient(client=server.client, id=name, lor3={"user": "alice"})
    for text in ("one", "two", "three"):
        assert await chat.send(text) == 200
    return chat


async def state(chat: UIClient) -> tuple[str, list[str]]:
    stored = await chat.stored()
    return stored["thread_id"], [text_of(each) for each in stored["items"]]


async def test_whoever_goes_back_in_vain_keeps_the_chat() -> None:
    """An edit of the first or a later turn, another answer in place of any."""
    async with served({"a": ScriptedProvider([f"answer {n}" for n in range(1, 4)])}) as server:
        chat = await begun(server)
        before, kept = await state(chat), list(chat.messages)
        statuses = {}
        for name, each in BAD.items():
            chat.lor3 = each
            for at in (0, 2, 4):
                chat.messages = list(kept)
                statuses[name, "edit", at] = await chat.send("edited", instead_of=kept[at]["id"])
                chat.messages = list(kept)
                statuses[name, "again", at] = await chat.regenerate(kept[at + 1]["id"])
            assert before == await state(chat), name
        threads = (await (await server.client.get("/threads")).json())["items"]

    assert TURNS == before[1]
    assert {400, 404} >= set(statuses.values()), statuses
    assert 1 == len(threads)


async def test_a_first_message_that_is_refused_begins_nothing() -> None:
    """Not even an empty thread; the next one of anybody begins the chat."""
    async with served({"a": ScriptedProvider(["hi"])}) as server:
        chat = UIClient(client=server.client)
        for name, each in BAD.items():
            if name == "foreign user":
                continue
            chat.messages, chat.lor3 = [], {"user": "alice"} | each
            assert await chat.send("one") in (400, 404), name
            assert (await chat.stored())["thread_id"] is None, name
        threads = (await (await server.client.get("/threads")).json())["items"]
        chat.messages, chat.lor3 = [], {"user": "bob"}
        assert await chat.send("one") == 200

    assert [] == threads


async def test_only_a_chats_user_gets_another_answer() -> None:
    """As with a turn; where no user is named, as elsewhere, none is asked for."""
    async with served({"a": ScriptedProvider([f"answer {n}" for n in range(1, 9)])}) as server:
        chat = await begun(server)
        kept = list(chat.messages)
        chat.lor3 = {"user": "bob"}
        assert await chat.regenerate() == 400
        assert ["lor3.user"] == [each["path"] for each in chat.problem["errors"]]
        assert "under another `id`" in chat.problem["errors"][0]["message"]
        chat.messages, chat.lor3 = list(kept), {"user": "alice"}
        assert await chat.regenerate() == 200
        chat.lor3 = {}
        assert await chat.regenerate() == 200
        assert "answer 5" == (await state(chat))[1][-1]


async def test_what_is_refused_does_not_stop_the_live_answer() -> None:
    """Bad options, a foreign user, a message that can't be read, an id that nobody knows."""
    provider = saying("Rain ", "falls.")
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client, lor3={"user": "alice"})
        provider.let()
        assert await chat.send("one") == 200
        provider.allowed = asyncio.Semaphore(0)
        sending = asyncio.ensure_future(chat.send("two"))
        await until(lambda: len(provider.calls) == 2)
        provider.let(1)
        live = server.application.live_answers.named(DEFAULT_TENANT, "chat:chat")
        await until(lambda: live is not None and live.address is not None)
        other = UIClient(client=server.client)
        pdf = {"type": "file", "mediaType": "application/pdf", "url": "data:"}
        asked = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "one"}]}
        for body in (
            {"lor3": {"model": "nope"}, "messages": [asked], "messageId": "u1"},
            {"lor3": {"user": "bob"}, "trigger": "regenerate-message", "messages": [asked]},
            {"lor3": {"user": "bob"}, "trigger": "regenerate-message"},
            {"messages": [asked | {"parts": [pdf]}], "messageId": "u1"},
            {"message": asked, "messageId": "nobodys"},
        ):
            async with server.client.post("/ui/chat", json={"id": other.id, **body}) as response:
                assert response.status == 400, (body, await response.read())
        provider.let()
        assert await sending == 200
        stored = (await chat.stored())["items"]

    assert ["one", "Rain falls.", "two", "Rain falls."] == [text_of(each) for each in stored]
    assert "complete" == stored[-1]["metadata"]["lor3"]["status"]


async def test_going_back_with_a_key_stops_the_live_answer_once() -> None:
    """What there is of it is replaced; the same request again reads the stream of the first, and stops nothing."""
    provider = saying("Rain ", "falls.")
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        provider.let(1)
        async with chat.streaming("one") as response:
            await response.content.readuntil(b"Rain")
            body = chat.body("regenerate-message", None)

            async def again() -> bytes:
                async with server.client.post(
                    "/ui/chat", json=body, headers={"Idempotency-Key": "k"}
                ) as each:
                    assert each.status == 200, await each.read()
                    return await each.read()

            first = asyncio.ensure_future(again())
            await until(lambda: len(provider.calls) == 2)
            second = asyncio.ensure_future(again())
            await asyncio.sleep(0.02)
            provider.let()
            told = await asyncio.gather(first, second)
        stored = (await chat.stored())["items"]

    assert ["cut", "whole"] == provider.ended
    assert all(b"falls." in each for each in told)
    assert ["one", "Rain falls."] == [text_of(each) for each in stored]


async def test_any_value_of_a_state_is_read() -> None:
    """One that is no word is none that lor3 knows."""
    async with served({"a": ScriptedProvider(["hi", "ho"])}) as server:
        chat = UIClient(client=server.client)
        assert await chat.send("one") == 200
        values: tuple[Any, ...] = ([], {}, 7, None)
        for state_of_call in values:
            part = {"type": "tool-get", "toolCallId": "c1", "state": state_of_call}
            for messages in (
                [{"id": "x", "role": "assistant", "parts": [part]}],
                [*chat.messages[:1], {"id": "x", "role": "assistant", "parts": [part]}],
            ):
                async with server.client.post(
                    "/ui/chat", json={"id": "chat", "messages": messages}
                ) as response:
                    assert response.status == 400, await response.read()
        part = {"type": "tool-get", "toolCallId": "c1", "state": []}
        messages = [*chat.messages[:1], {"id": "x", "role": "assistant", "parts": [part]}, chat.messages[0]]
        async with server.client.post("/ui/chat", json={"id": "new", "messages": messages}) as response:
            assert response.status == 200, await response.read()


async def test_an_instruction_alone_is_nothing_to_answer() -> None:
    """In a new chat and in one that there is; before a question it is sent on."""
    provider = ScriptedProvider(["hi", "ho"])
    async with served({"a": provider}) as server:
        told = {"id": "s", "role": "system", "parts": [{"type": "text", "text": "Be brief."}]}
        asked = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "one"}]}
        found = []
        for messages in ([told], [told, asked], [told, asked, told], [told, asked]):
            body = {"id": "chat", "messages": messages}
            async with server.client.post("/ui/chat", json=body) as response:
                found.append(response.status)
                paths = (
                    [each["path"] for each in (await response.json()).get("errors", [])]
                    if found[-1] == 400
                    else []
                )
            assert paths in ([], [f"messages[{len(messages) - 1}]"])

    assert [400, 200, 400, 200] == found


async def test_outputs_that_nobody_waits_for_are_refused_in_the_bodys_words() -> None:
    """Sent twice, or after the chat went on; nothing is asked or stored."""
    calls = (
        ToolCallDelta(index=0, id="c1", name="weather", arguments="{}"),
        AnswerFinished(reason="tool_calls"),
    )
    async with served({"a": ScriptedProvider([calls, "Sun.", "Moon."])}) as server:
        tools = [{"type": "function", "function": {"name": "weather"}}]
        chat = UIClient(client=server.client, lor3={"tools": tools})
        await chat.send("Look.")
        called = copy.deepcopy(chat.messages)
        assert await chat.give_outputs("ok") == 200
        before = await state(chat)
        problems = []
        for text in (None, "And?"):
            if text:
                await chat.send(text)
                before = await state(chat)
            late = attrs.evolve(chat, messages=copy.deepcopy(called))
            assert await late.give_outputs("late") == 400
            problems += late.problem["errors"]
        assert before == await state(chat)

    assert ["messages[1]"] * 2 == [each["path"] for each in problems]
    assert all("answered already" in each["message"] for each in problems)
