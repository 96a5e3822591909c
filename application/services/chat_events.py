"""An answer as its caller sees it grow."""

import json

from domain.answer import ChatAnswer, ChatDone, ChatEvent, ChatStarted, Delta, ToolCalled


def replayed(answer: ChatAnswer) -> tuple[ChatEvent, ...]:
    """A stored answer as events: what the first request's events came to, without its detours."""
    output = answer.output
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    if answer.tool_calls and output is None:
        text = ""
    return told_again(answer, text, is_replay=True)


def told_again(answer: ChatAnswer, text: str, *, is_replay: bool = False) -> tuple[ChatEvent, ...]:
    """
    Args:
        text: what the answer's deltas came to.
    """
    started = ChatStarted(
        message_id=answer.message_id,
        thread_id=answer.thread_id,
        session_id=answer.session_id,
        model=answer.model,
        prompt_version=answer.prompt_version,
        is_replay=is_replay,
    )
    deltas = (Delta(text),) if text else ()
    return (started, *deltas, *[ToolCalled(call) for call in answer.tool_calls], ChatDone(answer))
