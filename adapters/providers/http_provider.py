"""A provider over HTTP: a wire codec, a transport and the rules that both vendors' answers share."""

import asyncio
import contextlib
import logging
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from types import TracebackType
from typing import Final, Protocol

import attrs
import orjson

from adapters.providers.failure_words import provider_failure
from adapters.providers.hints import HeaderLookup
from adapters.providers.repeated_frame import RepeatedFrame
from adapters.providers.sse import SSEParser
from adapters.providers.transport.port import Answer, Endpoint, Transport, too_large
from application.ports.chat_provider import ProviderCall, Timeouts, WireRequest
from domain.chat import ProviderEvent, TextDelta, ToolCallDelta
from domain.errors import Fault, InvalidRequest, ProviderFailure

_log = logging.getLogger(__name__)

MAX_STREAM_BYTES: Final = 64 * 1024 * 1024
"""Of a stream, decompressed, its framing included: 200,000 frames of the usual size."""

MAX_ANSWER_CHARACTERS: Final = 8 * 1024 * 1024
"""Of text and arguments in one streamed answer; an unstreamed one is limited by its bytes."""

_TRAILER_S: Final = 0.5
"""How long to wait, at most, for what may follow the finish reason (usage, `[DONE]`) before the answer counts as whole."""

_UNWRITABLE: Final = (
    "the request holds something that JSON can't carry: NaN, or more than 200 levels of nesting"
)

_DRAIN_S: Final = 0.05
"""How long to wait for the end of the body after the stream's own end mark."""


class StreamDecoder(Protocol):
    """Turns the data of one stream's events into domain events. One for each answer."""

    @property
    def repeated(self) -> RepeatedFrame:
        """What it learned of frames that need not be fed: those that say a piece of text and nothing else."""

    @property
    def is_finished(self) -> bool:
        """The model has said why it stopped: the answer is whole, whatever becomes of the connection."""

    @property
    def is_closed(self) -> bool:
        """The stream's own end mark has come: what follows is ignored."""

    def feed(self, data: bytes) -> list[ProviderEvent]:
        """Raises ProviderFailure for an error inside the stream. Data that is no event of the wire is skipped."""

    def end(self) -> list[ProviderEvent]:
        """What to yield last: usage, and AnswerFinished if the answer is whole."""


class Codec(Protocol):
    """One vendor's wire. Pure."""

    def encode(self, call: ProviderCall) -> bytes:
        """Raises ValueError for a call that JSON can't carry."""

    def decode(self, body: bytes) -> list[ProviderEvent]:
        """The events of a whole answer.

        Raises:
            ProviderFailure: it is an error object, or not an answer (`bad_body`).
        """

    def decoder(self) -> StreamDecoder: ...

    def failure(self, status: int, header: HeaderLookup, body: bytes) -> ProviderFailure: ...


@attrs.define
class HTTPProvider:
    """A ChatProvider, given its codec and transport."""

    name: str
    timeouts: Timeouts
    endpoint_of: Callable[[ProviderCall], Endpoint]
    codec: Codec
    transport: Transport
    parameters: frozenset[str] | None = frozenset()
    """The further fields of a request that the wire takes; None where it takes any."""

    def refused_parameters(self, names: Collection[str]) -> frozenset[str]:
        return frozenset() if self.parameters is None else frozenset(names) - self.parameters

    def lower(self, call: ProviderCall) -> WireRequest:
        """Raises InvalidRequest for a call that `open` would refuse with `bad_request`."""
        endpoint = self.endpoint_of(call)
        try:
            body = self.codec.encode(call)
        except ValueError as exc:
            raise InvalidRequest.of(Fault(path="", message=_UNWRITABLE)) from exc
        return WireRequest(method=endpoint.method, url=endpoint.url, body=orjson.loads(body))

    def open(self, call: ProviderCall) -> "_Exchange":
        return _Exchange(self, call)

    async def aclose(self) -> None:
        await self.transport.aclose()


