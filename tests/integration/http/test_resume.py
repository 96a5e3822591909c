"""`GET /chat/{message_id}/stream`: an answer read on, or again."""

import asyncio

import pytest

from application.ports.event_log import AnswerAddress
from application.use_cases.delete_thread import DeleteThreadCommand
from domain.chat import AnswerFinished, TextDelta, ToolCallDelta
from domain.errors import ProviderFailure
from domain.ids import DEFAULT_TENANT, MessageId, ThreadId
from domain.live_answer import RUN
from entrypoints.http import event_stream
from entrypoints.http.problems import shutting_down
from lor3.testing import InMemoryStore, ScriptedProvider
from tests.support.resuming import (
    Paced,
    Served,
    Told,
    names_of,
    reading,
    saying,
    served,
    text_of,
    until,
)
from tests.support.shared_events import EventHub

LOST = ProviderFailure("connection_lost", "it went away")
WORDS = ("Rain ", "falls\r\n\r\nid: 9\nevent: done\n\n", "on ", "hills\u2028\x85\x01 and ", "dales.")
ALL = "".join(WORDS)


def forget(server: Served) -> None:
    """As if so many answers had come since that only the store remembers."""
    server.application.live_answers._kept.clear()


async def events(server: Served, message_id: str, seen: int | None = None, **headers: str) -> Told:
    status, told = await server.resumed(message_id, seen, **headers)
    assert status == 200, told
    assert isinstance(told, list)
    return told


async def test_a_reader_who_was_cut_off_reads_on_while_others_stay() -> None:
    """The pieces before and after are what those got who stayed; injected lines stay text (security 19)."""
    provider = saying(*WORDS)
    provider.let(2)
    async with served({"a": provider}) as server, reading(server) as staying:
        seen = await staying.until_text("".join(WORDS[:2]))
        before = staying.events
        after = asyncio.ensure_future(events(server, staying.message_id, seen))
        provider.let()
        whole, rest = await staying.rest(), await after

    assert ALL == text_of(whole) == text_of([*before, *rest])
    assert names_of(whole) == ["start", "delta", "done"]
    assert names_of(rest) == ["delta", "done"]
    assert whole[-1] == rest[-1]
    assert len(provider.calls) == 1


async def test_an_answer_goes_on_without_its_reader_and_is_there_when_they_come_back() -> None:
    """The producing connection is gone: live, just ended and from the store the rest is the same."""
    provider = saying(*WORDS)
    provider.let(3)
    async with served({"a": provider}) as server:
        async with reading(server) as leaving:
            seen = await leaving.until_text("".join(WORDS[:3]))
            before, message_id = leaving.events, leaving.message_id
        provider.let()
        await until(lambda: provider.ended == ["whole"])
        live = await events(server, message_id, seen)
        forget(server)
        stored = await events(server, message_id, seen)
        ended = await server.resumed(message_id, stored[-1][0])

    assert ALL == text_of([*before, *live]) == text_of([*before, *stored])
    assert [(number, name) for number, name, _ in live][-2:] == [
        (number, name) for number, name, _ in stored
    ][-2:]
    assert stored[-1][2].pop("context") is None
    del live[-1][2]["context"]
    assert live[-1][2] == stored[-1][2]
    assert (204, None) == ended


async def test_a_stored_answer_continues_at_any_character() -> None:
    """Position 1 is the start's, then each character has one, the last is the end's."""
    async with served({"a": ScriptedProvider([ALL])}) as server:
        async with reading(server) as whole:
            message_id = whole.message_id
            await whole.rest()
        forget(server)
        rests = [await events(server, message_id, seen) for seen in range(len(ALL) + 2)]
        past = [await server.resumed(message_id, len(ALL) + 2 + more) for more in (0, RUN - 1)]
        beyond = [await events(server, message_id, len(ALL) + 2 + more) for more in (1, RUN)]

    assert [text_of(rest) for rest in rests] == [ALL, *[ALL[seen:] for seen in range(len(ALL) + 1)]]
    assert {rest[-1][:2] for rest in rests} == {(len(ALL) + 2, "done")}
    assert ["start", *["delta"] * len(ALL), "done"] == [rest[0][1] for rest in rests]
    assert [(204, None)] * 2 == past
    assert [["reset", "delta", "done"]] * 2 == [names_of(each) for each in beyond]


