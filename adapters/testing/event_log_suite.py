"""What every event log must do."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager

import attrs
import pytest

from application.ports.event_log import AnswerAddress, EventLog, Following
from domain.answer import ChatAdmitted, ChatEvent, ChatStarted, Delta, Reset, ToolCalled, ToolCallGrew
from domain.errors import AnswerInterrupted, AnswerUnknown, InvalidRequest, LorError
from domain.ids import DEFAULT_TENANT, MessageId, SessionId, Tenant, ThreadId
from domain.live_answer import RUN, Ending, Portion, Position, after
from domain.message import ImagePart, Message, TextPart, ToolCall
from domain.model import ModelRef

_ID = "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e0"
ADDRESS = AnswerAddress(DEFAULT_TENANT, MessageId(_ID + "1"))
_OTHER = AnswerAddress(DEFAULT_TENANT, MessageId(_ID + "2"))
_MODEL = ModelRef("up", "m")
_EVENTS: tuple[ChatEvent, ...] = (
    ChatStarted(
        message_id=ADDRESS.message_id,
        thread_id=ThreadId(_ID + "3"),
        session_id=SessionId(_ID + "4"),
        model=_MODEL,
        prompt_version="agent:v3",
    ),
    Delta("Hello, "),
    Delta("wörld \U0001f600\n\r\u2028 "),
    ToolCallGrew(index=0, id="call_1", name="look", arguments='{"a'),
    Reset(reason="rate_limited", from_model=_MODEL, to_model=ModelRef("other", "n")),
    Delta("half \ud83d"),
    ToolCalled(ToolCall(id="call_1", name="look", arguments="{", complete=False)),
    Delta("end"),
)


_ASKED = ChatAdmitted(
    message_id=ADDRESS.message_id,
    thread_id=ThreadId(_ID + "3"),
    session_id=SessionId(_ID + "4"),
    turns=(
        Message(
            role="user",
            parts=(
                TextPart(text="wörld\n\ud83d"),
                ImagePart(data="aGk=", media_type="image/png", detail="low"),
            ),
        ),
        Message(role="assistant", tool_calls=(ToolCall(id="call_1", name="look", arguments="{"),)),
        Message(role="tool", parts=(TextPart(text=""),), tool_call_id="call_1"),
    ),
    parent=_OTHER.message_id,
)


@attrs.define
class GatheringSink:
    """Keeps the events that it is given, and refuses a gap."""

    ends: Position = 0
    events: list[ChatEvent] = attrs.field(factory=list)
    ending: Ending | None = None
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)

    def append(self, portion: Portion) -> None:
        assert self.ending is None
        assert self.ends == portion.begins
        for event in portion.events:
            self.ends = after(self.ends, event)
            self.events.append(event)

    def end(self, ending: Ending) -> None:
        assert self.ending is None
        self.ending = ending
        self.ended.set()

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))

    async def until(self, ends: Position, *, within_s: float = 30.0) -> None:
        async with asyncio.timeout(within_s):
            while self.ends < ends:  # noqa: ASYNC110 - a sink tells nobody
                await asyncio.sleep(0.005)

    async def until_ended(self, *, within_s: float = 30.0) -> Ending:
        async with asyncio.timeout(within_s):
            await self.ended.wait()
        assert self.ending is not None
        return self.ending


async def followed(log: EventLog, address: AnswerAddress, sink: GatheringSink) -> Following | None:
    """What `follow` finds within a second: what was begun a moment ago need not be there at once, nor the log."""
    for _ in range(40):
        with contextlib.suppress(AnswerUnknown):
            following = await log.follow(address, sink)
            if following is not None or not log.is_shared:
                return following
        await asyncio.sleep(0.025)
    return None


class EventLogSuite(ABC):
    """Subclass it, open the logs, and let pytest collect it."""

    @abstractmethod
    def open(self, count: int) -> AbstractAsyncContextManager[list[EventLog]]:
        """Started logs that share with each other, each as in a process of its own, and with nobody else's test."""

    async def test_what_nobody_makes_is_not_there(self) -> None:
        """Neither by its address nor by a name, and the sink is left alone."""
        async with self.open(1) as (log,):
            sink = GatheringSink()

            assert await log.follow(ADDRESS, sink) is None
            assert await log.find(DEFAULT_TENANT, "key:1") is None
            assert await log.asked(DEFAULT_TENANT, "key:1") is None
        assert GatheringSink(ended=sink.ended) == sink

    async def test_telling_waits_for_nothing(self) -> None:
        """In an order that makes no sense, too."""
        async with self.open(1) as (log,):
            log.publish(ADDRESS, Portion(begins=0, events=(Delta("a"),)))
            log.end(ADDRESS, Ending())
            log.begin(ADDRESS, names=("one", "two"))
            log.publish(ADDRESS, Portion(begins=0, events=()))
            log.publish(ADDRESS, Portion(begins=0, events=(Delta("a"),)))
            log.end(ADDRESS, Ending())
            log.end(ADDRESS, Ending())
            await log.ask_to_stop(ADDRESS)

    async def test_closing_again_changes_nothing(self) -> None:
        """Nor does what is said afterwards."""
        async with self.open(1) as (log,):
            log.begin(ADDRESS)
            await log.aclose()
            await log.aclose()
            log.begin(_OTHER)
            log.publish(ADDRESS, Portion(begins=0, events=(Delta("a"),)))
            log.end(ADDRESS, Ending())
            await log.ask_to_stop(ADDRESS)

            assert await log.follow(ADDRESS, GatheringSink()) is None
            assert await log.find(DEFAULT_TENANT, "key:1") is None


