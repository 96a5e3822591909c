"""SendChat with keys, in busy threads, and asked to answer once more."""

import asyncio

import attrs
import pytest

from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatAnswer, ChatDone, ChatEvent, ChatStarted, Delta
from domain.chat_defaults import ChatDefaults
from domain.errors import (
    ChatFailed,
    Conflict,
    InvalidRequest,
    KeyInFlight,
    KeyReused,
    NotFound,
    ProviderFailure,
)
from domain.idempotency import IdempotencyKey
from domain.ids import MessageId, ThreadId
from domain.message import Message
from domain.telemetry import ChatAnswered
from domain.thread import StoredMessage
from entrypoints.application import Application
from lor3.testing import (
    InMemoryStore,
    RecordingTelemetry,
    ScriptedProvider,
    fake_application,
    fake_settings,
)
from tests.support.held_provider import Held
from tests.support.streams import streamed

KEY = IdempotencyKey(key="k1", fingerprint="a" * 64)
BROKEN = ProviderFailure("bad_request", "it broke", status=400)


def ask(text: str = "Where?", **fields: object) -> SendChatCommand:
    command = SendChatCommand(request_id="r1", messages=(Message.of("user", text),))
    return attrs.evolve(command, **fields)  # type: ignore[arg-type] # a test's own keywords


def again(answer: ChatAnswer, **fields: object) -> SendChatCommand:
    command = SendChatCommand(request_id="r2", regenerates=answer.message_id)
    return attrs.evolve(command, **fields)  # type: ignore[arg-type] # as above


def stored(store: InMemoryStore) -> list[StoredMessage]:
    return [message for turns in store.shelves.turns.values() for message in turns]


def texts(store: InMemoryStore) -> list[str]:
    return [message.message.text for message in stored(store)]


def prompts(provider: ScriptedProvider) -> list[list[str]]:
    """Of each call, what was said before and in it."""
    return [
        [message.text for message in (*call.request.history, *call.request.messages)]
        for call in provider.calls
    ]


async def events_of(lor3: Application, command: SendChatCommand) -> list[ChatEvent]:
    async with streamed(lor3, command) as events:
        return [event async for event in events]


async def test_same_key_gives_the_same_answer_and_asks_nobody() -> None:
    """The second request costs nothing, stores nothing and says that it is a replay."""
    provider, store, telemetry = ScriptedProvider(["Here."]), InMemoryStore(), RecordingTelemetry()
    async with fake_application({"a": provider}, store=store, telemetry=telemetry) as lor3:
        first = await lor3.send_chat.execute(ask(idempotency=KEY))
        second = await lor3.send_chat.execute(ask(idempotency=KEY))

    assert len(provider.calls) == 1
    assert texts(store) == ["Where?", "Here."]
    assert (first.is_replay, second.is_replay) == (False, True)
    assert attrs.evolve(first, overhead_s=0) == attrs.evolve(second, overhead_s=0, is_replay=False)
    assert len(telemetry.of(ChatAnswered)) == 1


async def test_streamed_and_whole_replay_one_another() -> None:
    """What was streamed can be had whole, and the other way round."""
    provider = ScriptedProvider(["Here we are."])
    other = attrs.evolve(KEY, key="k2")
    async with fake_application({"a": provider}) as lor3:
        streamed = await events_of(lor3, ask(idempotency=KEY, stream=True))
        whole = await lor3.send_chat.execute(ask(idempotency=KEY))
        await lor3.send_chat.execute(ask(idempotency=other))
        replayed = await events_of(lor3, ask(idempotency=other, stream=True))

    assert len(provider.calls) == 2
    assert "".join(event.text for event in streamed if isinstance(event, Delta)) == whole.output
    assert [type(event) for event in replayed] == [ChatStarted, Delta, ChatDone]
    assert replayed[1] == Delta("Here we are.")


async def test_key_of_a_failed_regeneration_is_tried_again() -> None:
    """The very same request: the failure is stored behind the answer and does not bar it."""
    provider = ScriptedProvider(["Here.", BROKEN, "There."])
    async with fake_application({"a": provider}) as lor3:
        first = await lor3.send_chat.execute(ask())
        with pytest.raises((ChatFailed, InvalidRequest)):
            await lor3.send_chat.execute(again(first, idempotency=KEY))
        second = await lor3.send_chat.execute(again(first, idempotency=KEY))
        third = await lor3.send_chat.execute(again(first, idempotency=KEY))

    assert (second.output, third.message_id, third.is_replay) == ("There.", second.message_id, True)
    assert len(provider.calls) == 3