async def test_a_reader_of_an_answer_that_began_again_is_told_to_begin_again() -> None:
    """Nobody knows where in which answer it stood. Its next id is in a run of its own, where places are known."""
    first = Paced(lines=(TextDelta("Snow "), TextDelta("melts"), LOST))
    first.let()
    async with served({"a": first, "b": ScriptedProvider([ALL])}, fallbacks=("b:y",)) as server:
        async with reading(server) as whole:
            message_id = whole.message_id
            live = await whole.rest()
        forget(server)
        inside = await events(server, message_id, 5)
        later = await events(server, message_id, inside[0][0] + 4)
        fresh = await events(server, message_id)
        fresh_end = await server.resumed(message_id, fresh[-1][0])
        live_end = await server.resumed(message_id, live[-1][0])

    assert names_of(live) == ["start", "delta", "reset", "delta", "done"]
    assert ALL == text_of(live)
    assert names_of(inside) == ["reset", "delta", "done"]
    assert inside[0][2] == {"reason": "replayed", "from": "b:y", "to": "b:y"}
    assert inside[0][0] == 2 * RUN
    assert ALL == text_of(inside)
    assert text_of(later) == ALL[4:]
    assert names_of(fresh) == ["start", "delta", "done"]
    assert (204, None) == fresh_end == live_end


async def test_a_reader_of_a_stored_tool_call_gets_it_whole() -> None:
    """The pieces in which it grew are not stored."""
    lines = (
        TextDelta("Let me look."),
        ToolCallDelta(index=0, id="c1", name="weather", arguments='{"city":'),
        ToolCallDelta(index=0, arguments='"Paris"}'),
        AnswerFinished(reason="tool_calls"),
    )
    provider = Paced(lines=lines)
    provider.let()
    async with served({"a": provider}) as server:
        async with reading(server) as whole:
            message_id = whole.message_id
            live = await whole.rest()
        kept = await events(server, message_id, live[2][0])
        forget(server)
        stored = await events(server, message_id, live[2][0])
        again = await server.resumed(message_id, stored[-1][0])

    assert names_of(live) == ["start", "delta", "tool_call_delta", "tool_call", "done"]
    assert kept == live[3:]
    assert names_of(stored) == ["reset", "delta", "tool_call", "done"]
    assert stored[2][2] == live[-2][2]
    assert (204, None) == again


async def test_a_cut_answer_is_told_with_what_cut_it() -> None:
    """The text that there is, then the problem, as it was told live; past it nothing."""
    provider = Paced(lines=(TextDelta("Half of "), TextDelta("it"), LOST))
    provider.let()
    async with served({"a": provider}) as server:
        async with reading(server) as whole:
            message_id = whole.message_id
            live = await whole.rest()
        kept = await events(server, message_id, live[-2][0])
        forget(server)
        stored = await events(server, message_id, 4)
        only_error = await events(server, message_id, live[-2][0])
        nothing = await server.resumed(message_id, live[-1][0])

    assert names_of(live) == ["start", "delta", "error"]
    assert names_of(stored) == ["delta", "error"]
    assert text_of(stored) == "Half of it"[3:]
    assert [name for _, name, _ in kept] == [name for _, name, _ in only_error] == ["error"]
    assert live[-1][0] == kept[0][0] == only_error[0][0] == stored[-1][0]
    assert live[-1][2]["code"] == stored[-1][2]["code"] == "upstream_error"
    assert stored[-1][2]["retryable"] is True
    assert (204, None) == nothing


async def test_a_failure_before_anything_was_said_is_a_plain_problem() -> None:
    """With the status of its code, as the first request got it."""
    provider = Paced(lines=(LOST,))
    provider.let()
    store = InMemoryStore()
    async with served({"a": provider}, store=store) as server:
        async with server.client.post("/chat", json={"prompt": "x", "stream": True}) as response:
            problem = await response.json()
        (answer,) = [m for turns in store.shelves.turns.values() for m in turns if m.message.role != "user"]
        kept = await server.resumed(answer.id)
        forget(server)
        stored = await server.resumed(answer.id)

    assert (response.status, problem["code"]) == (502, "upstream_error")
    for status, told in (kept, stored):
        assert isinstance(told, dict)
        assert (status, told["code"]) == (502, "upstream_error")


