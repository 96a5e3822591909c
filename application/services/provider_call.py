"""One call to one provider, from sending to its end, within its limits."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

import attrs

from application.ports.chat_provider import ChatProvider, ProviderCall
from application.ports.clock import Clock
from application.services.transcript import Content, Transcript
from application.services.watchdog import Watchdog
from domain.chat import ProviderEvent
from domain.errors import ProviderFailure

_NOTHING: Final[Sequence[Content]] = ()


@attrs.define(kw_only=True)
class LiveCall:
    """Opened by `begin` and read by `next`, or all in one by `whole`; always `close` it.

    Not an async generator: on the hot path those cost several microseconds each, and a call that is only
    waited for needs none.
    """

    _provider: ChatProvider
    _call: ProviderCall
    _clock: Clock
    _total_s: float
    """What is left for it: its own limit or the request's."""
    is_retry: bool
    started_at: datetime.datetime
    started: float
    transcript: Transcript = attrs.field(factory=Transcript)
    waited_s: float = 0.0
    first_chunk_s: float | None = None
    """From sending to the first content; None where the provider was not asked for a stream, or none came."""
    first: Sequence[Content] = _NOTHING
    """The first content, and what came with it; empty where the whole answer has none."""
    _dog: Watchdog = attrs.field(factory=Watchdog.of_current_task)
    _context: AbstractAsyncContextManager[AsyncIterator[Sequence[ProviderEvent]]] | None = None
    _batches: AsyncIterator[Sequence[ProviderEvent]] | None = None

    @property
    def streams(self) -> bool:
        """Whether the provider is asked for a stream, whoever waits for it."""
        return self._call.stream

    async def begin(self) -> None:
        """Sends the call and waits for the first content, for as long as the first-token limit allows.

        Raises:
            ProviderFailure: the call failed; `no_answer` where it stayed silent, or sent nothing but pings.
        """
        until = self.started + min(self._provider.timeouts.first_token_s, self._total_s)
        self._dog.arm(until - self.started)
        try:
            context = self._provider.open(self._call)
            self._batches = await context.__aenter__()
            self._context = context
            self.first = await self._content(until, idle_s=None)
            if self._call.stream and self.first:
                self.first_chunk_s = self._clock.monotonic() - self.started
        except asyncio.CancelledError:
            self._claim()
        finally:
            self._dog.disarm()
            self.waited_s += self._clock.monotonic() - self.started

    async def next(self) -> Sequence[Content]:
        """Further content, all of it that came at once; empty once the answer is complete. Raises as `begin` does."""
        since = self._clock.monotonic()
        timeouts = self._provider.timeouts
        until = min(since + timeouts.content_idle_s, self.started + self._total_s)
        self._dog.arm(min(timeouts.idle_s, until - since))
        try:
            return await self._content(until, idle_s=timeouts.idle_s)
        except asyncio.CancelledError:
            self._claim()
        finally:
            self._dog.disarm()
            self.waited_s += self._clock.monotonic() - since
        raise AssertionError("unreachable: `_claim` raises")

    async def whole(self) -> None:
        """As `begin`, and `next` to the end, in one step: the answer is in the transcript. Raises as they do."""
        started, timeouts, total_s = self.started, self._provider.timeouts, self._total_s
        transcript, dog, monotonic = self.transcript, self._dog, self._clock.monotonic
        has_begun, until = False, started + min(timeouts.first_token_s, total_s)
        dog.arm(until - started)
        try:
            context = self._provider.open(self._call)
            batches = await context.__aenter__()
            self._context = context
            async for batch in batches:
                content = transcript.take(batch)
                if content or has_begun:
                    now = monotonic()
                    if content:
                        until = min(now + timeouts.content_idle_s, started + total_s)
                    if not has_begun:
                        has_begun = True
                        self.first_chunk_s = now - started if self._call.stream else None
                    dog.arm(min(timeouts.idle_s, until - now))
        except asyncio.CancelledError:
            self._claim()
        finally:
            dog.disarm()
            self.waited_s += monotonic() - started
        if transcript.finish_reason is None:
            raise _cut()

    async def close(self) -> None:
        """Ends the upstream if it still runs."""
        self._dog.close()
        context, self._context = self._context, None
        if context is not None:
            await context.__aexit__(None, None, None)

    async def _content(self, until: float, *, idle_s: float | None) -> Sequence[Content]:
        """
        Args:
            until: when, on the clock, the wait for content is over, whatever else comes.
            idle_s: how long nothing at all may come; None where `until` is the only limit.
        """
        assert self._batches is not None  # noqa: S101 - `begin` has set it
        async for batch in self._batches:
            content = self.transcript.take(batch)
            if content:
                return content
            if idle_s is not None:
                self._dog.arm(min(idle_s, until - self._clock.monotonic()))
        if self.transcript.finish_reason is None:
            raise _cut()
        return _NOTHING

    def _claim(self) -> None:
        """Raises ProviderFailure where a limit cancelled the wait, and goes on with the cancellation where not."""
        if self._dog.expired():
            raise ProviderFailure("no_answer", "the provider stayed silent for too long") from None
        raise


def _cut() -> ProviderFailure:
    return ProviderFailure("connection_lost", "the answer ended before it was complete")