class _Exchange:
    """One call. A class rather than `asynccontextmanager`: this is the hot path.

    Nothing but ProviderFailure and cancellation comes out, on entering and while iterating: a codec that trips
    over what a vendor sent is a `bad_body`, not an error of the server's own.
    """

    __slots__ = ("_answer", "_call", "_events", "_provider")

    def __init__(self, provider: HTTPProvider, call: ProviderCall) -> None:
        self._provider = provider
        self._call = call
        self._answer: Answer | None = None
        self._events: AsyncGenerator[Sequence[ProviderEvent], None] | None = None

    async def __aenter__(self) -> AsyncIterator[Sequence[ProviderEvent]]:
        provider, codec = self._provider, self._provider.codec
        answer: Answer | None = None
        try:
            try:
                body = codec.encode(self._call)
            except ValueError as exc:
                raise ProviderFailure("bad_request", _UNWRITABLE) from exc
            answer = await provider.transport.send(provider.endpoint_of(self._call), body)
            status = answer.status
            if status != 200:
                raise codec.failure(status, answer.header, await _error_body(answer))
            if not _is_stream(answer.header("content-type"), asked=self._call.stream):
                listed = _Listed(codec.decode(await answer.read()))
                answer.close()
                return listed
            timeouts = provider.timeouts
            # Shorter than the limits of whoever waits: they would take an answer that is whole for one that stalls.
            trailer_s = min(_TRAILER_S, timeouts.idle_s / 2, timeouts.first_token_s / 2)
            events = _stream_events(answer, codec.decoder(), trailer_s=trailer_s)
            if not self._call.stream:
                # A stream that nobody asked for: the whole answer, as promised, before entering.
                listed = await _whole(events)
                answer.close()
                return listed
        except BaseException as exc:
            if answer is not None:
                answer.close()
            if isinstance(exc, ProviderFailure) or not isinstance(exc, Exception):
                raise
            raise _tripped(exc) from exc  # see above
        self._answer = answer
        self._events = events
        return events

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._answer is not None:
            # The connection first: closing the generator may be cancelled, this can't.
            self._answer.close()
        if self._events is not None:
            # RuntimeError: the generator is running, since another task still reads from it.
            with contextlib.suppress(RuntimeError):
                await self._events.aclose()


class _Listed:
    """Events that are all there already, and what cut them short."""

    __slots__ = ("_events", "_failure")

    def __init__(self, events: list[ProviderEvent], failure: ProviderFailure | None = None) -> None:
        self._events: list[ProviderEvent] | None = events
        self._failure = failure

    def __aiter__(self) -> "_Listed":
        return self

    async def __anext__(self) -> Sequence[ProviderEvent]:
        events, self._events = self._events, None
        if events is not None:
            return events
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        raise StopAsyncIteration


def _is_stream(content_type: str | None, *, asked: bool) -> bool:
    """What came, by its type; where that says nothing, what was asked for."""
    if content_type == "application/json":  # nearly always
        return False
    if content_type is None:
        return asked
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return True
    if kind.endswith("json") or kind == "text/html":
        return False
    return asked


async def _error_body(answer: Answer) -> bytes:
    """The body of a refusal, empty where it can't be read: the status says enough."""
    try:
        return await answer.read()
    except ProviderFailure:
        return b""


async def _whole(batches: AsyncIterator[Sequence[ProviderEvent]]) -> _Listed:
    """All events of a stream, neighbours that belong together in one: an event takes more room than its letters.

    What was said of one that was cut is handed on before the failure: it has been paid for.

    Raises:
        ProviderFailure: nothing was said, or too much for an answer: that is not even counted, as in any other body.
    """
    listed: list[ProviderEvent] = []
    failure: ProviderFailure | None = None
    try:
        await _gather(batches, listed)
    except ProviderFailure as cut:
        if cut.kind == "too_large" or not any(isinstance(each, TextDelta | ToolCallDelta) for each in listed):
            raise
        failure = cut
    return _Listed(listed, failure)


async def _gather(batches: AsyncIterator[Sequence[ProviderEvent]], listed: list[ProviderEvent]) -> None:
    """Adds them to `listed`, up to what is raised."""
    pieces: list[str] = []
    try:
        async for batch in batches:
            _add(batch, listed, pieces)
    finally:
        _join(listed, pieces)


