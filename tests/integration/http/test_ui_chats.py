"""`POST /ui/chat`: a chat as its client has it, and the thread where it goes on.

One file, though a long one: each way of going on is understood beside the others.
"""

import asyncio
from pathlib import Path
from typing import Any

import attrs

from application.use_cases.delete_thread import DeleteThreadCommand
from domain.chat import AnswerFinished, TextDelta, ToolCallDelta
from domain.errors import ProviderFailure
from domain.ids import Tenant, ThreadId
from domain.message import ImagePart
from lor3.testing import InMemoryStore, ScriptedProvider
from tests.support.http import serving
from tests.support.records import new_chat
from tests.support.resuming import saying, served, until
from tests.support.ui_chats import UIClient, parts_of, text_of, user

LOST = ProviderFailure("connection_lost", "it went away")
REFUSED = ProviderFailure("forbidden", "it is not to be")
CALLS = (
    TextDelta("Let me look."),
    ToolCallDelta(index=0, id="c1", name="weather", arguments='{"city":'),
    ToolCallDelta(index=0, arguments='"Paris"}'),
    AnswerFinished(reason="tool_calls"),
)
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


def asked(provider: ScriptedProvider, call: int = -1) -> list[str]:
    """What the model was given: roles and texts."""
    request = provider.calls[call].request
    return [f"{each.role}: {each.text}" for each in (*request.history, *request.messages)]


def counting(*more: Any) -> ScriptedProvider:
    return ScriptedProvider([*more, *[f"answer {number}" for number in range(1, 20)]])


async def thread_of(chat: UIClient) -> str:
    return str((await chat.stored())["thread_id"])


async def shown(chat: UIClient) -> list[tuple[str, str]]:
    return [(each["role"], text_of(each)) for each in (await chat.stored())["items"]]


async def test_a_chat_goes_on_in_one_thread_with_its_memory() -> None:
    """The client sends all that it has each time; the model gets each turn once."""
    provider = counting()
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        assert [await chat.send(text) for text in ("one", "two", "three")] == [200] * 3
        stored = await chat.stored()

    assert ["user: one", "assistant: answer 1", "user: two", "assistant: answer 2", "user: three"] == asked(
        provider
    )
    assert chat.texts == [text_of(each) for each in stored["items"]]
    assert [each["id"] for each in chat.messages[1::2]] == [each["id"] for each in stored["items"][1::2]]


async def test_any_text_is_an_id() -> None:
    """As long as it has 1 to 128 characters; percent-encoded in a path."""
    async with served({"a": ScriptedProvider()}) as server:
        for name in ("a b/c?d=%2F#&", "\U0001f642" * 128, "ä%41", "x\u0000y", "."):
            chat = UIClient(client=server.client, id=name)
            assert await chat.send(f"in {name[:3]}") == 200
            if name != ".":  # no URL can name it
                assert len((await chat.stored())["items"]) == 2, name
        for name in ("", "x" * 129):
            chat = UIClient(client=server.client, id=name)
            assert await chat.send("hi") == 400
            assert "id" == chat.problem["errors"][0]["path"]


async def test_what_a_new_chat_brings_along_is_stored_and_sent() -> None:
    """Messages of other backends too: what no model is told of is left out."""
    provider = counting()
    async with served({"a": provider}) as server:
        said = {
            "id": "foreign",
            "role": "assistant",
            "metadata": {"x": 1},
            "parts": [
                {"type": "step-start"},
                {"type": "reasoning", "text": "hm"},
                {
                    "type": "tool-look",
                    "toolCallId": "c0",
                    "state": "output-available",
                    "input": {"q": 1},
                    "output": [1],
                },
                {"type": "tool-look", "toolCallId": "c9", "state": "input-available", "input": {}},
                {"type": "step-start"},
                {"type": "text", "text": "Found."},
                {"type": "data-x", "data": {}},
                {"type": "source-url", "sourceId": "s", "url": "https://example.test"},
            ],
        }
        chat = UIClient(client=server.client, messages=[user("zero", "u0"), said])
        assert await chat.send("one") == 200
        assert await chat.send("two") == 200
        stored = await chat.stored()

    told = ["user: zero", "assistant: ", "tool: [1]", "assistant: Found.", "user: one"]
    assert told == asked(provider, 0)
    assert [*told, "assistant: answer 1", "user: two"] == asked(provider)
    assert [part["type"] for part in stored["items"][1]["parts"]] == [
        "step-start", "tool-look", "step-start", "text"
    ]  # fmt: skip
    assert [1] == stored["items"][1]["parts"][1]["output"]


