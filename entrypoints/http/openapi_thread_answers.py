"""The schemas of conversations as `entrypoints/thread_rendering.py` writes them; a test compares the two."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject
from entrypoints.http.openapi_answers import PROMPT_VERSION
from entrypoints.http.schema_parts import (
    TEXT,
    choice,
    count,
    flag,
    list_of,
    money,
    nullable,
    object_of,
    record,
    ref,
    ref_or_null,
    text,
    uuid_text,
)

_NEXT: Final = nullable("string", "Send it as `cursor` for the next page; null on the last one.")
_CREATED: Final = text("When it was made, RFC 3339.")


def _uuid_or_null(description: str) -> JSONObject:
    return {"type": ["string", "null"], "format": "uuid", "description": description}


_MESSAGE: Final[Mapping[str, JSONObject]] = {
    "id": uuid_text("The message."),
    "thread_id": uuid_text("The thread that it belongs to."),
    "position": count("Its place in the thread: 0, 1, 2 … without a gap."),
    "role": choice(("system", "user", "assistant", "tool"), "Whose turn it is."),
    "content": {
        "oneOf": [
            {"type": "string"},
            {"type": "array", "items": {"oneOf": [ref("TextPartBody"), ref("ImagePartBody")]}},
            {"type": "null"},
        ],
        "description": "A string where it is one text, else parts as `POST /chat` takes them; null where an "
        "assistant only called tools.",
    },
    "status": choice(
        ("complete", "incomplete", "failed", "interrupted", "cancelled"),
        "`incomplete`, `interrupted` and `cancelled` answers were cut; `failed` ones have an `error_code`. Only "
        "complete ones go into a prompt.",
    ),
    "error_code": nullable("string", "Why it failed; one of the codes of problems."),
    "format": nullable("string", "The format of an answer."),
    "model": nullable("string", "The model that answered; null in a caller's turn."),
    "prompt_version": PROMPT_VERSION,
    "prompt_label": nullable("string", "The label by which that version was chosen; null without one."),
    "finish_reason": {
        "enum": ["stop", "length", "content_filter", "tool_calls", None],
        "description": "Why an answer ends, as in `POST /chat`.",
    },
    "tool_calls": list_of(ref("ToolCallBody"), "The functions that the model wanted called, if any."),
    "tool_call_id": nullable("string", "In a tool's turn: which call it answers."),
    "usage": ref_or_null("Usage", "The tokens of an answer; null in a caller's turn."),
    "cost_usd": money("What the answer cost; null in a caller's turn too."),
    "latency_ms": nullable(
        "integer",
        "From the request's arrival to the answer's end, in milliseconds, with the wait for its turn in the thread.",
    ),
    "parent_id": _uuid_or_null(
        "The turn it follows. Answers with the same parent were made in place of one another; the newest counts."
    ),
    "pinned": flag("Whether the memory keeps it whatever its age."),
    "copied_from": _uuid_or_null("In a fork: the message that it is a copy of. It was paid for there."),
    "rating": {
        "enum": ["thumbs_up", "thumbs_down", 1, 2, 3, 4, 5, None],
        "description": "The rating of the newest feedback; null without one.",
    },
    "feedback": ref_or_null("Feedback", "The newest feedback; null without one."),
    "metadata": object_of(TEXT, "What the caller stored with it."),
    "created_at": _CREATED,
}

THREAD_SCHEMAS: Final[Mapping[str, JSONObject]] = {
    "Session": record(
        "The threads of one user, grouped.",
        {
            "id": uuid_text("The session."),
            "user": nullable("string", "The caller's opaque id of its end user; null where none was given."),
            "created_at": _CREATED,
        },
    ),
    "SessionPage": record(
        "Some of the sessions, newest first.",
        {"items": list_of(ref("Session"), "The sessions."), "next_cursor": _NEXT},
    ),
    "Thread": record(
        "A conversation.",
        {
            "id": uuid_text("The thread; a chat continues it as `thread_id`."),
            "session_id": uuid_text("The session that it belongs to."),
            "title": nullable("string", "What people call it; null without one."),
            "tags": list_of(TEXT, "Words to find it by, in alphabetical order."),
            "forked_from": _uuid_or_null(
                "The message of another thread up to which this one began as a copy of it; null for one that did not."
            ),
            "messages": count("How many messages it has had."),
            "created_at": _CREATED,
            "updated_at": text("When it was last continued or changed, RFC 3339."),
        },
    ),
    "ThreadPage": record(
        "Some of the threads, newest first.",
        {"items": list_of(ref("Thread"), "The threads."), "next_cursor": _NEXT},
    ),
    "StoredMessage": record("A message of a thread, with all that is known of how it came to be.", _MESSAGE),
    "MessagePage": record(
        "Some messages of a thread, by position. A page also ends before 4,000,000 characters.",
        {"items": list_of(ref("StoredMessage"), "The messages."), "next_cursor": _NEXT},
    ),
    "MessageDetail": record(
        "A message with its attempts.",
        {
            **_MESSAGE,
            "attempts": list_of(
                ref("MessageAttempt"),
                "Each try at a model for this answer, those too that were passed over, in order; none for a "
                "caller's turn and for a copy.",
            ),
        },
    ),
    "MessageAttempt": record(
        "One try at one model.",
        {
            "model": text("The model.", example="openai:gpt-5.2"),
            "outcome": text(
                "`ok`, what went wrong, or `skipped_…` where it was passed over.", example="rate_limited"
            ),
            "purpose": choice(
                ("answer", "summary"),
                "What the call was for: `summary` is that of the thread's older part.",
            ),
            "status": nullable("integer", "The provider's HTTP status; null where there was none."),
            "started_at": text("When it began, RFC 3339."),
            "latency_ms": count("How long it took, in milliseconds."),
            "usage": ref("Usage", "Its tokens."),
            "cost_usd": money("What it cost; failed ones cost 0."),
        },
    ),
    "ThreadExport": record(
        "A whole thread.",
        {
            "session": ref("Session", "The session that it belongs to."),
            "thread": ref("Thread", "The thread."),
            "messages": list_of(ref("StoredMessage"), "All its messages, in order."),
        },
    ),
}
