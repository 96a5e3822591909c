"""FollowAnswer and StopAnswer, wired as in production on the shipped fakes."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from application.services import mirrors
from application.services.answer_log import AnswerReader
from application.use_cases.chat_command import SendChatCommand
from application.use_cases.delete_thread import DeleteThreadCommand
from application.use_cases.stop_answer import Stopped
from domain.errors import AnswerUnknown, NotFound, StorageUnavailable
from domain.ids import DEFAULT_TENANT, MessageId, Tenant, ThreadId
from domain.message import Message
from entrypoints.application import Application
from lor3.testing import InMemoryStore, ScriptedProvider, fake_application
from tests.support.positions import text_of
from tests.support.resuming import Paced, saying, until
from tests.support.shared_events import EventHub, SharedLog

OTHER = Tenant("other")
NAME = "chat:c1"


def ask(**fields: object) -> SendChatCommand:
    return SendChatCommand(request_id="r", messages=(Message.of("user", "Say it."),), **fields)  # type: ignore[arg-type] # a test's own keywords


@asynccontextmanager
async def replicas(provider: Paced) -> AsyncIterator[tuple[Application, Application]]:
    """Two of one service; the first has the provider."""
    store, hub = InMemoryStore(), EventHub()
    async with (
        fake_application({"a": provider}, store=store, event_log=SharedLog(hub)) as here,
        fake_application({"a": ScriptedProvider()}, store=store, event_log=SharedLog(hub)) as there,
    ):
        yield here, there


async def begun(here: Application, provider: Paced) -> MessageId:
    """An answer that has said one piece, by the name of a client's chat."""
    provider.let(1)
    live = here.live_answers.start(ask(), names=(NAME,))
    await until(lambda: live.log.ends > 1)
    assert live.address is not None
    return live.address.message_id


async def test_an_answer_is_found_by_its_name_while_it_is_made() -> None:
    """Here and on other replicas, by its tenant alone; afterwards by nobody."""
    provider = saying("One ", "two")
    async with replicas(provider) as (here, there):
        await begun(here, provider)
        readers = [await each.follow_answer.by_name(DEFAULT_TENANT, NAME) for each in (here, there)]
        foreign = [await each.follow_answer.by_name(OTHER, NAME) for each in (here, there)]
        provider.let()
        for reader in readers:
            assert reader is not None
            assert await reader.log.over(within_s=5)
        texts = [text_of(list(reader.take().events)) for reader in readers if reader is not None]
        await until(lambda: here.live_answers.is_idle)
        after = [await each.follow_answer.by_name(DEFAULT_TENANT, NAME) for each in (here, there)]

    assert ["One two"] * 2 == texts
    assert [None, None] == foreign == after


