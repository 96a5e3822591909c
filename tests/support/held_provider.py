"""A provider that waits for the test."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import attrs

from application.ports.chat_provider import ProviderCall
from domain.chat import ProviderEvent
from lor3.testing import ScriptedProvider


@attrs.define(slots=False)
class Held(ScriptedProvider):
    """Answers once it is let go."""

    go: asyncio.Event = attrs.field(factory=asyncio.Event, kw_only=True)
    asked: asyncio.Event = attrs.field(factory=asyncio.Event, kw_only=True)

    @asynccontextmanager
    async def open(self, call: ProviderCall) -> AsyncIterator[AsyncIterator[Sequence[ProviderEvent]]]:
        self.asked.set()
        await self.go.wait()
        async with super().open(call) as batches:
            yield batches