async def test_images_go_to_the_model() -> None:
    """Inline and by address; other files are refused by name."""
    provider = ScriptedProvider(["A picture."])
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        inline = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,aGk="}
        linked = {"type": "file", "mediaType": "image/*", "url": "https://example.test/a.png"}
        body = chat.body("submit-message", None)
        named = {"type": "file", "mediaType": "image/webp", "url": "https://example.test/a.webp"}
        body["messages"] = [{"id": "u", "role": "user", "parts": [inline, linked, named]}]
        async with server.client.post("/ui/chat", json=body) as response:
            assert response.status == 200
        document = {"type": "file", "mediaType": "application/pdf", "url": "data:application/pdf;base64,aGk="}
        body["messages"] = [{"id": "u", "role": "user", "parts": [document, {"type": "tool-x"}]}]
        async with server.client.post("/ui/chat", json=body) as response:
            problem = await response.json()
        stored = await chat.stored()

    images = (
        ImagePart(data="aGk=", media_type="image/png"),
        ImagePart(url="https://example.test/a.png"),
        ImagePart(url="https://example.test/a.webp", media_type="image/webp"),
    )
    assert images == provider.calls[0].request.messages[-1].parts
    assert [inline, linked, named] == stored["items"][0]["parts"]
    assert ["messages[0].parts[0].mediaType", "messages[0].parts[1].type"] == [
        each["path"] for each in problem["errors"]
    ]


async def test_an_earlier_message_in_another_form_begins_a_fork() -> None:
    """The chat's id goes with it; the thread before stays as it was."""
    provider = counting()
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        for text in ("one", "two", "three"):
            await chat.send(text)
        before = await thread_of(chat)
        assert await chat.send("two, better", instead_of="u2") == 200
        told = asked(provider)
        assert await chat.send("four") == 200
        after = await chat.stored()
        assert await chat.send("two, best", instead_of="u2") == 200
        again = asked(provider)
        async with server.client.get(f"/threads/{before}") as response:
            left = (await response.json())["messages"]

    assert ["user: one", "assistant: answer 1", "user: two, better"] == told
    assert ["user: one", "assistant: answer 1", "user: two, best"] == again
    assert before != after["thread_id"]
    assert 6 == left
    assert ["one", "answer 1", "two, better", "answer 4", "four", "answer 5"] == [
        text_of(each) for each in after["items"]
    ]
    assert chat.texts == ["one", "answer 1", "two, best", "answer 6"]


async def test_the_first_message_in_another_form_begins_anew() -> None:
    """In an empty thread of the same session."""
    provider = counting()
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client, lor3={"user": "ada"})
        await chat.send("one")
        before = await thread_of(chat)
        assert await chat.send("ONE", instead_of="u1") == 200
        after = await thread_of(chat)
        sessions = [
            (await (await server.client.get(f"/threads/{each}")).json())["session_id"]
            for each in (before, after)
        ]

    assert ["user: ONE"] == asked(provider)
    assert before != after
    assert 1 == len(set(sessions))


async def test_messages_that_were_read_back_can_be_edited_by_their_ids() -> None:
    """A page that was loaded again knows lor3's ids alone; it may send its last message only."""
    provider = counting()
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        for text in ("one", "two"):
            await chat.send(text)
        chat.messages = (await chat.stored())["items"]
        second = chat.messages[2]["id"]
        edited = user("two, better", second)
        body = {"id": chat.id, "message": edited, "trigger": "submit-message", "messageId": second}
        async with server.client.post("/ui/chat", json=body) as response:
            assert response.status == 200
        body |= {"messageId": "nobody's", "message": user("x", "nobody's")}
        async with server.client.post("/ui/chat", json=body) as response:
            problem = await response.json()
        further = {"id": chat.id, "message": user("three")}
        async with server.client.post("/ui/chat", json=further) as response:
            assert response.status == 200

    assert ["messageId"] == [each["path"] for each in problem["errors"]]
    assert [
        "user: one",
        "assistant: answer 1",
        "user: two, better",
        "assistant: answer 3",
        "user: three",
    ] == asked(provider)


