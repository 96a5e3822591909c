"""Feedback, usage and rated conversations as callers read them. Pure functions, shared by all faces."""

from typing import TYPE_CHECKING

from domain.feedback import score
from domain.json_value import JSONValue
from domain.message import TextPart
from domain.usage_report import estimate
from entrypoints.prompt_rendering import time_text
from entrypoints.rendering import money

if TYPE_CHECKING:
    from application.use_cases.export_rated import RatedConversation
    from application.use_cases.read_feedback import FeedbackPage, MessageFeedback
    from application.use_cases.report_usage import UsageReport
    from domain.feedback import Feedback, FeedbackChange, RatedMessage
    from domain.message import Message, Part
    from domain.usage_report import RatingStatistics, UsageRow

_DECIMALS = 4
"""Of means and their bounds: more would say more than any number of ratings does."""


def feedback_json(feedback: "Feedback") -> dict[str, JSONValue]:
    """The newest word on an answer."""
    return {
        "rating": feedback.rating,
        "comment": feedback.comment,
        "tags": list(feedback.tags),
        "user": feedback.user,
        "given_at": time_text(feedback.given_at),
    }


def feedback_or_null(feedback: "Feedback | None") -> JSONValue:
    return None if feedback is None else feedback_json(feedback)


def given_json(message_id: str, feedback: "Feedback") -> dict[str, JSONValue]:
    """The answer of `PUT /messages/{id}/feedback` and of `lor3 feedback rate --json`."""
    return {"message_id": message_id, **feedback_json(feedback)}


def message_feedback_json(found: "MessageFeedback") -> dict[str, JSONValue]:
    """`GET /messages/{id}/feedback`; `feedback` is null where there is none."""
    return {
        "message_id": found.message_id,
        "thread_id": found.thread_id,
        "feedback": feedback_or_null(found.current),
        "history": [change_json(change) for change in found.history],
    }


def change_json(change: "FeedbackChange") -> dict[str, JSONValue]:
    """One entry of an answer's history; `feedback` is null where it was taken back."""
    return {
        "position": change.position,
        "at": time_text(change.at),
        "feedback": feedback_or_null(change.feedback),
    }


def rated_json(rated: "RatedMessage") -> dict[str, JSONValue]:
    """An item of `GET /threads/{id}/feedback`."""
    return {
        "message_id": rated.message_id,
        "position": rated.position,
        **feedback_json(rated.feedback),
    }


def feedback_page_json(page: "FeedbackPage", next_cursor: str | None) -> dict[str, JSONValue]:
    return {"items": [rated_json(each) for each in page.items], "next_cursor": next_cursor}


def usage_report_json(report: "UsageReport") -> dict[str, JSONValue]:
    """`GET /usage` and `lor3 observe usage --json`."""
    return {
        "from": time_text(report.query.since),
        "to": time_text(report.query.until),
        "group_by": report.query.group_by,
        "items": [usage_row_json(row) for row in report.rows],
    }


def usage_row_json(row: "UsageRow") -> dict[str, JSONValue]:
    return {
        "group": row.group,
        "name": row.name,
        "requests": row.requests,
        "errors": row.errors,
        "refused": row.refused,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cached_input_tokens": row.cached_input_tokens,
        "cache_write_tokens": row.cache_write_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "estimated": row.estimated,
        "cost_usd": money(row.cost_usd),
        "unpriced": row.unpriced,
        "latency_ms": {
            "mean": _rounded(row.latency_mean_ms, 1),
            "p50": _rounded(row.latency_p50_ms, 1),
            "p95": _rounded(row.latency_p95_ms, 1),
            "p99": _rounded(row.latency_p99_ms, 1),
        },
        "ratings": ratings_json(row.ratings),
    }


def ratings_json(ratings: "RatingStatistics") -> dict[str, JSONValue]:
    """The mean score from 0 to 1 with its 95 % interval; null without any rating."""
    found = estimate(ratings)
    return {
        "count": ratings.count,
        "mean": None if found is None else _rounded(found.mean, _DECIMALS),
        "low": None if found is None else _rounded(found.low, _DECIMALS),
        "high": None if found is None else _rounded(found.high, _DECIMALS),
        "thumbs_up": ratings.thumbs_up,
        "thumbs_down": ratings.thumbs_down,
        "stars_mean": _rounded(ratings.stars_total / ratings.stars, _DECIMALS) if ratings.stars else None,
    }


def rated_conversation_json(rated: "RatedConversation") -> dict[str, JSONValue]:
    """A line of `GET /feedback/export` and of `lor3 feedback export`; its messages are as OpenAI reads them."""
    answer = rated.answer
    return {
        "messages": [tuning_message_json(message) for message in rated.messages],
        "rating": rated.feedback.rating,
        "score": score(rated.feedback.rating),
        "comment": rated.feedback.comment,
        "tags": list(rated.feedback.tags),
        "model": None if answer.model is None else str(answer.model),
        "prompt_version": answer.prompt_version,
        "message_id": answer.id,
        "thread_id": answer.thread_id,
        "created_at": time_text(answer.created_at),
    }


def tuning_message_json(message: "Message") -> dict[str, JSONValue]:
    """A message in OpenAI's chat format for fine-tuning: a string where it is all text, else a list of parts."""
    rendered: dict[str, JSONValue] = {"role": message.role}
    if message.tool_calls and not message.parts:
        rendered["content"] = None
    elif message.has_images:
        rendered["content"] = [_part(part) for part in message.parts]
    else:
        rendered["content"] = message.text
    if message.tool_calls:
        rendered["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        rendered["tool_call_id"] = message.tool_call_id
    return rendered


def _part(part: "Part") -> dict[str, JSONValue]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    url = part.url if part.url is not None else f"data:{part.media_type or 'image/png'};base64,{part.data}"
    image: dict[str, JSONValue] = {"url": url}
    if part.detail is not None:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def _rounded(value: float | None, decimals: int) -> float | None:
    return None if value is None else round(value, decimals)
