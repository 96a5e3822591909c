"""What becomes of an exchange's pin when its answer is made again; wired as in production on the shipped fakes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest

from application.services import exchange_reading
from application.services.pinning import PinCarrier
from application.use_cases.chat_command import SendChatCommand
from application.use_cases.pin_message import PinMessageCommand
from domain.answer import ChatAnswer
from domain.errors import ChatFailed, Conflict, InvalidRequest, ProviderFailure
from domain.ids import DEFAULT_TENANT, MessageId, ThreadId
from domain.message import Message, ToolCall
from domain.thread import MAX_PINNED, ChatRecord, StoredMessage
from entrypoints.application import Application
from lor3.testing import InMemoryStore, ScriptedProvider, fake_application
from tests.support.held_provider import Held

BROKEN = ProviderFailure("bad_request", "it broke", status=400)


@attrs.define
class Bench:
    lor3: Application
    store: InMemoryStore
    provider: ScriptedProvider

    async def chat(self, *turns: str, **fields: object) -> ChatAnswer:
        command = SendChatCommand(request_id="r", messages=tuple(Message.of("user", each) for each in turns))
        command = attrs.evolve(command, **fields)  # type: ignore[arg-type] # a test's own
        if len(command.messages) > 1:
            command = attrs.evolve(command, own_history=True)
        return await self.lor3.send_chat.execute(command)

    async def again(self, message_id: MessageId) -> ChatAnswer:
        return await self.lor3.send_chat.execute(SendChatCommand(request_id="r", regenerates=message_id))

    async def pin(self, message_id: MessageId, pinned: bool = True) -> None:
        await self.lor3.pin_message.execute(PinMessageCommand(message_id=message_id, pinned=pinned))

    def messages(self, thread_id: ThreadId) -> list[StoredMessage]:
        found = [each for each in self.store.shelves.messages.values() if each.thread_id == thread_id]
        return sorted(found, key=lambda each: each.position or 0)

    def pinned(self, thread_id: ThreadId) -> list[int | None]:
        return [each.position for each in self.messages(thread_id) if each.pinned]


@asynccontextmanager
async def bench(provider: ScriptedProvider | None = None) -> AsyncIterator[Bench]:
    provider, store = provider or ScriptedProvider(["ok"]), InMemoryStore()
    async with fake_application({"a": provider}, store=store) as lor3:
        yield Bench(lor3, store, provider)


async def test_pin_follows_to_the_newest_answer() -> None:
    """However often it is made again, the exchange takes two places of a hundred, and others can be pinned."""
    async with bench() as it:
        first = answer = await it.chat("Hello?")
        await it.pin(first.message_id)
        for _ in range(60):
            answer = await it.again(answer.message_id)
        other = await it.chat("And?", thread_id=first.thread_id)
        await it.pin(other.message_id)
        last = await it.chat("Now?", thread_id=first.thread_id, context_depth=2)

        assert it.pinned(first.thread_id) == [0, 60 + 1, 62, 63]
        assert (last.context.injected, last.context.left_out) == (4, ())


async def test_answer_that_failed_is_not_pinned() -> None:
    """The one before it stays in its place."""
    async with bench(ScriptedProvider(["one", BROKEN])) as it:
        first = await it.chat("Hello?")
        await it.pin(first.message_id)
        with pytest.raises((ChatFailed, InvalidRequest)):
            await it.again(first.message_id)

        assert [each.status for each in it.messages(first.thread_id)] == ["complete", "complete", "failed"]
        assert it.pinned(first.thread_id) == [0, 1]


@pytest.mark.parametrize("pinned", [True, False])
async def test_the_last_word_is_the_user_s(pinned: bool) -> None:
    """Pinned or let go of while another answer grows: the newest exchange is pinned as a whole, or nothing is."""
    provider = Held(["one", "another", "two", "three"])
    provider.go.set()
    async with bench(provider) as it:
        first = await it.chat("Hello?")
        if not pinned:
            await it.pin(first.message_id)
        provider.go.clear()
        provider.asked.clear()
        again = asyncio.ensure_future(it.again(first.message_id))
        await provider.asked.wait()
        await it.pin(first.message_id, pinned)
        provider.go.set()
        await again
        await it.chat("two?", thread_id=first.thread_id)
        await it.chat("three?", thread_id=first.thread_id, context_depth=2)

        assert it.pinned(first.thread_id) == ([0, 2] if pinned else [])
        remembered = [each.text for each in provider.calls[3].request.history]
        assert remembered == ["Hello?", "another"] * pinned + ["two?", "two"]


async def test_exchange_that_outgrows_the_limit_is_let_go_with_a_warning() -> None:
    """Half of it pinned would be no memory."""
    call = ToolCall(id="c", name="look", arguments="{}")
    async with bench() as it:
        turns = [Message.of("user", f"part {number}") for number in range(MAX_PINNED - 1)]
        first = await it.chat(messages=tuple(turns))
        await it.pin(first.message_id)
        question = it.messages(first.thread_id)[-2]
        fresh = attrs.evolve(
            it.messages(first.thread_id)[-1],
            id=MessageId(it.lor3.ids.new()),
            message=Message(role="assistant", tool_calls=(call,)),
            parent=question.id,
            pinned=True,
        )
        await _append(it, fresh)
        result = attrs.evolve(Message.of("tool", "found"), tool_call_id="c")
        answer = await it.chat(messages=(result,), own_history=True, thread_id=first.thread_id)

        assert it.pinned(first.thread_id) == []
        assert "not pinned any more" in answer.warnings[-1]


async def test_long_exchanges_are_read_whole() -> None:
    """Three hundred turns of one chat are asked again as they were; they are too many to be pinned."""
    async with bench() as it:
        before = await it.chat("Before?")
        first = await it.chat(*[f"part {n}" for n in range(300)], thread_id=before.thread_id)
        second = await it.again(first.message_id)
        with pytest.raises(Conflict, match="has 301 more: it is too long to be pinned"):
            await it.pin(second.message_id)

        assert it.provider.calls[1].request.messages == it.provider.calls[2].request.messages
        assert (len(it.provider.calls[2].request.messages), second.context.injected) == (300, 2)


async def test_long_tool_exchanges_are_answered_again() -> None:
    """A hundred and twenty calls, each with its result."""
    turns = [Message.of("user", "start")]
    for n in range(120):
        turns.append(Message(role="assistant", tool_calls=(ToolCall(id=f"c{n}", name="f", arguments="{}"),)))
        turns.append(attrs.evolve(Message.of("tool", "found"), tool_call_id=f"c{n}"))
    async with bench() as it:
        first = await it.chat(messages=tuple(turns), own_history=True)
        await it.again(first.message_id)
        sent = it.provider.calls[1].request

        assert len(it.messages(first.thread_id)) == 243
        assert len((*sent.history, *sent.messages)) == 241


async def test_exchange_that_is_too_long_to_be_read_is_refused_with_that_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not with one that is untrue."""
    async with bench() as it:
        first = await it.chat(*[f"part {n}" for n in range(60)])
        monkeypatch.setattr(exchange_reading, "MOST_READ", 50)
        monkeypatch.setattr(exchange_reading, "_PORTION", 20)
        with pytest.raises(Conflict, match="longer than 50 messages"):
            await it.again(first.message_id)
        with pytest.raises(Conflict, match="longer than 50 messages"):
            await it.pin(first.message_id)


