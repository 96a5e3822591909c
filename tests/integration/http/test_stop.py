"""`POST /chat/{message_id}/stop`: an answer ends where its caller wants, and what there is of it is kept."""

import asyncio
from typing import Any

import pytest

from application.ports.chat_provider import ChatProvider
from application.use_cases import stop_answer
from domain.chat import AnswerFinished, TextDelta
from domain.chat_defaults import ChatDefaults
from lor3.testing import InMemoryStore, ScriptedProvider, fake_settings
from tests.support.resuming import Paced, Served, Told, names_of, reading, saying, served, text_of, until
from tests.support.shared_events import EventHub


async def stored(server: Served, message_id: str) -> dict[str, Any]:
    async with server.client.get(f"/messages/{message_id}") as response:
        found: dict[str, Any] = await response.json()
        return found


async def test_an_answer_is_stopped_and_what_was_said_is_kept() -> None:
    """Its readers get `done`, the provider's call is ended, and the text so far is stored as `incomplete`."""
    provider = saying("One ", "two ", "three")
    provider.let(2)
    async with served({"a": provider}) as server, reading(server) as first:
        await first.until_text("One two ")
        status, stopped = await server.stop(first.message_id)
        whole = await first.rest()
        again = await server.stop(first.message_id)
        message = await stored(server, first.message_id)

    assert (200, {"message_id": first.message_id, "status": "incomplete", "stopped": True}) == (
        status,
        stopped,
    )
    assert (200, {**stopped, "stopped": False}) == again
    assert names_of(whole) == ["start", "delta", "done"]
    assert (whole[-1][2]["finish_reason"], whole[-1][2]["output"]) == ("stopped", "One two ")
    assert (message["status"], message["content"]) == ("incomplete", "One two ")
    assert provider.ended == ["cut"]


async def test_stopping_what_is_complete_changes_nothing() -> None:
    """It is no error: a click may come late."""
    async with served({"a": ScriptedProvider(["Hi."])}) as server, reading(server) as first:
        await first.rest()
        status, stopped = await server.stop(first.message_id)
        message = await stored(server, first.message_id)

    assert (200, "complete", False) == (status, stopped["status"], stopped["stopped"])
    assert message["status"] == "complete"


async def test_an_answer_is_stopped_before_its_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id is in the stream's head; nothing was said, so it is `cancelled`."""
    monkeypatch.setattr("entrypoints.http.event_stream.HOLD_S", 0.05)
    provider = saying("One")
    async with served({"a": provider}) as server, reading(server) as first:
        _, stopped = await server.stop(first.message_id)
        whole = await first.rest()

    assert (stopped["status"], stopped["stopped"]) == ("cancelled", True)
    assert [name for _, name, _ in whole] == ["start", "done"]
    assert (whole[-1][2]["finish_reason"], whole[-1][2]["output"]) == ("stopped", "")


async def test_an_answer_without_readers_is_stopped_too() -> None:
    """Their connection may be gone while they want it to end."""
    provider = saying("One ", "two")
    provider.let(1)
    async with served({"a": provider}) as server:
        async with reading(server) as first:
            await first.until_text("One ")
        _, stopped = await server.stop(first.message_id)
        _, told = await server.resumed(first.message_id)

    assert (stopped["status"], stopped["stopped"]) == ("incomplete", True)
    assert isinstance(told, list)
    assert text_of(told) == "One "


async def test_another_replica_stops_it() -> None:
    """Within the second, for the readers of both."""
    provider, store, hub = saying("One ", "two"), InMemoryStore(), EventHub()
    provider.let(1)
    async with (
        served({"a": provider}, store=store, hub=hub) as here,
        served({"a": ScriptedProvider()}, store=store, hub=hub) as there,
        reading(here) as first,
    ):
        await first.until_text("One ")
        following = asyncio.ensure_future(there.resumed(first.message_id))
        status, stopped = await there.stop(first.message_id)
        whole = await first.rest()
        _, told = await following
        late = await there.stop(first.message_id)

    assert (200, "incomplete", True) == (status, stopped["status"], stopped["stopped"])
    assert (200, {**stopped, "stopped": False}) == late
    assert isinstance(told, list)
    assert text_of(told) == "One "
    assert whole[-1] == told[-1]


