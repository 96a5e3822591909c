# ruff: noqa: S608 - the statements are made of names in this file, once, at import
"""A conversation as one JSON text, which the database makes in one statement and orjson takes apart.

Arrays in the order of `_MESSAGE` and of the statement, without names: a chat that continues a thread waits for
this, and of a row with names most would be names.
"""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from adapters.persistence.rows import content_of, feedback_of
from domain.ids import SessionId, Tenant, ThreadId
from domain.model import ModelRef
from domain.thread import MAX_PINNED, Conversation, Session, StoredMessage, Thread, ThreadSummary
from domain.usage import Usage

_MESSAGE: Final = (
    "id", "position", "role", "content", "token_count", "parent", "pinned", "copied_from", "rating", "feedback",
    "format", "provider", "model", "prompt_version", "prompt_label", "finish_reason", "input_tokens",
    "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens", "usage_estimated",
    "cost_usd", "latency_ms", "metadata", "created_at",
)  # fmt: skip
_JSON: Final = frozenset(("content", "feedback", "metadata", "tags"))
_SUMMARY: Final = ("up_to", "text", "token_count", "provider", "model", "created_at")
_position: Final = itemgetter(1)


def conversation_sql(database: str) -> str:
    """Takes a thread's id, the tenant, how many messages, below which position, the least id they can have, how many
    positions to look through, the greatest id they can have, and the least one that the last of them have.

    One column of one row, or none where the thread is absent or deleted.
    """
    least = "least" if database == "postgresql" else "min"
    # Both databases compute a CTE once where it is named twice.
    recent = (
        f"SELECT m.position AS place, {_array(database, 'm', _MESSAGE)} AS message FROM messages m "
        "WHERE m.thread_id = $1 AND m.tenant = $2 AND m.status = 'complete' AND m.position < $4 "
        "AND m.id >= $8 AND m.id <= $7 "
        # Else PostgreSQL may read a long thread whole and sort it: it plans for threads of usual length.
        f"AND m.position >= (SELECT {least}($4, next_position) FROM threads WHERE id = $1 AND tenant = $2) - $6 "
        "ORDER BY m.position DESC LIMIT $3"
    )
    pinned = (
        f"SELECT {_array(database, 'm', _MESSAGE)} AS message FROM messages m "
        "WHERE m.thread_id = $1 AND m.tenant = $2 AND m.status = 'complete' AND m.pinned "
        "AND m.id >= $5 AND m.id <= $7 "
        "AND m.position < (SELECT min(place) FROM recent) "
        f"ORDER BY m.position DESC LIMIT {MAX_PINNED}"
    )
    summary = (
        f"SELECT {_array(database, 'y', _SUMMARY)} FROM thread_summaries y "
        "WHERE y.thread_id = t.id AND y.tenant = t.tenant"
    )
    parts = (
        "t.session_id", "t.title", _value(database, "t", "tags"), "t.forked_from", "t.next_position",
        "t.created_at", "t.updated_at", 's."user"', "s.created_at",
        _nested(database, f"({summary})"),
        _nested(database, f"(SELECT {_gathered(database)} FROM recent)"),
        _nested(database, f"(SELECT {_gathered(database)} FROM ({pinned}) p)"),
    )  # fmt: skip
    return (
        f"WITH recent AS ({recent}) SELECT {_function(database)}({', '.join(parts)}) FROM threads t "
        "JOIN sessions s ON s.id = t.session_id AND s.tenant = t.tenant "
        "WHERE t.id = $1 AND t.tenant = $2 AND t.deleted_at IS NULL"
    )


def session_sql(database: str) -> str:
    """Takes a session's id and the tenant; one column of one row, or none."""
    return f'SELECT {_function(database)}("user", created_at) FROM sessions WHERE id = $1 AND tenant = $2'


def is_whole(
    conversation: Conversation, *, limit: int, below: int, window: int, is_cut: bool = False
) -> bool:
    """Whether the first look found all that was asked for: not where most messages failed, or are months old."""
    found = len(conversation.recent)
    end = min(below, conversation.thread.length)
    return found >= limit or found >= end or (window >= end and not is_cut)