async def test_pin_that_can_not_follow_is_a_warning() -> None:
    """The answer is durable by then."""
    async with bench() as it:
        first = await it.chat("Hello?")
        await it.pin(first.message_id)
        question = it.messages(first.thread_id)[0].id
        it.store.shelves.available = False
        carrier = PinCarrier(unit_of_work=it.store.unit_of_work)
        warnings = await carrier.carry(DEFAULT_TENANT, first.message_id, parent=question)
        it.store.shelves.available = True

    assert "the answer is stored, but not pinned as its exchange is" in warnings[0]


async def test_failed_tries_do_not_bar_the_next_one() -> None:
    """The answer before them is still the one to make again; a complete one in its place bars it and is named."""
    async with bench(ScriptedProvider(["one", BROKEN, BROKEN, "two", BROKEN, "three"])) as it:
        first = await it.chat("Hello?")
        for _ in range(2):
            with pytest.raises((ChatFailed, InvalidRequest)):
                await it.again(first.message_id)
        second = await it.again(first.message_id)
        with pytest.raises((ChatFailed, InvalidRequest)):
            await it.again(second.message_id)
        failed = it.messages(first.thread_id)[2]
        for superseded in (first.message_id, failed.id):
            with pytest.raises(Conflict, match=f"answer {second.message_id} was made in its place"):
                await it.again(superseded)
        await it.again(second.message_id)

        assert {each.parent for each in it.messages(first.thread_id)[1:]} == {
            it.messages(first.thread_id)[0].id
        }
        assert len(it.provider.calls) == 6


async def _append(it: Bench, message: StoredMessage) -> None:
    conversation = await it.store.conversations.conversation(message.tenant, message.thread_id, limit=1)
    assert conversation is not None
    await it.store.journal.commit(
        ChatRecord(
            session=conversation.session,
            new_session=False,
            thread=conversation.thread,
            new_thread=False,
            messages=(message,),
            attempts=(),
        )
    )
