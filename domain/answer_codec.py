"""A completed answer as JSON text and back, exactly: what is kept or told of it is given again as it was.

`{"version": 1, …}`. Another version, or a text that does not fit its own, is unreadable; it is never guessed at.
"""

import datetime
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from domain.answer import ChatAnswer, ContextUse, LeftOut
from domain.attempt import Attempt
from domain.ids import MessageId, SessionId, ThreadId
from domain.message import ToolCall
from domain.model import ModelRef
from domain.usage import Usage

VERSION: Final = 1


def encode_answer(answer: ChatAnswer) -> str:
    """The standard library's JSON: unlike orjson's it takes integers of any size."""
    value = {
        "version": VERSION,
        "message_id": answer.message_id,
        "thread_id": answer.thread_id,
        "session_id": answer.session_id,
        "output": answer.output,
        "format": answer.format,
        "model": _model(answer.model),
        "prompt_version": answer.prompt_version,
        "finish_reason": answer.finish_reason,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": call.arguments, "complete": call.complete}
            for call in answer.tool_calls
        ],
        "usage": _usage(answer.usage),
        "cost_usd": _money(answer.cost_usd),
        "attempts": [_attempt(attempt) for attempt in answer.attempts],
        "fallbacks": answer.fallbacks,
        "context": {
            "injected": answer.context.injected,
            "dropped": answer.context.dropped,
            "pinned": answer.context.pinned,
            "summarised": answer.context.summarised,
            "left_out": [[left.reason, left.messages] for left in answer.context.left_out],
        },
        "warnings": list(answer.warnings),
        "overhead_s": answer.overhead_s,
    }
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: no database takes it unless it is escaped
        return json.dumps(value, separators=(",", ":"))
    return text


def decode_answer(text: str | None) -> ChatAnswer | None:
    """None where there is nothing, or what is there is of another version or damaged."""
    if text is None:
        return None
    try:
        value = json.loads(text)
        if not isinstance(value, dict) or value.get("version") != VERSION:
            return None
        return _answer_of(value)
    except (ValueError, LookupError, TypeError, AttributeError, InvalidOperation, RecursionError):
        return None


def _answer_of(value: Mapping[str, Any]) -> ChatAnswer:
    context = value["context"]
    return ChatAnswer(
        message_id=MessageId(value["message_id"]),
        thread_id=ThreadId(value["thread_id"]),
        session_id=SessionId(value["session_id"]),
        output=value["output"],
        format=value["format"],
        model=_model_of(value["model"]),
        prompt_version=value["prompt_version"],
        finish_reason=value["finish_reason"],
        tool_calls=tuple([ToolCall(**call) for call in value["tool_calls"]]),
        usage=Usage(**value["usage"]),
        cost_usd=_money_of(value["cost_usd"]),
        attempts=tuple([_attempt_of(attempt) for attempt in value["attempts"]]),
        fallbacks=value["fallbacks"],
        context=ContextUse(
            injected=context["injected"],
            dropped=context["dropped"],
            pinned=context["pinned"],
            summarised=context["summarised"],
            left_out=tuple(
                [LeftOut(reason=reason, messages=messages) for reason, messages in context["left_out"]]
            ),
        ),
        warnings=tuple(value["warnings"]),
        overhead_s=value["overhead_s"],
    )


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "model": _model(attempt.model),
        "outcome": attempt.outcome,
        "started_at": attempt.started_at.isoformat(),
        "latency_ms": attempt.latency_ms,
        "status": attempt.status,
        "usage": _usage(attempt.usage),
        "cost_usd": _money(attempt.cost_usd),
        "response_id": attempt.response_id,
        "purpose": attempt.purpose,
    }


def _attempt_of(value: Mapping[str, Any]) -> Attempt:
    return Attempt(
        model=_model_of(value["model"]),
        outcome=value["outcome"],
        started_at=datetime.datetime.fromisoformat(value["started_at"]),
        latency_ms=value["latency_ms"],
        status=value["status"],
        usage=Usage(**value["usage"]),
        cost_usd=_money_of(value["cost_usd"]),
        response_id=value["response_id"],
        purpose=value["purpose"],
    )


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "estimated": usage.estimated,
    }


def _model(model: ModelRef) -> list[str]:
    return [model.provider, model.model]


def _model_of(value: Any) -> ModelRef:
    provider, model = value
    return ModelRef(provider, model)


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _money_of(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