async def test_key_with_another_request_is_refused() -> None:
    """A fingerprint that differs is a mistake of the caller's; nothing is asked."""
    provider = ScriptedProvider(["Here."])
    async with fake_application({"a": provider}) as lor3:
        await lor3.send_chat.execute(ask(idempotency=KEY))
        with pytest.raises(KeyReused):
            await lor3.send_chat.execute(ask(idempotency=attrs.evolve(KEY, fingerprint="b" * 64)))

    assert len(provider.calls) == 1


async def test_key_in_flight_is_refused_at_once() -> None:
    """Even in a busy thread: it does not wait for its turn only to be told."""
    provider, store = Held(["Here."]), InMemoryStore()
    async with fake_application({"a": provider}, store=store) as lor3:
        first = asyncio.ensure_future(lor3.send_chat.execute(ask(idempotency=KEY)))
        await provider.asked.wait()
        with pytest.raises(KeyInFlight) as refused:
            await lor3.send_chat.execute(ask(idempotency=KEY))
        provider.go.set()
        await first

    assert refused.value.retry_after_s is not None
    assert len(provider.calls) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_failed_chat_frees_its_key(stream: bool) -> None:
    """The same request may be sent again, and is answered then."""
    provider = ScriptedProvider([BROKEN, "Here."])
    async with fake_application({"a": provider}) as lor3:
        command = ask(idempotency=KEY, stream=stream)
        with pytest.raises((ChatFailed, InvalidRequest)):
            await (events_of(lor3, command) if stream else lor3.send_chat.execute(command))
        answer = await lor3.send_chat.execute(ask(idempotency=KEY))

    assert (answer.output, answer.is_replay) == ("Here.", False)


async def test_request_that_is_refused_frees_its_key() -> None:
    """What never began can be mended and sent again."""
    async with fake_application({"a": ScriptedProvider(["Here."])}) as lor3:
        nowhere = ThreadId("01890a5d-ac96-774b-bcce-b302099a8057")
        with pytest.raises(NotFound):
            await lor3.send_chat.execute(ask(idempotency=KEY, thread_id=nowhere))
        answer = await lor3.send_chat.execute(ask(idempotency=KEY))

    assert not answer.is_replay


async def test_cancelled_caller_frees_its_key() -> None:
    """Whoever hangs up with `on_disconnect: cancel` can ask again."""
    provider = Held(["Here."])
    async with fake_application({"a": provider}) as lor3:
        first = asyncio.ensure_future(lor3.send_chat.execute(ask(idempotency=KEY)))
        await provider.asked.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        provider.go.set()
        answer = await lor3.send_chat.execute(ask(idempotency=KEY))

    assert (answer.output, answer.is_replay) == ("Here.", False)


async def test_second_chat_of_a_thread_waits_and_sees_the_first_answer() -> None:
    """Otherwise it would be answered as if the first had not been asked."""
    provider = ScriptedProvider(["One."])
    async with fake_application({"a": provider}) as lor3:
        begun = await lor3.send_chat.execute(ask("1?"))
        provider.script("Two.", "Three.")
        await asyncio.gather(
            lor3.send_chat.execute(ask("2?", thread_id=begun.thread_id)),
            lor3.send_chat.execute(ask("3?", thread_id=begun.thread_id)),
        )

    assert prompts(provider)[-1] == ["1?", "One.", "2?", "Two.", "3?"]


async def test_turn_and_answer_are_linked() -> None:
    """The answer follows the caller's last turn, and that the turn before it in the same chat."""
    store = InMemoryStore()
    turns = (Message.of("user", "Look."), Message.of("user", "Where?"))
    async with fake_application({"a": ScriptedProvider(["Here."])}, store=store) as lor3:
        await lor3.send_chat.execute(ask(messages=turns, own_history=True))

    first, second, answer = stored(store)
    assert (first.parent, second.parent, answer.parent) == (None, first.id, second.id)