async def test_the_last_answer_is_made_again_in_its_place() -> None:
    """By its id, or none; in the thread where it is."""
    provider = counting()
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        for text in ("one", "two"):
            await chat.send(text)
        before = await thread_of(chat)
        assert await chat.regenerate() == 200
        assert await chat.regenerate(chat.messages[-1]["id"]) == 200
        assert await chat.regenerate("u2") == 200
        stored = await chat.stored()
        async with server.client.post(
            "/ui/chat", json={"id": chat.id, "trigger": "regenerate-message"}
        ) as response:
            assert response.status == 200

    assert ["user: one", "assistant: answer 1", "user: two"] == asked(provider)
    assert chat.texts == ["one", "answer 1", "two", "answer 5"]
    assert chat.texts == [text_of(each) for each in stored["items"]]
    assert before == stored["thread_id"]


async def test_an_earlier_answer_is_made_again_in_a_fork() -> None:
    """What came after it stays behind."""
    provider = counting()
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        for text in ("one", "two", "three"):
            await chat.send(text)
        before = await thread_of(chat)
        assert await chat.regenerate(chat.messages[1]["id"]) == 200
        assert await chat.send("four") == 200
        after = await chat.stored()

    assert ["user: one", "assistant: answer 4", "user: four"] == asked(provider)
    assert before != after["thread_id"]
    assert chat.texts == [text_of(each) for each in after["items"]]


async def test_results_of_tools_go_on_with_the_answer_that_called_them() -> None:
    """In the client's message, under its id; made again, the whole of it is."""
    provider = counting(CALLS)
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client, lor3={"tools": TOOLS})
        assert await chat.send("one") == 200
        called = chat.messages[-1]["id"]
        assert await chat.give_outputs({"temp": 21}) == 200
        whole, stored = chat.messages[-1], await chat.stored()
        told = asked(provider)
        assert await chat.send("two") == 200
        assert await chat.send("TWO", instead_of="u2") == 200
        edited = asked(provider)
        assert await chat.regenerate(called) == 200

    assert ["user: one", "assistant: Let me look.", 'tool: {"temp":21}'] == told
    assert called == whole["id"] == stored["items"][1]["id"]
    assert ["step-start", "text", "tool-weather", "step-start", "text"] == [
        part["type"] for part in whole["parts"]
    ]
    assert [part["type"] for part in whole["parts"]] == [part["type"] for part in stored["items"][1]["parts"]]
    assert [*told, "assistant: answer 1", "user: TWO"] == edited
    assert ["user: one"] == asked(provider)


async def test_an_answer_that_failed_is_asked_for_again() -> None:
    """`regenerate` after an error: the question is in the thread once."""
    provider = ScriptedProvider([REFUSED, "better"])
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        assert await chat.send("one") == 502
        assert await chat.regenerate() == 200
        stored = await shown(chat)

    assert stored == [("user", "one"), ("assistant", "better")]
    assert ["user: one"] == asked(provider)


async def test_failover_after_content_is_a_reset_for_those_who_know_it() -> None:
    """Others are told of an error, and may ask again."""
    for version, ends in (("7", "finish"), ("7.0.69", "error"), ("6", "error"), (None, "error")):
        first = ScriptedProvider([(TextDelta("void"), LOST)])
        second = ScriptedProvider(["whole"])
        async with served({"a": first, "b": second}, fallbacks=("b:y",)) as server:
            chat = UIClient(client=server.client, version=version)
            await chat.send("one")

            assert ("whole" if ends == "finish" else "void") == text_of(chat.messages[-1]), version


async def test_two_first_messages_at_once_share_a_thread() -> None:
    """They take turns in it."""
    provider = counting()
    async with served({"a": provider}) as server:
        chats = [UIClient(client=server.client) for _ in range(4)]
        assert await asyncio.gather(*[chat.send("one") for chat in chats]) == [200] * 4
        stored = await chats[0].stored()

    assert 8 == len(stored["items"])


async def test_the_same_key_is_one_answer_and_one_fork() -> None:
    """Though what it changed would be looked at in another way the second time."""
    provider = counting()
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        for text in ("one", "two"):
            await chat.send(text)
        body = chat.body("submit-message", "u2", messages=[*chat.messages[:2], user("TWO", "u2")])
        replayed = None
        for _ in range(2):
            async with server.client.post(
                "/ui/chat", json=body, headers={"Idempotency-Key": "k"}
            ) as response:
                assert response.status == 200
                replayed = response.headers.get("Idempotency-Replayed")
        stored = await shown(chat)

    assert replayed == "true"
    assert 3 == len(provider.calls)
    assert stored == [("user", "one"), ("assistant", "answer 1"), ("user", "TWO"), ("assistant", "answer 3")]