def _add(batch: Sequence[ProviderEvent], listed: list[ProviderEvent], pieces: list[str]) -> None:
    """
    Args:
        pieces: what belongs to the last event of `listed`.
    """
    for event in batch:
        last = listed[-1] if listed else None
        if type(event) is TextDelta and type(last) is TextDelta:
            pieces.append(event.text)
            continue
        if (
            type(event) is ToolCallDelta
            and type(last) is ToolCallDelta
            and event.index == last.index
            and event.id is None
            and event.name is None
        ):
            pieces.append(event.arguments)
            continue
        _join(listed, pieces)
        listed.append(event)


def _join(listed: list[ProviderEvent], pieces: list[str]) -> None:
    """Adds `pieces` to the last event."""
    if not pieces:
        return
    more, last = "".join(pieces), listed[-1]
    if isinstance(last, TextDelta):
        listed[-1] = TextDelta(last.text + more)
    elif isinstance(last, ToolCallDelta):
        listed[-1] = attrs.evolve(last, arguments=last.arguments + more)
    pieces.clear()


async def _stream_events(
    answer: Answer, decoder: StreamDecoder, *, trailer_s: float
) -> AsyncGenerator[Sequence[ProviderEvent], None]:
    """A batch for each block that came, empty where nothing in it is news.

    Args:
        trailer_s: how long to wait for what may follow the finish reason.
    """
    parser = SSEParser()
    received = said = 0
    over_at: float | None = None
    """When an answer that is whole is waited for no more, whatever still comes."""
    batch: list[ProviderEvent] = []
    try:
        while True:
            try:
                if not decoder.is_finished:
                    block = await answer.block()
                else:
                    now = asyncio.get_running_loop().time()
                    over_at = over_at or now + trailer_s
                    if now >= over_at:
                        break
                    async with asyncio.timeout_at(over_at):
                        block = await answer.block()
                received += len(block)
                if received > MAX_STREAM_BYTES:
                    raise too_large()
                batch = []
                _decode(parser.feed(block) if block else parser.close(), decoder, batch)
                for event in batch:
                    if type(event) is TextDelta:
                        said += len(event.text)
                    elif type(event) is ToolCallDelta:
                        said += len(event.arguments)
                if said > MAX_ANSWER_CHARACTERS:
                    raise too_large()
            except (TimeoutError, ProviderFailure):
                if not decoder.is_finished:
                    raise
                break  # nothing that follows the finish reason can take it back
            if not block or decoder.is_closed:
                break
            yield batch
            batch = []
        # What a cut stream has counted so far is not what it cost: Anthropic's first frame says "1 token".
        yield [*batch, *decoder.end()] if decoder.is_finished else batch
    except ProviderFailure:
        answer.close()
        if batch:  # what came before the failure, in the same block
            yield batch
        raise
    except Exception as exc:  # see _Exchange
        answer.close()
        raise _tripped(exc) from exc
    if decoder.is_closed:
        # Reading up to the end of the body gives the connection back to the pool. It comes with the end mark or
        # right after it; a server that goes on sending, or waits, costs itself the connection.
        try:
            async with asyncio.timeout(_DRAIN_S):
                await answer.block()
        except (TimeoutError, ProviderFailure):
            return


def _decode(frames: Sequence[bytes], decoder: StreamDecoder, batch: list[ProviderEvent]) -> None:
    """Adds what `frames` say to `batch`, up to the stream's end mark, or to the frame that raises."""
    repeated, at = decoder.repeated, 0
    while at < len(frames) and not decoder.is_closed:
        texts = repeated.texts(frames, at)
        if texts:
            batch += [TextDelta(text) for text in texts if text]
            at += len(texts)
        else:
            batch += decoder.feed(frames[at])
            at += 1


def _tripped(exc: Exception) -> ProviderFailure:
    """Says in the log where, for whoever mends the codec; what the exception says may quote the vendor."""
    frames = " < ".join(
        f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(exc.__traceback__)[-8:])
    )
    _log.error("reading a provider's answer raised %s in %s", type(exc).__name__, frames)
    return provider_failure("bad_body")


def made_up_id(index: int) -> str:
    """For a tool call that came without one: callers answer a call by its id, and no provider takes an empty one."""
    return f"call_{index}"


def not_an_answer() -> ProviderFailure:
    return provider_failure("bad_body", status=200)
