"""What every ChatProvider must do. A plugin's author subclasses the suite and gives it the fixture `bench`."""

import abc
import asyncio
import itertools
import json
from collections.abc import Sequence

import attrs
import pytest

from application.ports.chat_provider import ChatProvider, ProviderCall
from domain.chat import (
    AnswerFinished,
    AnswerStarted,
    ChatRequest,
    ProviderEvent,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from domain.errors import FailureKind, ProviderFailure
from domain.message import Message
from domain.model import ModelRef, ModelSpec


class ProviderBench(abc.ABC):
    """A provider and the means to say what its vendor answers next."""

    provider: ChatProvider

    @abc.abstractmethod
    def will_say(self, text: str) -> bool:
        """Makes the next answers say `text`. False where the answer can't be chosen (the demonstration)."""

    @abc.abstractmethod
    def will_fail(self, kind: FailureKind) -> bool:
        """Makes the next answers fail. False where the vendor can't be made to fail in that way."""

    @abc.abstractmethod
    def will_be_cut(self) -> bool:
        """Makes the next streams end in the middle. False where that can't be."""

    @abc.abstractmethod
    def will_hang(self) -> bool:
        """Makes the next streams stop after a first piece and stay open. False where that can't be."""


def call_for(text: str = "Say hello.", *, stream: bool = False, model: str = "m-1") -> ProviderCall:
    """A call with one user turn."""
    ref = ModelRef("suite", model)
    request = ChatRequest(messages=(Message.of("user", text),), model=ref)
    return ProviderCall(request=request, spec=ModelSpec(ref=ref), stream=stream)


async def events_of(provider: ChatProvider, call: ProviderCall) -> list[ProviderEvent]:
    async with provider.open(call) as batches:
        return [event async for batch in batches for event in batch]


def text_of(events: Sequence[ProviderEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@attrs.define
class _Order:
    """The place of each kind of event: none may come after one with a higher number."""

    @staticmethod
    def of(event: ProviderEvent) -> int:
        if isinstance(event, AnswerStarted):
            return 0
        if isinstance(event, (TextDelta, ToolCallDelta)):
            return 1
        return 2 if isinstance(event, UsageReported) else 3


class ChatProviderSuite:
    """Subclass it in a test module and define an async fixture `bench` that gives a `ProviderBench`."""

    @pytest.mark.parametrize("stream", [False, True])
    async def test_events_come_in_the_promised_order(self, bench: ProviderBench, stream: bool) -> None:
        """AnswerStarted?, UsageReported*, content*, UsageReported*, one AnswerFinished at the end."""
        events = await events_of(bench.provider, call_for(stream=stream))

        started = [event for event in events if isinstance(event, AnswerStarted)]
        behind = itertools.dropwhile(lambda event: isinstance(event, UsageReported), events[len(started) :])
        places = [_Order.of(event) for event in behind]
        assert started == events[: len(started)]
        assert sorted(places) == places
        assert [event for event in events if isinstance(event, AnswerFinished)] == events[-1:]

    @pytest.mark.parametrize("stream", [False, True])
    async def test_text_arrives_byte_for_byte(self, bench: ProviderBench, stream: bool) -> None:
        """Whitespace, line breaks and characters of every plane survive."""
        said = 'Two  spaces,\nlines\r\n\r\n"quotes" \\ data: x\n\nevent: done, ünïcödé 😀 \u2028 and a tail\n'
        if not bench.will_say(said):
            said = text_of(await events_of(bench.provider, call_for()))

        events = await events_of(bench.provider, call_for(stream=stream))

        assert said == text_of(events)

    async def test_streamed_and_whole_answers_say_the_same(self, bench: ProviderBench) -> None:
        """Only the cutting differs."""
        whole = await events_of(bench.provider, call_for())
        streamed = await events_of(bench.provider, call_for(stream=True))

        assert text_of(whole) == text_of(streamed)
        assert whole[-1] == streamed[-1]

    @pytest.mark.parametrize("stream", [False, True])
    async def test_usage_is_reported(self, bench: ProviderBench, stream: bool) -> None:
        """The last report holds believable counts."""
        events = await events_of(bench.provider, call_for(stream=stream))

        usage = [event for event in events if isinstance(event, UsageReported)][-1]
        assert usage.input_tokens is not None
        assert usage.output_tokens is not None
        assert usage.input_tokens >= 0
        assert usage.output_tokens > 0

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("kind", ["rate_limited", "overloaded", "server_error", "auth", "bad_request"])
    async def test_a_refusal_is_a_provider_failure_of_its_kind(
        self, bench: ProviderBench, kind: FailureKind, stream: bool
    ) -> None:
        """It is raised on entering or from the iterator, and nothing else is."""
        if not bench.will_fail(kind):
            return

        with pytest.raises(ProviderFailure) as caught:
            await events_of(bench.provider, call_for(stream=stream))

        assert kind == caught.value.kind

    async def test_a_cut_stream_never_finishes(self, bench: ProviderBench) -> None:
        """It raises, or ends without AnswerFinished; what came before it is handed on."""
        if not bench.will_be_cut():
            return
        seen: list[ProviderEvent] = []

        try:
            async with bench.provider.open(call_for(stream=True)) as batches:
                async for batch in batches:
                    seen += batch
        except ProviderFailure as failure:
            assert failure.kind in ("connection_lost", "bad_body")  # noqa: PT017 - both ways of ending are right

        assert text_of(seen)
        assert not [event for event in seen if isinstance(event, AnswerFinished)]

    async def test_leaving_early_is_clean_and_the_next_call_succeeds(self, bench: ProviderBench) -> None:
        """A caller may stop reading whenever it likes."""
        bench.will_hang()
        async with bench.provider.open(call_for(stream=True)) as batches:
            async for batch in batches:
                if any(isinstance(event, (TextDelta, ToolCallDelta)) for event in batch):
                    break
        bench.will_say("All well.")

        events_after = await events_of(bench.provider, call_for())

        assert isinstance(events_after[-1], AnswerFinished)

    async def test_a_cancelled_reader_ends_promptly(self, bench: ProviderBench) -> None:
        """CancelledError goes through and leaves nothing behind."""
        if not bench.will_hang():
            return
        begun = asyncio.Event()

        async def read() -> None:
            async with bench.provider.open(call_for(stream=True)) as batches:
                async for batch in batches:
                    if any(isinstance(event, TextDelta) for event in batch):
                        begun.set()

        task = asyncio.create_task(read())
        await asyncio.wait_for(begun.wait(), 5)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)

    async def test_calls_do_not_disturb_one_another(self, bench: ProviderBench) -> None:
        """Twenty at once give twenty whole answers."""
        calls = [call_for(stream=number % 2 == 0) for number in range(20)]

        answers = await asyncio.gather(*(events_of(bench.provider, call) for call in calls))

        texts = {text_of(events) for events in answers}
        assert len(texts) == 1
        assert all(isinstance(events[-1], AnswerFinished) for events in answers)

    async def test_lower_shows_the_request_without_credentials(self, bench: ProviderBench) -> None:
        """The body is JSON, and it holds the user's words."""
        wire = bench.provider.lower(call_for("Lower me."))

        assert "Lower me." in json.dumps(wire.body)
        assert "key" not in wire.url

    async def test_refused_parameters_are_some_of_those_asked_for(self, bench: ProviderBench) -> None:
        """Of none there are none, so that a request without any is never held up by them."""
        asked = frozenset(("top_k", "logit_bias", "no_such_parameter"))

        assert bench.provider.refused_parameters(()) == frozenset()
        assert bench.provider.refused_parameters(asked) <= asked

    async def test_a_closed_provider_does_not_hang(self, bench: ProviderBench) -> None:
        """Closing twice is fine."""
        await bench.provider.aclose()
        await bench.provider.aclose()
