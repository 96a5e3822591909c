"""Answer a chat."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatAnswer, ChatDone, ChatEvent


@attrs.define(kw_only=True)
class SendChat:
    """Compiles a request, has it answered by the first candidate that can, and commits the answer."""

    @asynccontextmanager
    async def stream(self, command: SendChatCommand) -> AsyncIterator[AsyncIterator[ChatEvent]]:
        raise AssertionError(command)
        yield

    async def execute(self, command: SendChatCommand) -> ChatAnswer:
        async with self.stream(command) as events:
            async for event in events:
                if isinstance(event, ChatDone):
                    return event.answer
        raise AssertionError("a stream of chat events ends with ChatDone or raises")