async def test_edits_at_once_with_one_key_are_one() -> None:
    """All that get an answer get the same, in the same fork."""
    provider = counting()
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        for text in ("one", "two"):
            await chat.send(text)

        async def edit(place: int) -> str | None:
            body = chat.body(
                "submit-message",
                f"u{place + 1}",
                messages=[*chat.messages[: 2 * place], user("AGAIN", f"u{place + 1}")],
            )
            headers = {"Idempotency-Key": f"k{place}"}
            async with server.client.post("/ui/chat", json=body, headers=headers) as response:
                if response.status == 409:  # it is being answered
                    return None
                return str(parts_of(await response.read())[0]["messageId"])

        second = await asyncio.gather(*[edit(1) for _ in range(4)])
        texts = [text for _, text in await shown(chat)]
        first = await asyncio.gather(*[edit(0) for _ in range(4)])
        async with server.client.get("/threads") as response:
            threads = (await response.json())["items"]

    assert [1, 1] == [len({*each} - {None}) for each in (first, second)]
    assert 4 == len(provider.calls)
    assert texts == ["one", "answer 1", "AGAIN", "answer 3"]
    assert 3 == len(threads)


async def test_a_long_chat_goes_on() -> None:
    """The client sends all of it; a new one begins with no more than any request may bring along."""
    async with served({"a": counting()}) as server:
        chat = UIClient(client=server.client)
        await chat.send("one")
        told = [user("x", "u"), {"id": "a", "role": "assistant", "parts": [{"type": "text", "text": "y"}]}]
        chat.messages = [*told * 700, *chat.messages]
        assert 200 == await chat.send("two")
        new = UIClient(client=server.client, id="new", messages=told * 700)
        assert 400 == await new.send("one")

    assert "messages" == new.problem["errors"][0]["path"]


async def test_a_regeneration_with_a_key_is_one() -> None:
    """In flight, the second request reads the first one's stream."""
    provider = saying("Rain.")
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client)
        provider.let()
        await chat.send("one")
        provider.allowed = asyncio.Semaphore(0)
        body = {"id": chat.id, "trigger": "regenerate-message"}

        async def regenerate() -> bytes:
            async with server.client.post(
                "/ui/chat", json=body, headers={"Idempotency-Key": "k"}
            ) as response:
                assert response.status == 200
                return await response.read()

        first = asyncio.ensure_future(regenerate())
        await until(lambda: len(provider.calls) == 2)
        second = asyncio.ensure_future(regenerate())
        await asyncio.sleep(0.02)
        provider.let()
        streams = list(await asyncio.gather(first, second))
        streams.append(await regenerate())

    assert 2 == len(provider.calls)
    assert 1 == len({parts_of(each)[0]["messageId"] for each in streams})


async def test_a_thread_is_a_chat_under_its_own_id() -> None:
    """One that another tenant has is none, and a deleted chat begins anew."""
    provider, store = counting(), InMemoryStore()
    foreign = attrs.evolve(new_chat(tenant=Tenant("other")))
    await store.journal.commit(foreign)
    async with served({"a": provider}, store=store) as server:
        async with server.client.post("/chat", json={"prompt": "zero"}) as response:
            thread_id = (await response.json())["thread_id"]
        chat = UIClient(client=server.client, id=thread_id)
        assert 2 == len((await chat.stored())["items"])
        await chat.send("one")
        assert thread_id == await thread_of(chat)
        told = asked(provider)
        await server.application.delete_thread.execute(DeleteThreadCommand(thread_id=ThreadId(thread_id)))
        assert {"id": thread_id, "thread_id": None, "items": [], "next_cursor": None} == await chat.stored()
        assert await chat.send("two") == 200
        theirs = UIClient(client=server.client, id=foreign.thread.id)
        assert [] == (await theirs.stored())["items"]
        assert None is await theirs.resumed()
        assert 404 == (await theirs.stop())[0]
        assert await theirs.send("mine") == 200
        assert foreign.thread.id != await thread_of(theirs)

    assert ["user: zero", "assistant: answer 1", "user: one"] == told


