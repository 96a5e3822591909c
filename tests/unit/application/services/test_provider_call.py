"""One call to one provider, read whole or in pieces, within the same limits."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import attrs
import pytest

from adapters.system import SystemClock
from application.ports.chat_provider import ProviderCall, Timeouts, WireRequest
from application.services.provider_call import LiveCall
from domain.chat import AnswerFinished, AnswerStarted, ChatRequest, ProviderEvent, TextDelta
from domain.errors import ProviderFailure
from domain.message import Message
from domain.model import ModelRef, ModelSpec

Said: TypeAlias = Sequence[ProviderEvent] | float
"""What comes at once, or for how many seconds nothing does."""

STARTED = AnswerStarted(response_id="x")
FINISHED = AnswerFinished(reason="stop")
LONG_S = 30.0
REF = ModelRef("a", "x")


@attrs.define
class Provider:
    said: Sequence[Said]
    timeouts: Timeouts
    name: str = "a"
    is_ended: bool = False

    def refused_parameters(self, names: object) -> frozenset[str]:
        return frozenset()

    @asynccontextmanager
    async def open(self, call: ProviderCall) -> AsyncGenerator[AsyncGenerator[Sequence[ProviderEvent]]]:
        try:
            yield self._batches()
        finally:
            self.is_ended = True

    async def _batches(self) -> AsyncGenerator[Sequence[ProviderEvent]]:
        for each in self.said:
            if isinstance(each, float):
                await asyncio.sleep(each)
            else:
                yield each

    def lower(self, call: ProviderCall) -> WireRequest:
        raise AssertionError("nothing is shown here")

    async def aclose(self) -> None:
        """There is nothing to close."""


def limits(**limits_s: float) -> Timeouts:
    return attrs.evolve(
        Timeouts(first_token_s=LONG_S, idle_s=LONG_S, content_idle_s=LONG_S, total_s=LONG_S),
        **limits_s,
    )


async def asked(*said: Said, timeouts: Timeouts, in_pieces: bool, stream: bool = False) -> LiveCall:
    """Waits for all of it, and ends it whatever comes."""
    provider, clock = Provider(said, timeouts), SystemClock()
    request = ChatRequest(messages=(Message.of("user", "hello"),), model=REF)
    call = LiveCall(
        provider=provider,
        call=ProviderCall(request=request, spec=ModelSpec(ref=REF), stream=stream),
        clock=clock,
        total_s=timeouts.total_s,
        is_retry=False,
        started_at=clock.now(),
        started=clock.monotonic(),
    )
    try:
        if in_pieces:
            await call.begin()
            content = call.first
            while content:
                content = await call.next()
        else:
            await call.whole()
    finally:
        await call.close()
        assert provider.is_ended
    return call


both = pytest.mark.parametrize("in_pieces", [True, False])


@both
async def test_all_that_was_said_is_in_the_transcript(in_pieces: bool) -> None:
    """However it came."""
    call = await asked(
        [STARTED],
        [TextDelta(text="Pa")],
        [],
        [TextDelta(text="ris."), FINISHED],
        timeouts=limits(),
        in_pieces=in_pieces,
        stream=True,
    )

    assert (call.transcript.text, call.transcript.finish_reason) == ("Paris.", "stop")
    assert call.first_chunk_s is not None
    assert 0 < call.first_chunk_s <= call.waited_s < LONG_S


@both
async def test_only_a_stream_has_a_first_piece(in_pieces: bool) -> None:
    """Of a whole answer nobody knows when its first token was there; one without content has none either."""
    whole = await asked([TextDelta(text="Paris."), FINISHED], timeouts=limits(), in_pieces=in_pieces)
    empty = await asked([STARTED, FINISHED], timeouts=limits(), in_pieces=in_pieces, stream=True)

    assert (whole.first_chunk_s, empty.first_chunk_s) == (None, None)


@both
async def test_an_answer_without_an_end_is_cut(in_pieces: bool) -> None:
    """A connection that closes early looks like this."""
    with pytest.raises(ProviderFailure, match="before it was complete") as failed:
        await asked([TextDelta(text="Pa")], timeouts=limits(), in_pieces=in_pieces)

    assert failed.value.kind == "connection_lost"


@both
@pytest.mark.parametrize(
    ("said", "timeouts"),
    [
        ((LONG_S,), limits(first_token_s=0.02)),
        # Whatever comes that is no content does not put the first one's limit off.
        (([STARTED], 0.015, [], 0.015, [], LONG_S), limits(first_token_s=0.02)),
        (([TextDelta(text="Pa")], LONG_S), limits(idle_s=0.02)),
        # Pings keep the line, and not the answer.
        (([TextDelta(text="Pa")], *(0.01, []) * 100, LONG_S), limits(content_idle_s=0.05)),
        ((*(0.01, [TextDelta(text="Pa")]) * 100, LONG_S), limits(total_s=0.05)),
    ],
    ids=["nothing comes", "no content comes", "nothing more comes", "no more content comes", "no end comes"],
)
async def test_who_is_silent_for_too_long_has_not_answered(
    said: tuple[Said, ...], timeouts: Timeouts, in_pieces: bool
) -> None:
    """Each limit ends the call by itself."""
    async with asyncio.timeout(LONG_S / 2):
        with pytest.raises(ProviderFailure, match="silent") as failed:
            await asked(*said, timeouts=timeouts, in_pieces=in_pieces)

    assert failed.value.kind == "no_answer"


@both
async def test_who_is_told_to_end_ends(in_pieces: bool) -> None:
    """Somebody else's cancellation is no silence of the provider."""
    task = asyncio.create_task(asked(LONG_S, timeouts=limits(), in_pieces=in_pieces))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