async def test_an_end_that_does_not_come_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """202 `stopping` after the wait: the other replica has not heard, or stores slowly."""
    monkeypatch.setattr(stop_answer, "WAIT_S", 0.5)
    provider, store, hub = saying("One ", "two"), InMemoryStore(), EventHub(is_deaf=True)
    provider.let(1)
    async with (
        served({"a": provider}, store=store, hub=hub) as here,
        served({"a": ScriptedProvider()}, store=store, hub=hub) as there,
        reading(here) as first,
    ):
        await first.until_text("One ")
        status, stopped = await there.stop(first.message_id)
        provider.let()
        whole = await first.rest()

    assert (202, "stopping", False) == (status, stopped["status"], stopped["stopped"])
    assert whole[-1][2]["finish_reason"] == "stop"


async def test_a_body_is_empty_or_nothing() -> None:
    """A field that nobody reads is refused by name, as everywhere; so is a query, and a key that would be ignored."""
    async with served({"a": ScriptedProvider(["Hi."])}) as server, reading(server) as first:
        await first.rest()
        path = f"/chat/{first.message_id}/stop"
        answers = []
        asked: tuple[dict[str, Any], ...] = ({"json": {}}, {"json": {"reason": "x"}}, {"params": {"x": "1"}})
        for kwargs in asked:
            async with server.client.post(path, **kwargs) as response:
                answers.append((response.status, await response.json()))
        async with server.client.post(path, headers={"Idempotency-Key": "k"}) as response:
            answers.append((response.status, await response.json()))

    assert [200, 400, 400, 400] == [status for status, _ in answers]
    assert [{"path": "reason", "message": "unknown field; none is known here: leave it out"}] == answers[1][
        1
    ]["errors"]
    assert ["x"] == [each["path"] for each in answers[2][1]["errors"]]
    assert answers[3][1]["code"] == "idempotency_unsupported"


async def test_a_stopped_answer_leaves_its_thread_free() -> None:
    """The next chat of the thread is answered at once, without the cut answer in its memory."""
    provider = Paced(lines=(TextDelta("One "), TextDelta("two"), AnswerFinished(reason="stop")))
    provider.let(1)
    async with served({"a": provider}) as server:
        async with reading(server) as first:
            await first.until_text("One ")
            thread_id = first.events[0][2]["thread_id"]
            await server.stop(first.message_id)
            provider.let()
        await until(lambda: server.application.live_answers.is_idle)
        async with server.client.post("/chat", json={"prompt": "And?", "thread_id": thread_id}) as response:
            answer = await response.json()

    assert answer["output"] == "One two"
    assert [message.text for message in provider.calls[-1].request.history] == []


async def test_an_answer_is_stopped_while_its_thread_is_summarised() -> None:
    """Its own stream, the one that is told from the store, and the row say the same: it has a start and an end."""
    summarising = saying("Much.")
    defaults = ChatDefaults(primary="a:x", context_depth=2, memory="summary", summary_model="s:y")
    providers: dict[str, ChatProvider] = {"a": ScriptedProvider(["Hi."] * 9), "s": summarising}
    settings = fake_settings(providers, primary="a:x", defaults=defaults)
    async with served(providers, settings=settings) as server:
        async with server.client.post("/chat", json={"prompt": "1"}) as response:
            thread_id = (await response.json())["thread_id"]
        turn = asyncio.ensure_future(read_all(server, thread_id))
        while not summarising.calls:
            if turn.done():
                turn = asyncio.ensure_future(read_all(server, thread_id))
            await asyncio.sleep(0.005)
        [live] = server.application.live_answers._live.values()
        assert live.address is not None
        message_id = live.address.message_id
        _, stopped = await server.stop(message_id)
        told = await turn
        server.application.live_answers._kept.clear()
        _, retold = await server.resumed(message_id)
        _, rest = await server.resumed(message_id, 1)
        end, _ = await server.resumed(message_id, 2)

    assert ("cancelled", True) == (stopped["status"], stopped["stopped"])
    assert isinstance(retold, list)
    assert [(1, "start"), (2, "done")] == [each[:2] for each in told] == [each[:2] for each in retold]
    assert "stopped" == told[-1][2]["finish_reason"] == retold[-1][2]["finish_reason"]
    assert retold[1:] == rest
    assert end == 204


async def read_all(server: Served, thread_id: str) -> Told:
    async with reading(server, thread_id=thread_id) as turn:
        return await turn.rest()