async def test_answer_is_made_again_in_place_of_the_last_one() -> None:
    """The same turns with the memory from before them; the earlier answer stays, and leaves the memory."""
    provider, store = ScriptedProvider(["One."]), InMemoryStore()
    async with fake_application({"a": provider}, store=store) as lor3:
        begun = await lor3.send_chat.execute(ask("1?"))
        provider.script("Two.", "Two, better.", "Three.")
        second = await lor3.send_chat.execute(ask("2?", thread_id=begun.thread_id))
        better = await lor3.send_chat.execute(again(second))
        await lor3.send_chat.execute(ask("3?", thread_id=begun.thread_id))

    assert texts(store) == ["1?", "One.", "2?", "Two.", "Two, better.", "3?", "Three."]
    assert [message.position for message in stored(store)] == list(range(7))
    assert prompts(provider)[2:] == [["1?", "One.", "2?"], ["1?", "One.", "2?", "Two, better.", "3?"]]
    assert better.thread_id == begun.thread_id
    assert stored(store)[3].parent == stored(store)[4].parent == stored(store)[2].id


async def test_failed_answer_can_be_made_again() -> None:
    """Which is what a "try again" under an error is for."""
    provider, store = ScriptedProvider(["One."]), InMemoryStore()
    async with fake_application({"a": provider}, store=store) as lor3:
        begun = await lor3.send_chat.execute(ask("1?"))
        provider.script(ProviderFailure("auth", "no", status=401), "Two.")
        with pytest.raises(ChatFailed):
            await lor3.send_chat.execute(ask("2?", thread_id=begun.thread_id))
        failed = stored(store)[-1]
        answer = await lor3.send_chat.execute(SendChatCommand(request_id="r2", regenerates=failed.id))

    assert (failed.status, answer.output) == ("failed", "Two.")
    assert prompts(provider)[-1] == ["1?", "One.", "2?"]


async def test_only_the_last_answer_is_made_again() -> None:
    """An earlier one is a 409 that names the way, a user's turn no answer, and an unknown one not there."""
    provider, store = ScriptedProvider(["One."]), InMemoryStore()
    async with fake_application({"a": provider}, store=store) as lor3:
        begun = await lor3.send_chat.execute(ask("1?"))
        await lor3.send_chat.execute(ask("2?", thread_id=begun.thread_id))
        with pytest.raises(Conflict, match="fork"):
            await lor3.send_chat.execute(again(begun))
        with pytest.raises(InvalidRequest):
            await lor3.send_chat.execute(SendChatCommand(request_id="r", regenerates=stored(store)[2].id))
        with pytest.raises(NotFound):
            await lor3.send_chat.execute(
                SendChatCommand(request_id="r", regenerates=MessageId("01890a5d-ac96-774b-bcce-b302099a8057"))
            )

    assert len(provider.calls) == 2


async def test_answer_s_token_count_is_its_own() -> None:
    """What a second ask for valid JSON took is in the bill, not in the count that the memory goes by."""
    provider, store = ScriptedProvider(["not json at all", '{"a": 1}']), InMemoryStore()
    async with fake_application({"a": provider}, store=store) as lor3:
        answer = await lor3.send_chat.execute(ask(format="json"))

    assert answer.usage.output_tokens == 6
    assert stored(store)[-1].message.token_count == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_caller_who_leaves_during_the_summary_leaves_its_call_in_the_books(stream: bool) -> None:
    """Whatever was asked was asked for this chat."""
    chat, cheap, store = ScriptedProvider(["ok"]), Held(["They talked."]), InMemoryStore()
    providers = {"a": chat, "cheap": cheap}
    defaults = ChatDefaults(primary="a:x", context_depth=2, memory="summary", summary_model="cheap:s")
    settings = fake_settings(providers, primary="a:x", defaults=defaults)
    async with fake_application(providers, settings=settings, store=store) as lor3:
        begun = await lor3.send_chat.execute(ask("1?"))
        await lor3.send_chat.execute(ask("2?", thread_id=begun.thread_id))
        command = ask("3?", thread_id=begun.thread_id, stream=stream)
        leaving = asyncio.ensure_future(
            events_of(lor3, command) if stream else lor3.send_chat.execute(command)
        )
        await cheap.asked.wait()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)

    left = stored(store)[-1]
    assert (left.status, texts(store)[-2]) == ("cancelled", "3?")
    assert [(each.purpose, each.outcome) for each in store.shelves.attempts[left.tenant, left.id]] == [
        ("summary", "cancelled")
    ]
