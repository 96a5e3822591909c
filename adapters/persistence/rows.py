"""Domain values to rows and back, written out field by field.

A row is a dict with the table's column names. Times stay `datetime`, money stays `Decimal`; the writers and
`column_types.py` bring them to the database.
"""

import datetime
from collections.abc import Mapping
from typing import Any, cast

from domain.answer_codec import encode_answer
from domain.attempt import Attempt
from domain.chat import FinishReason
from domain.feedback import Feedback, Rating
from domain.idempotency import KeyCompletion
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.message import ImagePart, Message, Part, Role, TextPart, ToolCall
from domain.model import ModelRef
from domain.thread import MessageStatus, Session, StoredMessage, Thread, ThreadSummary
from domain.usage import Usage

Row = dict[str, Any]


def session_row(session: Session) -> Row:
    return {
        "tenant": session.tenant,
        "id": session.id,
        "user": session.user,
        "created_at": session.created_at,
    }


def thread_row(thread: Thread, *, next_position: int) -> Row:
    return {
        "tenant": thread.tenant,
        "id": thread.id,
        "session_id": thread.session_id,
        "title": thread.title,
        "tags": list(thread.tags) if thread.tags else None,
        "forked_from": thread.forked_from,
        "next_position": next_position,
        "created_at": thread.created_at,
        "updated_at": thread.updated_at or thread.created_at,
        "deleted_at": None,
    }


def message_row(stored: StoredMessage, *, position: int) -> Row:
    message = stored.message
    row: Row = {
        "tenant": stored.tenant,
        "id": stored.id,
        "thread_id": stored.thread_id,
        "position": position,
        "role": message.role,
        "content": content_row(message),
        "token_count": message.token_count,
        "status": stored.status,
        "error_code": stored.error_code,
        "parent": stored.parent,
        "pinned": stored.pinned,
        "copied_from": stored.copied_from,
        "format": stored.format,
        "provider": None,
        "model": None,
        "prompt_version": stored.prompt_version,
        "prompt_label": stored.prompt_label,
        "finish_reason": stored.finish_reason,
        "input_tokens": None,
        "output_tokens": None,
        "cached_input_tokens": None,
        "cache_write_tokens": None,
        "reasoning_tokens": None,
        "usage_estimated": None,
        "cost_usd": stored.cost_usd,
        "latency_ms": stored.latency_ms,
        "metadata": dict(stored.metadata) if stored.metadata else None,
        "rating": None,
        "feedback": None,
        "created_at": stored.created_at,
        "key_id": stored.key_id,
    }
    feedback = stored.feedback
    if feedback is not None:
        row["rating"], row["feedback"] = feedback_row(feedback)
    model = stored.model
    if model is not None:
        row["provider"] = model.provider
        row["model"] = model.model
    usage = stored.usage
    if usage is not None:
        row["input_tokens"] = usage.input_tokens
        row["output_tokens"] = usage.output_tokens
        row["cached_input_tokens"] = usage.cached_input_tokens
        row["cache_write_tokens"] = usage.cache_write_tokens
        row["reasoning_tokens"] = usage.reasoning_tokens
        row["usage_estimated"] = usage.estimated
    return row


def attempt_row(attempt: Attempt, *, tenant: Tenant, message_id: MessageId, number: int) -> Row:
    usage = attempt.usage
    return {
        "tenant": tenant,
        "message_id": message_id,
        "number": number,
        "provider": attempt.model.provider,
        "model": attempt.model.model,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "started_at": attempt.started_at,
        "latency_ms": attempt.latency_ms,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "usage_estimated": usage.estimated,
        "cost_usd": attempt.cost_usd,
        "response_id": attempt.response_id,
        "purpose": None if attempt.purpose == "answer" else attempt.purpose,
    }


def completion_row(completion: KeyCompletion, thread: Thread) -> Row:
    """What ends the claim of an idempotency key."""
    claim, answer = completion.claim, completion.answer
    return {
        "tenant": thread.tenant,
        "key": claim.key,
        "owner": claim.owner,
        "message_id": answer.message_id,
        "thread_id": thread.id,
        "answer": encode_answer(answer),
    }


def session_of(row: Mapping[str, Any]) -> Session:
    return Session(
        id=SessionId(row["id"]), tenant=Tenant(row["tenant"]), user=row["user"], created_at=row["created_at"]
    )


