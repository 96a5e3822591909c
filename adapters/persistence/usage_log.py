"""What chats and ratings leave in the log of what was used, a row each."""

from decimal import Decimal
from typing import Final

from adapters.persistence.rows import Row
from adapters.persistence.usage_columns import DIMENSIONS, SUMS
from domain.attempt import Attempt
from domain.failovers import fell_back
from domain.feedback import Rating
from domain.latency import NO_LATENCY, bucket_of
from domain.model import ModelRef
from domain.thread import ChatRecord, StoredMessage
from domain.usage import Usage

NOTHING: Final[Row] = {
    **dict.fromkeys(DIMENSIONS, ""),
    **dict.fromkeys(SUMS, 0),
    "latency_bucket": NO_LATENCY,
    "latency_low_ms": 0,
    "latency_high_ms": 0,
    "cost_usd": Decimal(0),
}
"""What a column holds that a row does not name: rows name only what they have, which is a third of the columns."""


def log_rows(record: ChatRecord) -> list[Row]:
    """Of its answer, and of each attempt. What the caller said is no use, nor what a fork copied."""
    user = record.session.user
    attempts = record.attempts
    asked = next((each.model for each in attempts if each.purpose == "answer"), None)
    rows = [_answer_row(stored, user, asked) for stored in record.messages if _is_counted(stored)]
    if attempts and record.messages:
        last = record.messages[-1]
        # Nearly every chat has one, behind which there is nothing to fall back to.
        failed_over = fell_back(attempts) if len(attempts) > 1 else (False,)
        rows += [
            _attempt_row(attempt, failed_over=each, of=last)
            for attempt, each in zip(attempts, failed_over, strict=True)
        ]
    return rows


def is_usual(record: ChatRecord) -> bool:
    """Whether it is one complete answer that was had at the first try: nearly every chat."""
    messages, attempts = record.messages, record.attempts
    if not messages or len(attempts) != 1:
        return False
    (attempt,), answer = attempts, messages[-1]
    if attempt.outcome != "ok" or attempt.purpose != "answer":
        return False
    if answer.status != "complete" or answer.feedback is not None or not _is_counted(answer):
        return False
    for stored in messages[:-1]:  # noqa: SIM110 - a third of the time of any() with a generator
        if _is_counted(stored):
            return False
    return True


def rating_rows(
    stored: StoredMessage,
    rating: Rating | None,
    *,
    was: Rating | None,
    user: str | None,
    asked: ModelRef | None = None,
) -> list[Row]:
    """What changes where an answer is rated otherwise: its old rating is taken off, the new one added."""
    return [
        {**_of_message(stored, user, asked), **_rating(each, sign)}
        for each, sign in ((was, -1), (rating, 1))
        if each is not None
    ]


def is_rated(stored: StoredMessage) -> bool:
    """Whether a rating of it counts: it is of an answer, be it a copy in a fork."""
    return stored.copied_from is not None or _is_counted(stored)


def _is_counted(stored: StoredMessage) -> bool:
    return stored.copied_from is None and (stored.model is not None or stored.status != "complete")


def _rating(rating: Rating, sign: int) -> Row:
    if isinstance(rating, int):
        return {"stars": sign, "stars_total": sign * rating}
    return {rating: sign}


def _of_message(stored: StoredMessage, user: str | None, asked: ModelRef | None) -> Row:
    """
    Args:
        asked: the model that was asked first: no other one can be said of a chat that none answered.
    """
    row: Row = {"tenant": stored.tenant, "kind": "answer", "at": stored.created_at}
    if user is not None:
        row["user"] = user
    model = asked if stored.model is None else stored.model
    if model is not None:
        row["provider"] = model.provider
        row["model"] = model.model
    if stored.prompt_version is not None:
        row["prompt_version"] = stored.prompt_version
    if stored.prompt_label is not None:
        row["prompt_label"] = stored.prompt_label
    if stored.key_id is not None:
        row["key_id"] = stored.key_id
    status = stored.status
    if status != "complete":
        row["outcome"] = status if stored.error_code is None else f"{status}/{stored.error_code}"
    return row


def _answer_row(stored: StoredMessage, user: str | None, asked: ModelRef | None) -> Row:
    row = _of_message(stored, user, asked)
    row["requests"] = 1
    if stored.status == "complete":
        if stored.latency_ms is not None:
            _add_latency(row, stored.latency_ms)
    elif stored.status == "failed":
        row["errors"] = 1
    if stored.usage is not None:
        _add_usage(row, stored.usage)
    _add_cost(row, stored.cost_usd)
    if stored.feedback is not None:
        row.update(_rating(stored.feedback.rating, 1))
    return row


def _attempt_row(attempt: Attempt, *, failed_over: bool, of: StoredMessage) -> Row:
    outcome = attempt.outcome
    row: Row = {
        "tenant": of.tenant,
        "kind": "attempt",
        "at": of.created_at,
        "provider": attempt.model.provider,
        "model": attempt.model.model,
        "outcome": outcome,
        "requests": 1,
    }
    if attempt.purpose != "answer":
        row["purpose"] = attempt.purpose
    if failed_over:
        row["failovers"] = 1
    if outcome == "ok":
        _add_latency(row, attempt.latency_ms)
    elif outcome != "cancelled" and attempt.was_sent:
        row["errors"] = 1
    _add_usage(row, attempt.usage)
    _add_cost(row, attempt.cost_usd)
    return row


def _add_usage(row: Row, usage: Usage) -> None:
    row["input_tokens"] = usage.input_tokens
    row["output_tokens"] = usage.output_tokens
    if usage.cached_input_tokens:
        row["cached_input_tokens"] = usage.cached_input_tokens
    if usage.cache_write_tokens:
        row["cache_write_tokens"] = usage.cache_write_tokens
    if usage.reasoning_tokens:
        row["reasoning_tokens"] = usage.reasoning_tokens
    if usage.estimated:
        row["estimated"] = 1


def _add_cost(row: Row, cost_usd: Decimal | None) -> None:
    if cost_usd is None:
        row["unpriced"] = 1
    elif cost_usd:
        row["cost_usd"] = cost_usd


def _add_latency(row: Row, latency_ms: int) -> None:
    row["latency_bucket"] = bucket_of(latency_ms)
    row["latency_ms"] = row["latency_low_ms"] = row["latency_high_ms"] = latency_ms