@pytest.mark.parametrize("where", [0, 1])
async def test_an_answer_is_stopped_by_its_name(where: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here and on another replica; a foreign one is absent."""
    monkeypatch.setattr(mirrors, "LOOK_AGAIN_S", 0.001)
    provider = saying("One ", "two")
    async with replicas(provider) as both:
        message_id = await begun(both[0], provider)
        foreign = await both[where].stop_answer.by_name(OTHER, NAME)
        stopped = await both[where].stop_answer.by_name(DEFAULT_TENANT, NAME)
        with pytest.raises(NotFound):
            await both[where].stop_answer.execute(OTHER, message_id)
        nobody = await both[where].stop_answer.by_name(DEFAULT_TENANT, "chat:c2")

    assert Stopped(message_id=message_id, status="incomplete", stopped=True) == stopped
    assert foreign is nobody is None


async def test_an_answer_that_waits_for_its_turn_is_stopped_by_its_name() -> None:
    """It has no id yet, and leaves nothing; the one before it goes on."""
    provider = saying("One ", "two")
    provider.let()
    store = InMemoryStore()
    async with fake_application({"a": provider}, store=store) as lor3:
        first = await lor3.send_chat.execute(ask())
        provider.allowed = asyncio.Semaphore(1)
        thread_id = ThreadId(first.thread_id)
        running = lor3.live_answers.start(ask(thread_id=thread_id))
        await until(lambda: running.log.ends > 1)
        waiting = lor3.live_answers.start(ask(thread_id=thread_id), names=(NAME,))
        await asyncio.sleep(0.01)
        stopped = await lor3.stop_answer.by_name(DEFAULT_TENANT, NAME)
        provider.let()
        await running.task

    assert waiting.is_ended
    assert Stopped(message_id=None, status="cancelled", stopped=True) == stopped
    assert [len(turns) for turns in store.shelves.turns.values()] == [4]


async def test_what_can_not_be_asked_is_not_taken_for_what_is_not_there() -> None:
    """By its id and by its name: whoever asks is to ask again. What is stored, or made here, needs nobody's word."""
    provider = saying("One ", "two")
    async with replicas(provider) as (here, there):
        message_id = await begun(here, provider)
        hub = there.follow_answer._event_log.hub  # type: ignore[attr-defined]  # the fake
        hub.is_away = True
        asked: list[Callable[[Application], Awaitable[object]]] = [
            lambda lor3: lor3.follow_answer.execute(DEFAULT_TENANT, message_id),
            lambda lor3: lor3.follow_answer.by_name(DEFAULT_TENANT, NAME),
            lambda lor3: lor3.resume_chat.execute(DEFAULT_TENANT, "c1"),
            lambda lor3: lor3.stop_answer.execute(DEFAULT_TENANT, message_id),
            lambda lor3: lor3.stop_answer.by_name(DEFAULT_TENANT, NAME),
        ]
        for each in asked:
            with pytest.raises(AnswerUnknown) as caught:
                await each(there)
            assert (caught.value.retryable, caught.value.retry_after_s) == (True, 2.0)
        for each in asked[:3]:
            reader = await each(here)
            assert isinstance(reader, AnswerReader)
        assert await there.stop_answer.under_way(DEFAULT_TENANT, NAME) is None
        provider.let()
        await until(lambda: here.live_answers.is_idle)
        reader = await there.follow_answer.execute(DEFAULT_TENANT, message_id)
        stopped = await there.stop_answer.execute(DEFAULT_TENANT, message_id)

    assert reader is not None
    assert "One two" == text_of(list(reader.take().events))
    assert Stopped(message_id=message_id, status="complete", stopped=False) == stopped


async def test_an_answer_that_is_made_elsewhere_is_read_without_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that is made here; one that has ended is left to the store."""

    async def away(*_: object) -> None:
        raise StorageUnavailable("the database is away")

    provider = saying("One ", "two")
    async with replicas(provider) as (here, there):
        message_id = await begun(here, provider)
        monkeypatch.setattr(type(there.follow_answer._retelling), "find", away)
        reader = await there.follow_answer.execute(DEFAULT_TENANT, message_id)
        provider.let()
        assert reader is not None
        assert await reader.log.over(within_s=5)
        text = text_of(list(reader.take().events))
        await until(lambda: here.live_answers.is_idle)
        with pytest.raises(StorageUnavailable):
            await there.follow_answer.execute(DEFAULT_TENANT, message_id)

    assert "One two" == text


async def test_an_answer_that_waits_here_is_stopped_though_nobody_else_can_be_asked() -> None:
    """So is it read."""
    provider = saying("One ", "two")
    async with replicas(provider) as (here, there):
        hub = there.follow_answer._event_log.hub  # type: ignore[attr-defined]  # the fake
        hub.is_away = True
        live = here.live_answers.start(ask(), names=(NAME,))
        reader = await here.resume_chat.execute(DEFAULT_TENANT, "c1")
        stopped = await here.stop_answer.by_name(DEFAULT_TENANT, NAME)

    assert live.is_ended
    assert reader is not None
    assert reader.log is live.log
    assert stopped is not None
    assert stopped.stopped


async def test_an_answer_is_read_and_stopped_elsewhere_as_soon_as_it_has_begun() -> None:
    """Its id may be known before the log has it. An older one that nobody knows is not looked for again."""
    provider = saying("One ", "two")
    async with replicas(provider) as (here, there):
        message_id = await begun(here, provider)
        hub = there.follow_answer._event_log.hub  # type: ignore[attr-defined]  # the fake
        hub.unheard = 2
        reader = await there.follow_answer.execute(DEFAULT_TENANT, message_id)
        hub.unheard = 2
        stopped = await there.stop_answer.execute(DEFAULT_TENANT, message_id)
        hub.unheard = 0
        for nobody in ("01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01", str(uuid.uuid4())):
            with pytest.raises(NotFound):
                await there.follow_answer.execute(DEFAULT_TENANT, MessageId(nobody))

    assert reader is not None
    assert Stopped(message_id=message_id, status="incomplete", stopped=True) == stopped
    assert hub.unheard == -2


async def test_what_was_deleted_is_not_told_by_its_name() -> None:
    """A log keeps an answer and its names for a while after its end."""
    provider = saying("One ", "two")
    provider.let()
    async with replicas(provider) as (here, there):
        live = here.live_answers.start(ask(), names=(NAME,))
        await live.task
        assert live.asked is not None
        await there.delete_thread.execute(DeleteThreadCommand(thread_id=live.asked.thread_id))
        by_name = [await each.follow_answer.by_name(DEFAULT_TENANT, NAME) for each in (here, there)]
        for each in (here, there):
            with pytest.raises(NotFound):
                await each.follow_answer.execute(DEFAULT_TENANT, live.asked.message_id)

    assert [None, None] == by_name


async def test_an_answer_whose_process_died_is_interrupted() -> None:
    """Nothing of it is stored, and whoever stops it need not care."""
    provider = saying("One ", "two")
    async with replicas(provider) as (here, there):
        message_id = await begun(here, provider)
        hub = there.follow_answer._event_log.hub  # type: ignore[attr-defined]  # the fake
        address = next(iter(hub.told))
        hub.is_deaf = True
        asyncio.get_running_loop().call_later(0.05, hub.die, address)
        stopped = await there.stop_answer.execute(DEFAULT_TENANT, message_id)
        provider.let()

    assert Stopped(message_id=message_id, status="interrupted", stopped=False) == stopped
