"""Sessions, threads and messages as callers read them. Pure functions, shared by all faces."""

from typing import TYPE_CHECKING

from domain.json_value import JSONValue
from entrypoints.feedback_rendering import feedback_or_null
from entrypoints.prompt_rendering import time_text
from entrypoints.rendering import message_json, money, tool_call_json, usage_json

if TYPE_CHECKING:
    from application.use_cases.read_threads import MessageView
    from domain.attempt import Attempt
    from domain.message import Message
    from domain.thread import Session, StoredMessage, Thread


def session_json(session: "Session") -> dict[str, JSONValue]:
    return {"id": session.id, "user": session.user, "created_at": time_text(session.created_at)}


def thread_json(thread: "Thread") -> dict[str, JSONValue]:
    """An item of `GET /threads`. `messages` is how many it has had."""
    return {
        "id": thread.id,
        "session_id": thread.session_id,
        "title": thread.title,
        "tags": list(thread.tags),
        "forked_from": thread.forked_from,
        "messages": thread.length,
        "created_at": time_text(thread.created_at),
        "updated_at": time_text(thread.updated_at or thread.created_at),
    }


def stored_message_json(stored: "StoredMessage") -> dict[str, JSONValue]:
    """An item of `GET /threads/{id}/messages`.

    `role`, `content`, `tool_calls` and `tool_call_id` can be sent back to `/chat` as they are.
    """
    feedback = stored.feedback
    return {
        "id": stored.id,
        "thread_id": stored.thread_id,
        "position": stored.position,
        "role": stored.message.role,
        "content": _content(stored.message),
        "status": stored.status,
        "error_code": stored.error_code,
        "format": stored.format,
        "model": None if stored.model is None else str(stored.model),
        "prompt_version": stored.prompt_version,
        "prompt_label": stored.prompt_label,
        "finish_reason": stored.finish_reason,
        "tool_calls": [tool_call_json(call) for call in stored.message.tool_calls],
        "tool_call_id": stored.message.tool_call_id,
        "usage": None if stored.usage is None else usage_json(stored.usage),
        "cost_usd": money(stored.cost_usd),
        "latency_ms": stored.latency_ms,
        "parent_id": stored.parent,
        "pinned": stored.pinned,
        "copied_from": stored.copied_from,
        "rating": None if feedback is None else feedback.rating,
        "feedback": feedback_or_null(feedback),
        "metadata": dict(stored.metadata),
        "created_at": time_text(stored.created_at),
    }


def message_view_json(view: "MessageView") -> dict[str, JSONValue]:
    """`GET /messages/{id}`: with the attempts, those too that were passed over."""
    return {
        **stored_message_json(view.message),
        "attempts": [attempt_json(attempt) for attempt in view.attempts],
    }


def attempt_json(attempt: "Attempt") -> dict[str, JSONValue]:
    return {
        "model": str(attempt.model),
        "outcome": attempt.outcome,
        "purpose": attempt.purpose,
        "status": attempt.status,
        "started_at": time_text(attempt.started_at),
        "latency_ms": attempt.latency_ms,
        "usage": usage_json(attempt.usage),
        "cost_usd": money(attempt.cost_usd),
    }


def _content(message: "Message") -> JSONValue:
    """A string where it is one text, else parts; null where an assistant only called tools."""
    if not message.parts:
        return None if message.tool_calls else ""
    return message_json(message)["content"]
