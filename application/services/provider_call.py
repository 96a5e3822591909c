"""One call to one provider, from sending to its end, within its limits."""

import asyncio
import datetime
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import attrs

from application.ports.chat_provider import ChatProvider, ProviderCall
from application.ports.clock import Clock
from application.services.transcript import Transcript
from application.services.watchdog import Watchdog
from domain.chat import ProviderEvent, TextDelta, ToolCallDelta
from domain.errors import ProviderFailure

Content: TypeAlias = TextDelta | ToolCallDelta


@attrs.define(kw_only=True)
class LiveCall:
    """Opened by `begin`, read by `next` or `rest`; always `close` it.

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
    first: Content | None = None
    """The first content, or None where the whole answer has none."""
    _dog: Watchdog = attrs.field(factory=Watchdog.of_current_task)
    _context: AbstractAsyncContextManager[AsyncIterator[ProviderEvent]] | None = None
    _events: AsyncIterator[ProviderEvent] | None = None

    async def begin(self) -> None:
        """Sends the call and waits for the first content, for as long as the first-token limit allows.

        Raises:
            ProviderFailure: the call failed; `no_answer` where it stayed silent.
        """
        self._dog.arm(min(self._provider.timeouts.first_token_s, self._total_s))
        try:
            context = self._provider.open(self._call)
            self._events = await context.__aenter__()
            self._context = context
            self.first = await self._content()
        except asyncio.CancelledError:
            self._claim()
        finally:
            self._dog.disarm()
            self.waited_s += self._clock.monotonic() - self.started

    async def next(self) -> Content | None:
        """Further content; None once the answer is complete. Raises as `begin` does."""
        since = self._clock.monotonic()
        self._dog.arm(min(self._provider.timeouts.idle_s, self.started + self._total_s - since))
        try:
            return await self._content()
        except asyncio.CancelledError:
            self._claim()
        finally:
            self._dog.disarm()
            self.waited_s += self._clock.monotonic() - since
        raise AssertionError("unreachable: `_claim` raises")

    async def rest(self) -> None:
        """Reads the answer to its end into the transcript. Raises as `begin` does."""
        content = self.first
        while content is not None:
            content = await self.next()

    async def close(self) -> None:
        """Ends the upstream if it still runs."""
        self._dog.close()
        context, self._context = self._context, None
        if context is not None:
            await context.__aexit__(None, None, None)

    async def _content(self) -> Content | None:
        assert self._events is not None  # noqa: S101 - `begin` has set it
        async for event in self._events:
            self.transcript.add(event)
            if isinstance(event, TextDelta | ToolCallDelta):
                return event
        if self.transcript.finish_reason is None:
            raise ProviderFailure("connection_lost", "the answer ended before it was complete")
        return None

    def _claim(self) -> None:
        """Raises ProviderFailure where a limit cancelled the wait, and goes on with the cancellation where not."""
        if self._dog.expired():
            raise ProviderFailure("no_answer", "the provider stayed silent for too long") from None
        raise