async def test_options_stand_in_lor3() -> None:
    """As in POST /chat; a typo is a fault, wherever it stands, and all are named at once."""
    provider = ScriptedProvider(["hi"])
    async with served({"a": provider}) as server:
        chat = UIClient(client=server.client, lor3={"max_tokens": 7, "temperature": 0.5})
        assert await chat.send("one") == 200
        chat.lor3 = {"modle": "x", "stream": True, "tools": [{}]}
        assert await chat.send("two") == 400
        wrong = [each["path"] for each in chat.problem["errors"]]
        chat.lor3 = {"model": "nobody:x", "format": "poem"}
        assert await chat.send("two") == 400
        unknown = [each["path"] for each in chat.problem["errors"]]
        body = chat.body("submit-message", None, model="a:x", colour="red")
        async with server.client.post(
            "/ui/chat?version=4", json=body, headers={"x-lor3-ai-sdk": "none"}
        ) as response:
            misplaced = {each["path"]: each["message"] for each in (await response.json())["errors"]}

    request = provider.calls[0].request
    assert (7, 0.5) == (request.max_tokens, request.temperature)
    assert ["lor3.modle", "lor3.stream", "lor3.tools[0].type", "lor3.tools[0].function"] == wrong
    assert ["lor3.format", "lor3.model"] == unknown
    assert {"x-lor3-ai-sdk", "model", "colour"} == set(misplaced)
    assert 'send it as `"lor3": {"model": …}`' in misplaced["model"]


async def test_what_can_not_be_answered_is_said() -> None:
    """And nothing is changed by it."""
    async with served({"a": ScriptedProvider(["hi"])}) as server:
        chat = UIClient(client=server.client)
        answer = {"id": "a", "role": "assistant", "parts": [{"type": "text", "text": "x"}]}
        bodies: list[tuple[dict[str, Any], str]] = [
            ({"messages": []}, "messages"),
            ({}, "messages"),
            ({"messages": [user("a")], "message": user("a")}, "message"),
            ({"messages": [answer]}, "messages[0]"),
            ({"messages": [user("  ")]}, "messages[0].parts"),
            ({"messages": [{"role": "user", "content": "x"}]}, "messages[0].parts"),
            ({"messages": [{"role": "tool", "parts": []}]}, "messages[0].role"),
            ({"messages": [user("a")], "trigger": "resume-stream"}, "trigger"),
            ({"trigger": "regenerate-message"}, "messages"),
        ]
        found = []
        for fields, _ in bodies:
            async with server.client.post("/ui/chat", json={"id": "chat", **fields}) as response:
                assert response.status == 400, fields
                found.append((await response.json())["errors"][0]["path"])
        assert [path for _, path in bodies] == found
        assert None is (await chat.stored())["thread_id"]


async def test_chats_are_read_page_by_page() -> None:
    """Newest first by page, oldest first within; a page begins with a turn."""
    async with served({"a": counting()}) as server:
        chat = UIClient(client=server.client)
        for text in ("one", "two", "three"):
            await chat.send(text)
        texts, cursor = [], ""
        while True:
            async with server.client.get(f"{chat.path}/messages?limit=3{cursor}") as response:
                page = await response.json()
            texts.append([text_of(each) for each in page["items"]])
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"

    assert texts == [["three", "answer 3"], ["two", "answer 2"], ["one", "answer 1"]]


async def test_chats_go_on_in_every_database(database_url: str, tmp_path: Path) -> None:
    """Two at once share a thread, an edit forks it, a key that came before changes nothing."""
    async with serving(tmp_path, database_url=database_url) as server:
        chat = UIClient(client=server.client, id="\U0001f642/'\"")
        other = UIClient(client=server.client, id=chat.id)
        assert {200} == set(await asyncio.gather(chat.send("one"), other.send("uno")))
        assert 4 == len((await chat.stored())["items"])
        chat.messages = (await chat.stored())["items"]
        second = chat.messages[2]["id"]
        before = await thread_of(chat)
        edited = [*chat.messages[:2], user("two", second)]
        body = chat.body("submit-message", second, messages=edited)
        parts: list[dict[str, Any]] = []
        for _ in range(2):
            headers = {"Idempotency-Key": "k"}
            async with server.client.post("/ui/chat", json=body, headers=headers) as response:
                parts = parts_of(await response.read())
        after = await chat.stored()

    assert before != after["thread_id"]
    assert 4 == len(after["items"])
    assert "two" == text_of(after["items"][2])
    assert parts[0]["messageId"] == after["items"][3]["id"]
