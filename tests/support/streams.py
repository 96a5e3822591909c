"""Streamed chats, one event at a time."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from application.use_cases.chat_command import SendChatCommand
from domain.answer import ChatAdmitted, ChatEvent, ChatSteps
from entrypoints.application import Application


@asynccontextmanager
async def streamed(
    application: Application, command: SendChatCommand
) -> AsyncIterator[AsyncIterator[ChatEvent]]:
    """The events of the answer. Leaving early leaves the chat."""
    async with aclosing(application.send_chat.stream(command)) as steps:
        yield _events(steps)


async def _events(steps: AsyncGenerator[ChatSteps, None]) -> AsyncIterator[ChatEvent]:
    async for step in steps:
        if not isinstance(step, ChatAdmitted):
            for event in step:
                yield event