class SharedEventLogSuite(EventLogSuite):
    """Of one whose `is_shared` is true."""

    async def test_a_reader_elsewhere_gets_every_event_as_it_was(self) -> None:
        """In order, while they come, and how it ended."""
        async with self.open(2) as (here, there):
            sink = GatheringSink()
            here.begin(ADDRESS)
            following = await followed(there, ADDRESS, sink)
            position = 0
            for index in range(0, len(_EVENTS), 2):
                events = _EVENTS[index : index + 2]
                here.publish(ADDRESS, Portion(begins=position, events=events))
                for event in events:
                    position = after(position, event)
                await sink.until(position)
            here.end(ADDRESS, Ending())
            ending = await sink.until_ended()

            assert following is not None
            following.close()
        assert list(_EVENTS) == sink.events
        assert Ending() == ending

    @pytest.mark.parametrize("seen", [0, 1, 2, 8, 9, 10, 16, 17, RUN, RUN + 1, RUN + 6, RUN + 7, RUN + 9])
    async def test_a_reader_gets_what_it_has_not_seen(self, seen: Position) -> None:
        """From the middle of a text too, also after the end."""
        async with self.open(2) as (here, there):
            here.begin(ADDRESS)
            here.publish(ADDRESS, Portion(begins=0, events=_EVENTS))
            here.end(ADDRESS, Ending())
            sink = GatheringSink(ends=seen)
            assert await followed(there, ADDRESS, sink) is not None
            await sink.until_ended()

        whole = GatheringSink()
        whole.append(Portion(begins=0, events=_EVENTS))
        assert whole.ends == sink.ends
        assert whole.text.endswith(sink.text)
        expected = 0
        for event in _EVENTS:
            expected = after(expected, event)
        position = seen
        for event in sink.events:
            position = after(position, event)
        assert expected == position

    async def test_errors_are_told_as_they_are(self) -> None:
        """With their faults, and when to try again."""
        error: LorError = InvalidRequest("model: is unknown")
        error.retryable, error.retry_after_s = True, 2.5
        async with self.open(2) as (here, there):
            here.begin(ADDRESS)
            here.end(ADDRESS, Ending(error=error))
            sink = GatheringSink()
            assert await followed(there, ADDRESS, sink) is not None
            told = (await sink.until_ended()).error

        assert isinstance(told, InvalidRequest)
        assert (error.code, error.detail, True, 2.5) == (
            told.code,
            told.detail,
            told.retryable,
            told.retry_after_s,
        )

    @pytest.mark.parametrize("count", [1, 100])
    async def test_who_finds_an_answer_has_all_that_there_was(self, count: int) -> None:
        """At once, its end included, so that nobody has to wait for what may be all."""
        async with self.open(2) as (here, there):
            here.begin(ADDRESS)
            for number in range(count):
                here.publish(ADDRESS, Portion(begins=number, events=(Delta("x"),)))
                if number % 10 == 0:
                    await asyncio.sleep(0.025)
            here.end(ADDRESS, Ending())
            waiting = GatheringSink()
            assert await followed(there, ADDRESS, waiting) is not None
            await waiting.until_ended()
            sink = GatheringSink()
            assert await there.follow(ADDRESS, sink) is not None

            assert (count, Ending()) == (sink.ends, sink.ending)

    async def test_answers_are_kept_apart(self) -> None:
        """By message and by tenant, whatever characters a tenant is made of."""
        addresses = [
            AnswerAddress(Tenant(tenant), message)
            for tenant in ("default", "a:b", "a", "}{", "*", "ü\n", "")
            for message in (ADDRESS.message_id, _OTHER.message_id)
        ]
        async with self.open(2) as (here, there):
            for number, address in enumerate(addresses):
                here.begin(address, names=("name",))
                here.publish(address, Portion(begins=0, events=(Delta(str(number)),)))
                here.end(address, Ending())
            sinks = [GatheringSink() for _ in addresses]
            for address, sink in zip(addresses, sinks, strict=True):
                assert await followed(there, address, sink) is not None
                await sink.until_ended()
            found = {address.tenant: await there.find(address.tenant, "name") for address in addresses}

        assert [str(number) for number in range(len(addresses))] == [sink.text for sink in sinks]
        assert {_OTHER.message_id} == set(found.values())

    async def test_names_find_the_last_answer_that_took_them(self) -> None:
        """In their tenant, while it is made and a while after."""
        async with self.open(2) as (here, there):
            here.begin(ADDRESS, names=("key:ü", "chat:1"))
            assert await followed(there, ADDRESS, GatheringSink()) is not None
            first = [await there.find(DEFAULT_TENANT, name) for name in ("key:ü", "chat:1", "chat:2")]
            there.begin(_OTHER, names=("chat:1",))
            assert await followed(here, _OTHER, GatheringSink()) is not None
            here.end(ADDRESS, Ending())
            sink = GatheringSink()
            assert await followed(there, ADDRESS, sink) is not None
            await sink.until_ended()
            second = [await here.find(DEFAULT_TENANT, name) for name in ("key:ü", "chat:1")]
            foreign = await here.find(Tenant("another"), "chat:1")

        assert [ADDRESS.message_id, ADDRESS.message_id, None] == first
        assert [ADDRESS.message_id, _OTHER.message_id] == second
        assert foreign is None

    async def test_what_an_answer_is_made_for_is_told_while_it_is_made(self) -> None:
        """To those who have a name of it, in its tenant; readers get events alone."""
        async with self.open(2) as (here, there):
            here.begin(ADDRESS, names=("chat:1",), asked=_ASKED)
            here.begin(_OTHER, names=("chat:2",))
            sink = GatheringSink()
            assert await followed(there, ADDRESS, sink) is not None
            assert await followed(there, _OTHER, GatheringSink()) is not None
            before = [await log.asked(DEFAULT_TENANT, "chat:1") for log in (here, there)]
            here.publish(ADDRESS, Portion(begins=0, events=_EVENTS))
            await sink.until(1)
            during = await there.asked(DEFAULT_TENANT, "chat:1")
            others = [
                await there.asked(DEFAULT_TENANT, "chat:2"),
                await there.asked(DEFAULT_TENANT, "chat:3"),
                await there.asked(Tenant("another"), "chat:1"),
            ]
            here.end(ADDRESS, Ending())
            await sink.until_ended()
            after_it = await there.asked(DEFAULT_TENANT, "chat:1")

        assert [*before, during] == [_ASKED, _ASKED, _ASKED]
        assert [*others, after_it] == [None] * 4
        assert list(_EVENTS) == sink.events

    async def test_many_follow_many(self) -> None:
        """Several readers of one answer at different places, and an answer of many entries, on every replica."""
        async with self.open(3) as logs:
            here, *_ = logs
            here.begin(ADDRESS)
            sinks = [GatheringSink(ends=seen) for seen in (0, 0, 5, 40)]
            for index, sink in enumerate(sinks):
                assert await followed(logs[index % 3], ADDRESS, sink) is not None
            for number in range(200):
                here.publish(ADDRESS, Portion(begins=number, events=(Delta(str(number % 10)),)))
                if number % 20 == 0:
                    await asyncio.sleep(0.005)
            here.end(ADDRESS, Ending())
            for sink in sinks:
                await sink.until_ended()

        text = "0123456789" * 20
        assert [text, text, text[5:], text[40:]] == [sink.text for sink in sinks]

    async def test_a_reader_that_leaves_gets_no_more(self) -> None:
        """And the others do."""
        async with self.open(2) as (here, there):
            here.begin(ADDRESS)
            gone, stays = GatheringSink(), GatheringSink()
            leaving = await followed(there, ADDRESS, gone)
            assert await followed(there, ADDRESS, stays) is not None
            assert leaving is not None
            leaving.close()
            here.publish(ADDRESS, Portion(begins=0, events=(Delta("a"),)))
            here.end(ADDRESS, Ending())
            await stays.until_ended()

        assert (gone.ends, gone.ending) == (0, None)

    async def test_a_stop_is_heard_elsewhere(self) -> None:
        """With the address as it was."""
        address = AnswerAddress(Tenant('a"\n:ü'), ADDRESS.message_id)
        heard: list[AnswerAddress] = []
        async with self.open(2) as (here, there):
            here.on_stop(heard.append)
            async with asyncio.timeout(30):
                while not heard:
                    await there.ask_to_stop(address)
                    await asyncio.sleep(0.05)

        assert address == heard[0]

    async def test_a_log_that_closes_ends_what_it_tells_and_what_it_reads(self) -> None:
        """So nobody waits for it, here or elsewhere."""
        async with self.open(2) as (here, there):
            here.begin(ADDRESS)
            there.begin(_OTHER)
            elsewhere, own = GatheringSink(), GatheringSink()
            assert await followed(there, ADDRESS, elsewhere) is not None
            assert await followed(here, _OTHER, own) is not None
            await here.aclose()

            assert own.ending is not None
            assert isinstance(own.ending.error, AnswerUnknown)
            assert isinstance((await elsewhere.until_ended()).error, AnswerInterrupted)
