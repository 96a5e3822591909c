"""What a thread gives to a prompt, as callers read it. Pure functions, shared by all faces."""

from typing import TYPE_CHECKING

from domain.json_value import JSONValue
from entrypoints.prompt_rendering import time_text

if TYPE_CHECKING:
    from application.use_cases.inject_memory import Injection
    from domain.answer import ContextUse
    from domain.memory import Memory
    from domain.thread import StoredMessage, ThreadSummary


def context_json(use: "ContextUse") -> dict[str, JSONValue] | None:
    """`context` of an answer, of an explanation and of a preview; None where it is not known any more."""
    if not use.is_known:
        return None
    return {
        "injected": use.injected,
        "dropped": use.dropped,
        "pinned": use.pinned,
        "summarised": use.summarised,
        "left_out": [{"reason": each.reason, "messages": each.messages} for each in use.left_out],
    }


def memory_json(memory: "Memory | None") -> JSONValue:
    """`memory` of a request in an explanation, until the pass `memory-lane` has put it into `history`."""
    if memory is None:
        return None
    return {"messages": len(memory.messages), "summary": memory.summary is not None}


def preview_json(injection: "Injection") -> dict[str, JSONValue]:
    """The answer of `GET /threads/{id}/memory`."""
    command, memory, due = injection.command, injection.memory, injection.due
    summary = injection.conversation.summary if memory.summary is not None else None
    return {
        "thread_id": injection.conversation.thread.id,
        "context_depth": command.depth,
        "memory": command.mode,
        "messages": [
            {
                **_place(stored),
                "content": message.text,
                "pinned": message.pinned,
                "token_count": message.token_count,
            }
            for stored, message in zip(memory.chosen, memory.messages, strict=True)
        ],
        "left_out": [{**_place(each.stored), "reason": each.reason} for each in memory.left],
        "summary": _summary(summary),
        "would_summarise_up_to": None if due is None else due.up_to,
        "context": context_json(memory.use),
    }


def _place(stored: "StoredMessage") -> dict[str, JSONValue]:
    return {"id": stored.id, "position": stored.position, "role": stored.message.role}


def _summary(summary: "ThreadSummary | None") -> JSONValue:
    if summary is None:
        return None
    return {
        "text": summary.text,
        "up_to": summary.up_to,
        "token_count": summary.token_count,
        "model": str(summary.model),
        "created_at": time_text(summary.created_at),
    }