def conversation_of(values: Sequence[Any], *, tenant: Tenant, thread_id: ThreadId) -> Conversation:
    (
        session_id, title, tags, forked_from, length, created_at, updated_at, user, session_created_at,
        summary, recent, pinned,
    ) = values  # fmt: skip
    session_id = SessionId(session_id)
    return Conversation(
        session=Session(id=session_id, tenant=tenant, user=user, created_at=_time(session_created_at)),
        thread=Thread(
            id=thread_id,
            tenant=tenant,
            session_id=session_id,
            title=title,
            tags=tuple(tags or ()),
            forked_from=forked_from,
            length=length,
            created_at=_time(created_at),
            updated_at=_time(updated_at),
        ),
        recent=_messages_of(recent, tenant, thread_id),
        pinned=_messages_of(pinned, tenant, thread_id),
        summary=None if summary is None else _summary_of(summary),
    )


def session_of(values: Sequence[Any], *, tenant: Tenant, session_id: SessionId) -> Session:
    user, created_at = values
    return Session(id=session_id, tenant=tenant, user=user, created_at=_time(created_at))


def _messages_of(
    rows: list[list[Any]] | None, tenant: Tenant, thread_id: ThreadId
) -> tuple[StoredMessage, ...]:
    if not rows:
        return ()
    rows.sort(key=_position)
    return tuple([_message_of(row, tenant, thread_id) for row in rows])


def _message_of(values: list[Any], tenant: Tenant, thread_id: ThreadId) -> StoredMessage:
    (
        message_id, position, role, content, token_count, parent, pinned, copied_from, rating, feedback,
        format_name, provider, model, prompt_version, prompt_label, finish_reason, input_tokens,
        output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, usage_estimated,
        cost_usd, latency_ms, metadata, created_at,
    ) = values  # fmt: skip
    return StoredMessage(
        id=message_id,
        tenant=tenant,
        thread_id=thread_id,
        position=position,
        message=content_of(role, content, token_count),
        parent=parent,
        pinned=bool(pinned),
        copied_from=copied_from,
        feedback=None if rating is None else feedback_of(rating, feedback),
        format=format_name,
        model=None if provider is None else _model(provider, model),
        prompt_version=prompt_version,
        prompt_label=prompt_label,
        finish_reason=finish_reason,
        usage=None
        if input_tokens is None
        else Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_input_tokens=cached_input_tokens,
            cache_write_tokens=cache_write_tokens,
            reasoning_tokens=reasoning_tokens,
            estimated=bool(usage_estimated),
        ),
        cost_usd=None if cost_usd is None else Decimal(cost_usd),
        latency_ms=latency_ms,
        metadata=tuple(sorted(metadata.items())) if metadata else (),
        created_at=_time(created_at),
    )


def _summary_of(values: Sequence[Any]) -> ThreadSummary:
    up_to, text, token_count, provider, model, created_at = values
    return ThreadSummary(
        up_to=up_to,
        text=text,
        token_count=token_count,
        model=_model(provider, model),
        created_at=_time(created_at),
    )


@lru_cache(maxsize=256)
def _model(provider: str, model: str) -> ModelRef:
    """A conversation names one model over and over."""
    return ModelRef(provider, model)


def _time(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text)
    # PostgreSQL writes times in the session's zone, which is the server's to choose.
    return moment if moment.tzinfo is datetime.UTC else moment.astimezone(datetime.UTC)


def _array(database: str, table: str, columns: Sequence[str]) -> str:
    return f"{_function(database)}({', '.join(_value(database, table, column) for column in columns)})"


def _function(database: str) -> str:
    return "json_build_array" if database == "postgresql" else "json_array"


def _value(database: str, table: str, column: str) -> str:
    if database == "postgresql":
        # As a number it would be read as a binary one.
        return f"{table}.cost_usd::text" if column == "cost_usd" else f'{table}."{column}"'
    return f'json({table}."{column}")' if column in _JSON else f'{table}."{column}"'


def _gathered(database: str) -> str:
    return "json_agg(message)" if database == "postgresql" else "json_group_array(json(message))"


def _nested(database: str, query: str) -> str:
    """SQLite forgets that what comes out of a query is JSON."""
    return query if database == "postgresql" else f"json({query})"
