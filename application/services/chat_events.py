"""An answer as its caller sees it grow."""

import json
from collections.abc import AsyncIterator

from application.services.run import RoutedEvent, Switched
from domain.answer import ChatAnswer, ChatDone, ChatEvent, ChatStarted, Delta, Reset, ToolCalled, ToolCallGrew
from domain.chat import TextDelta


async def replayed(answer: ChatAnswer) -> AsyncIterator[ChatEvent]:
    """A stored answer as events: what the first request's events came to, without its detours."""
    yield ChatStarted(
        message_id=answer.message_id,
        thread_id=answer.thread_id,
        session_id=answer.session_id,
        model=answer.model,
        prompt_version=answer.prompt_version,
        is_replay=True,
    )
    output = answer.output
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    if text and not (answer.tool_calls and output is None):
        yield Delta(text)
    for call in answer.tool_calls:
        yield ToolCalled(call)
    yield ChatDone(answer)


def event_of(piece: RoutedEvent) -> ChatEvent:
    """A piece of the answer in the caller's terms."""
    if isinstance(piece, TextDelta):
        return Delta(piece.text)
    if isinstance(piece, Switched):
        return Reset(reason=piece.reason, from_model=piece.from_model, to_model=piece.to_model)
    return ToolCallGrew(index=piece.index, id=piece.id, name=piece.name, arguments=piece.arguments)