def thread_of(row: Mapping[str, Any]) -> Thread:
    return Thread(
        id=ThreadId(row["id"]),
        tenant=Tenant(row["tenant"]),
        session_id=SessionId(row["session_id"]),
        title=row["title"],
        tags=tuple(row["tags"] or ()),
        forked_from=row["forked_from"],
        length=row["next_position"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def message_of(row: Mapping[str, Any]) -> StoredMessage:
    provider = row["provider"]
    input_tokens = row["input_tokens"]
    metadata = row["metadata"]
    return StoredMessage(
        id=MessageId(row["id"]),
        tenant=Tenant(row["tenant"]),
        thread_id=ThreadId(row["thread_id"]),
        position=row["position"],
        message=content_of(cast("Role", row["role"]), row["content"], row["token_count"]),
        status=cast("MessageStatus", row["status"]),
        error_code=row["error_code"],
        parent=row["parent"],
        pinned=row["pinned"],
        copied_from=row["copied_from"],
        feedback=None if row["rating"] is None else feedback_of(row["rating"], row["feedback"]),
        format=row["format"],
        model=None if provider is None else ModelRef(provider, row["model"]),
        prompt_version=row["prompt_version"],
        prompt_label=row["prompt_label"],
        finish_reason=cast("FinishReason | None", row["finish_reason"]),
        usage=None
        if input_tokens is None
        else Usage(
            input_tokens=input_tokens,
            output_tokens=row["output_tokens"],
            cached_input_tokens=row["cached_input_tokens"],
            cache_write_tokens=row["cache_write_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
            estimated=row["usage_estimated"],
        ),
        cost_usd=row["cost_usd"],
        latency_ms=row["latency_ms"],
        key_id=row["key_id"],
        # jsonb keeps no order of keys, so the order is made one: by key.
        metadata=tuple(sorted(metadata.items())) if metadata else (),
        created_at=row["created_at"],
    )


def attempt_of(row: Mapping[str, Any]) -> Attempt:
    return Attempt(
        model=ModelRef(row["provider"], row["model"]),
        outcome=row["outcome"],
        started_at=row["started_at"],
        latency_ms=row["latency_ms"],
        status=row["status"],
        usage=Usage(
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cached_input_tokens=row["cached_input_tokens"],
            cache_write_tokens=row["cache_write_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
            estimated=row["usage_estimated"],
        ),
        cost_usd=row["cost_usd"],
        response_id=row["response_id"],
        purpose=row["purpose"] or "answer",
    )


def summary_row(summary: ThreadSummary) -> Row:
    """All but `tenant` and `thread_id`."""
    return {
        "up_to": summary.up_to,
        "text": summary.text,
        "token_count": summary.token_count,
        "provider": summary.model.provider,
        "model": summary.model.model,
        "created_at": summary.created_at,
    }


def feedback_row(feedback: Feedback) -> tuple[str, Row]:
    """The columns `rating` and `feedback`."""
    return str(feedback.rating), {
        "comment": feedback.comment,
        "tags": list(feedback.tags),
        "user": feedback.user,
        "given_at": feedback.given_at.astimezone(datetime.UTC).isoformat(timespec="microseconds"),
    }


def feedback_of(rating: str, rest: Mapping[str, Any]) -> Feedback:
    return Feedback(
        rating=cast("Rating", int(rating) if rating.isdigit() else rating),
        comment=rest["comment"],
        tags=tuple(rest["tags"]),
        user=rest["user"],
        given_at=datetime.datetime.fromisoformat(rest["given_at"]),
    )


def content_row(message: Message) -> Row:
    """`{"parts": […], "tool_calls": […], "tool_call_id": …}`, the last two only where there is something."""
    content: Row = {"parts": [_part_row(part) for part in message.parts]}
    if message.tool_calls:
        content["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments, "complete": call.complete}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        content["tool_call_id"] = message.tool_call_id
    return content


def _part_row(part: Part) -> Row:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    return {
        "type": "image",
        "url": part.url,
        "data": part.data,
        "media_type": part.media_type,
        "detail": part.detail,
    }


def content_of(role: Role, content: Mapping[str, Any], token_count: int | None) -> Message:
    parts = content["parts"]
    calls = content.get("tool_calls")
    return Message(
        role=role,
        # Nearly all messages are one text, and a chat waits for some of them.
        parts=(TextPart(text=parts[0]["text"]),)
        if len(parts) == 1 and parts[0]["type"] == "text"
        else tuple([_part_of(part) for part in parts]),
        tool_calls=tuple([ToolCall(**call) for call in calls]) if calls else (),
        tool_call_id=content.get("tool_call_id"),
        token_count=token_count,
    )


def _part_of(part: Mapping[str, Any]) -> Part:
    if part["type"] == "text":
        return TextPart(text=part["text"])
    return ImagePart(url=part["url"], data=part["data"], media_type=part["media_type"], detail=part["detail"])