async def test_json_is_told_again_as_the_value_that_it_was() -> None:
    """The text in the deltas, the parsed value in the answer."""
    async with served({"a": ScriptedProvider(['{"city": "Paris"}'])}) as server:
        async with reading(server, format="json") as whole:
            message_id = whole.message_id
            live = await whole.rest()
        forget(server)
        stored = await events(server, message_id)

    assert text_of(live) == text_of(stored) == '{"city": "Paris"}'
    assert live[-1][2]["output"] == stored[-1][2]["output"] == {"city": "Paris"}


async def test_what_is_not_there_and_what_is_no_answer_are_absent() -> None:
    """A user's turn, a deleted thread's answer just after its end, an id that is none, one that nobody has."""
    async with served({"a": ScriptedProvider(["Hi."])}) as server:
        async with reading(server) as whole:
            done = (await whole.rest())[-1][2]
        thread_id = done["thread_id"]
        async with server.client.get(f"/threads/{thread_id}/messages") as response:
            turn = (await response.json())["items"][0]["id"]
        before = await server.resumed(done["message_id"].upper())
        await server.application.delete_thread.execute(DeleteThreadCommand(thread_id=ThreadId(thread_id)))
        absent = [await server.resumed(each) for each in (turn, done["message_id"], "no-id", thread_id)]
        stops = [await server.stop(each) for each in (turn, done["message_id"], "no-id", thread_id)]

    assert before[0] == 200
    assert [404] * 8 == [status for status, _ in (*absent, *stops)]


async def test_a_turn_is_no_answer() -> None:
    """Said as such to who may know that it is there: a deleted one is absent like any other."""
    async with served({"a": ScriptedProvider(["Hi."])}) as server:
        async with reading(server) as whole:
            thread_id = (await whole.rest())[-1][2]["thread_id"]
        async with server.client.get(f"/threads/{thread_id}/messages") as response:
            turn = (await response.json())["items"][0]["id"]
        told = [await server.resumed(turn), await server.stop(turn)]
        await server.application.delete_thread.execute(DeleteThreadCommand(thread_id=ThreadId(thread_id)))
        deleted = [await server.resumed(turn), await server.stop(turn)]

    for (status, problem), (later, absent) in zip(told, deleted, strict=True):
        assert isinstance(problem, dict)
        assert isinstance(absent, dict)
        assert (404, "not_found") == (status, problem["code"])
        assert f"message {turn} is no answer of lor3's" in problem["detail"]
        assert later == 404
        assert f"there is no message {turn}" in absent["detail"]


async def test_what_another_replica_may_be_making_is_not_given_up() -> None:
    """The log is away: 503 with `Retry-After` for who reads and who stops, and 404 only where it knows nothing."""
    nobody = "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01"
    hub = EventHub(is_away=True)
    async with served({"a": ScriptedProvider(["Hi."])}, hub=hub) as server:
        async with server.client.get(f"/chat/{nobody}/stream") as response:
            read = response.status, response.headers["Retry-After"], await response.json()
        async with server.client.post(f"/chat/{nobody}/stop") as response:
            stopped = response.status, response.headers["Retry-After"], await response.json()
        hub.is_away = False
        later = [await server.resumed(nobody), await server.stop(nobody)]

    for status, wait, problem in (read, stopped):
        assert (503, "2", "answer_unknown", True) == (status, wait, problem["code"], problem["retryable"])
    assert [404, 404] == [status for status, _ in later]


@pytest.mark.parametrize("given", ["", "x", "-1", "1.5", "1 2", "9" * 19, str(2**53 + 1), "١"])
async def test_a_place_that_is_none_is_refused_by_name(given: str) -> None:
    """As a header and in the query, before anything is looked for."""
    async with served({"a": ScriptedProvider()}) as server:
        path = f"/chat/{MessageId('no-id')}/stream"
        async with server.client.get(path, params={"last_event_id": given}) as response:
            in_query = await response.json()
        header = None
        if given.isascii():
            _, header = await server.resumed("no-id", given)

    assert ["last_event_id"] == [each["path"] for each in in_query["errors"]]
    if header is not None:
        assert isinstance(header, dict)
        assert ["Last-Event-ID"] == [each["path"] for each in header["errors"]]


async def test_the_header_goes_before_the_query() -> None:
    """A browser that comes back by itself keeps the URL and changes the header."""
    async with served({"a": ScriptedProvider(["Hello."])}) as server:
        async with reading(server) as whole:
            message_id = whole.message_id
            end = (await whole.rest())[-1][0]
        async with server.client.get(f"/chat/{message_id}/stream?last_event_id=3") as response:
            from_query = await response.read()
        async with server.client.get(
            f"/chat/{message_id}/stream?last_event_id=3", headers={"Last-Event-ID": str(end)}
        ) as response:
            assert response.status == 204

    assert b'{"text":"llo."}' in from_query


async def test_a_resumed_reader_of_a_silent_answer_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The 200 waits as that of the first request does; then comments come."""
    monkeypatch.setattr(event_stream, "HOLD_S", 0.05)
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_S", 0.05)
    provider = saying("One ", "two")
    provider.let(1)
    async with served({"a": provider}) as server, reading(server) as first:
        seen = await first.until_text("One ")
        headers = {"Last-Event-ID": str(seen)}
        async with server.client.get(f"/chat/{first.message_id}/stream", headers=headers) as response:
            await asyncio.sleep(0.2)
            provider.let()
            raw = await response.read()

    assert raw.startswith(b": keep-alive\n\n")
    assert b'{"text":"two"}' in raw


async def test_a_cancelling_answer_is_cut_with_the_last_of_its_readers() -> None:
    """Whoever came later counts as one who was there first."""
    provider = saying("One ", "two ", "three ", "four")
    provider.let(1)
    async with served({"a": provider}) as server:
        async with reading(server, on_disconnect="cancel") as first:
            await first.until_text("One ")
            message_id = first.message_id
            second = await server.client.get(f"/chat/{message_id}/stream")
        provider.let(1)
        raw = b""
        while b"two" not in raw:
            raw += await second.content.readany()
        went_on = not provider.ended
        second.close()
        await until(lambda: provider.ended)
        await until(lambda: server.application.live_answers.is_idle)
        forget(server)
        stored = await events(server, message_id)

    assert went_on
    assert provider.ended == ["cut"]
    assert text_of(stored) == "One two "
    assert (stored[-1][1], stored[-1][2]["finish_reason"]) == ("done", "stopped")


@pytest.mark.parametrize(("said", "status"), [("One ", "incomplete"), ("", "cancelled")])
async def test_an_answer_that_was_left_ends_in_one_way(
    said: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was stopped: from its log, on another replica, from the store; and its row says so, too."""
    monkeypatch.setattr(event_stream, "HOLD_S", 0.05)
    provider, store, hub = saying("One ", "two"), InMemoryStore(), EventHub()
    if said:
        provider.let(1)
    async with (
        served({"a": provider}, store=store, hub=hub) as here,
        served({"a": ScriptedProvider()}, store=store, hub=hub) as there,
    ):
        async with reading(here, on_disconnect="cancel") as leaving:
            if said:
                await leaving.until_text(said)
            message_id = leaving.message_id
        await until(lambda: here.application.live_answers.is_idle)
        told = [await events(each, message_id) for each in (here, there)]
        forget(here)
        hub.told.clear()
        told.append(await events(here, message_id))
        async with here.client.get(f"/messages/{message_id}") as response:
            row = await response.json()

    assert [said] * 3 == [text_of(each) for each in told] == [each[-1][2]["output"] for each in told]
    assert [("done", "stopped")] * 3 == [(each[-1][1], each[-1][2]["finish_reason"]) for each in told]
    assert (status, "stopped", said, None) == (
        row["status"],
        row["finish_reason"],
        row["content"],
        row["error_code"],
    )


async def test_an_answer_that_the_server_cut_ends_with_its_error() -> None:
    """Nobody wished for that: its log and the store say `shutting_down`, and keep what was said."""
    provider, store = saying("One ", "two"), InMemoryStore()
    provider.let(1)
    async with served({"a": provider}, store=store) as server, reading(server) as first:
        await first.until_text("One ")
        await server.application.live_answers.drain(within_s=0, because=shutting_down())
        logged = await first.rest()
        forget(server)
        stored = await events(server, first.message_id)

    assert "One " == text_of(logged) == text_of(stored)
    for each in (logged, stored):
        problem = each[-1][2]
        assert ("error", "shutting_down", 503, True) == (
            each[-1][1],
            problem["code"],
            problem["status"],
            problem["retryable"],
        )


async def test_a_place_in_a_stored_answer_is_known_where_its_own_events_are_kept() -> None:
    """Two replicas without a shared log: what one has told from the store is continued by the one that made it."""
    first = Paced(lines=(TextDelta("Snow "), LOST))
    first.let()
    store = InMemoryStore()
    async with (
        served({"a": first, "b": ScriptedProvider([ALL])}, fallbacks=("b:y",), store=store) as here,
        served({"a": ScriptedProvider()}, store=store) as there,
    ):
        async with reading(here) as whole:
            message_id = whole.message_id
            await whole.rest()
        told = await events(there, message_id)
        rests = [await events(each, message_id, told[0][0] + 4) for each in (here, there)]
        ends = [await each.resumed(message_id, told[-1][0]) for each in (here, there)]

    assert [ALL[4:]] * 2 == [text_of(each) for each in rests]
    assert [(204, None)] * 2 == ends


async def test_another_replica_reads_on_what_this_one_makes() -> None:
    """Also once the connection that began it is gone: the same events with the same ids."""
    provider, store, hub = saying(*WORDS), InMemoryStore(), EventHub()
    provider.let(2)
    async with (
        served({"a": provider}, store=store, hub=hub) as here,
        served({"a": ScriptedProvider()}, store=store, hub=hub) as there,
    ):
        async with reading(here) as leaving:
            seen = await leaving.until_text("".join(WORDS[:2]))
            before, message_id = leaving.events, leaving.message_id
        ours, theirs = (asyncio.ensure_future(events(each, message_id, seen)) for each in (here, there))
        also = asyncio.ensure_future(events(there, message_id))
        address = AnswerAddress(DEFAULT_TENANT, MessageId(message_id))
        await until(lambda: hub.following(address) == 1)
        provider.let()
        one, two, three = await ours, await theirs, await also
        nobody_reads = hub.following(address)
        kept = await events(there, message_id, seen)
        hub.told.clear()
        stored = await events(there, message_id, seen)

    assert one == two
    assert ALL == text_of([*before, *one]) == text_of(three) == text_of([*before, *stored])
    assert kept[-1] == one[-1]
    assert nobody_reads == 0


async def test_a_dead_replica_is_told_of_once() -> None:
    """`answer_interrupted` where nothing else is known; what is stored meanwhile goes before it."""
    provider, store, hub = saying("One ", "two"), InMemoryStore(), EventHub()
    provider.let(1)
    async with (
        served({"a": provider}, store=store, hub=hub) as here,
        served({"a": ScriptedProvider()}, store=store, hub=hub) as there,
        reading(here) as first,
    ):
        seen = await first.until_text("One ")
        message_id = first.message_id
        address = AnswerAddress(DEFAULT_TENANT, MessageId(message_id))
        following = asyncio.ensure_future(events(there, message_id, 1))
        await until(lambda: hub.following(address) == 1)
        hub.die(address)
        cut = await following
        status, again = await there.resumed(message_id, seen)
        provider.let()
        await first.rest()
        stored = await events(there, message_id, seen)

    assert names_of(cut) == ["delta", "error"]
    assert cut[-1][2]["code"] == "answer_interrupted"
    assert isinstance(again, dict)
    assert (status, again["code"]) == (503, "answer_interrupted")
    assert text_of(stored) == "two"


async def test_a_stream_with_a_key_is_read_on_another_replica() -> None:
    """A client that sends its request again elsewhere gets the answer that is under way."""
    provider, store, hub = saying("One ", "two"), InMemoryStore(), EventHub()
    provider.let(1)
    key = {"Idempotency-Key": "k1"}
    async with (
        served({"a": provider}, store=store, hub=hub) as here,
        served({"a": ScriptedProvider()}, store=store, hub=hub) as there,
        reading(here, headers=key) as first,
    ):
        await first.until_text("One ")
        async with reading(there, headers=key) as second:
            provider.let()
            one, two = await first.rest(), await second.rest()

    assert one == two
    assert len(provider.calls) == 1


async def test_a_stopping_server_says_so_to_readers_of_answers_made_elsewhere() -> None:
    """The answer goes on: they are told to come again."""
    provider, store, hub = saying("One ", "two"), InMemoryStore(), EventHub()
    provider.let(1)
    async with served({"a": provider}, store=store, hub=hub) as here, reading(here) as first:
        seen = await first.until_text("One ")
        async with served({"a": ScriptedProvider()}, store=store, hub=hub) as there:
            response = await there.client.get(f"/chat/{first.message_id}/stream")
            await until(lambda: hub.following(AnswerAddress(DEFAULT_TENANT, MessageId(first.message_id))))
            there.application.follow_answer.cut(shutting_down())
            raw = await response.read()
        provider.let()
        rest = await events(here, first.message_id, seen)

    assert b"shutting_down" in raw
    assert text_of(rest) == "two"
