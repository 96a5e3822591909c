"""The schemas of what a chat is answered with, as `entrypoints/rendering.py` writes it; a test compares the two."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject
from entrypoints.http.problems import PROBLEMS
from entrypoints.http.schema_parts import (
    TEXT,
    choice,
    count,
    flag,
    list_of,
    money,
    nullable,
    record,
    ref,
    text,
    uuid_text,
)

EXAMPLE_ANSWER: Final[JSONObject] = {
    "message_id": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01",
    "thread_id": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e02",
    "session_id": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e03",
    "output": "An architecture of ports and adapters.",
    "format": "markdown",
    "model": "anthropic:claude-opus-5-5",
    "prompt_version": "support_agent:v3",
    "finish_reason": "stop",
    "tool_calls": [],
    "usage": {"input_tokens": 812, "output_tokens": 96, "cached_input_tokens": 0, "estimated": False},
    "cost_usd": "0.005168",
    "attempts": [
        {"model": "openai:gpt-5.2", "outcome": "rate_limited", "latency_ms": 212},
        {"model": "anthropic:claude-opus-5-5", "outcome": "ok", "latency_ms": 1480},
    ],
    "context": {"injected": 0, "dropped": 0, "pinned": 0, "summarised": 0, "left_out": []},
    "budget": None,
    "warnings": [],
}

PROMPT_VERSION: Final = nullable("string", "The stored prompt's version that was used; null without one.")

LEFT_OUT_REASON: Final = choice(
    (
        "cut_by_depth",
        "open_tool_call",
        "size_limit",
        "summary_too_large",
        "superseded",
        "token_budget",
        "unanswered",
    ),
    "Why: `cut_by_depth` the depth ends inside their exchange, `open_tool_call` a call among them has no result or a "
    "result no call, `size_limit` they exceed what is injected at most, `summary_too_large` the model's window does "
    "not hold the summary that stands for them, `superseded` another answer was made in their place, `token_budget` the"
    " model's window does not hold them, `unanswered` their answer failed or was cut.",
)

ANSWER_SCHEMAS: Final[Mapping[str, JSONObject]] = {
    "Answer": record(
        "An answer that is durable.",
        {
            "message_id": uuid_text("The stored answer."),
            "thread_id": uuid_text("The thread it belongs to; send it to go on."),
            "session_id": uuid_text("The session that the thread belongs to."),
            "output": {
                "description": "The text, or the parsed value when `format` is json.",
            },
            "format": text("The format that `output` has.", example="markdown"),
            "model": text("The model that answered.", example="openai:gpt-5.2"),
            "prompt_version": PROMPT_VERSION,
            "finish_reason": choice(
                ("stop", "length", "content_filter", "tool_calls", "stopped"),
                "Why it ends: `stop` it was done, `length` it reached `max_tokens`, `content_filter` the provider "
                "cut it, `tool_calls` it wants functions called, `stopped` its caller ended it.",
            ),
            "tool_calls": list_of(ref("ToolCallBody"), "The functions that the model wants called, if any."),
            "usage": ref("Usage", "The tokens of all calls that were paid for."),
            "cost_usd": money("What those calls cost."),
            "attempts": list_of(ref("Attempt"), "The calls that were sent, in order; the last one answered."),
            "context": {
                "description": "How much of the thread went into the prompt; null where an older answer is told again.",
                "oneOf": [ref("ContextUse"), {"type": "null"}],
            },
            "budget": {
                "description": "Where the caller's budgets stand after it; null without one.",
                "oneOf": [ref("Budget"), {"type": "null"}],
            },
            "warnings": list_of(TEXT, "What to know, such as options left out or a model that is retired."),
        },
    ),
    "Budget": record(
        "Where budgets stand.",
        {
            "left_usd": nullable(
                "string", "What all hard budgets leave; null where there are soft ones alone."
            ),
            "resets_at": nullable("string", "When the one that leaves the least begins anew; null: never."),
            "budgets": list_of(ref("BudgetState"), "Each of them."),
        },
    ),
    "BudgetState": record(
        "Where one budget stands.",
        {
            "subject": choice(("key", "tenant", "user", "thread"), "Whose it is."),
            "period": choice(("day", "month", "total"), "In which time; days and months are UTC's."),
            "soft": flag("True where it warns and does not refuse."),
            "limit_usd": text("What may be spent in the period, in USD, a decimal.", example="50"),
            "spent_usd": text("What is spent.", example="12.5"),
            "left_usd": text("What is left, less what is reserved for chats under way.", example="37.5"),
            "resets_at": nullable("string", "When the period ends; null for `total`."),
        },
    ),
    "Usage": record(
        "Tokens of all calls that were paid for.",
        {
            "input_tokens": count("Tokens of the prompts, cached ones included."),
            "output_tokens": count("Tokens of the answers."),
            "cached_input_tokens": count("Those of the input that the provider had cached."),
            "estimated": flag("True where lor3 counted by itself."),
        },
    ),
    "Attempt": record(
        "One call to one model.",
        {
            "model": text("The model that was called."),
            "outcome": text("`ok`, or what went wrong.", example="rate_limited"),
            "latency_ms": count("How long the call took."),
            "purpose": choice(
                ("summary",), "Stands where the call was to summarise the thread's older part."
            ),
        },
        optional=("purpose",),
    ),
    "ContextUse": record(
        "Messages of the thread that went into the prompt.",
        {
            "injected": count("Those in the prompt, pinned ones included; the summary is none of them."),
            "dropped": count("Those within the depth that are not in the prompt; the sum of `left_out`."),
            "pinned": count("Of those injected, how many are there because they are pinned."),
            "summarised": count("How many older messages the summary stands for; 0 without one."),
            "left_out": list_of(ref("LeftOut"), "Why messages stayed out."),
        },
    ),
    "LeftOut": record(
        "Messages that stayed out of the prompt for one reason.",
        {"reason": LEFT_OUT_REASON, "messages": count("How many.")},
    ),
    "Status": record("A state.", {"status": text("`ok`.")}),
    "Readiness": record(
        "Whether chats can be answered here. A 503 is a problem object that has the same `checks`.",
        {
            "status": text("`ready`."),
            "checks": {
                "type": "object",
                "description": "`ok`, or what is wrong, of `storage`, `keys`, `providers`, `redis` (where there is one); and "
                "`draining`, which is `no`. Storage alone makes chats impossible.",
                "additionalProperties": {"type": "string"},
            },
        },
    ),
    "Fault": record(
        "One thing that is wrong with a request.",
        {
            "path": text("Where; empty for the whole body.", example="messages[2].content"),
            "message": text("What is wrong and what to do."),
        },
    ),
    "Problem": record(
        "What went wrong and what to do (RFC 9457).",
        {
            "type": text("The code as a URN.", example="urn:lor3:problem:invalid_request"),
            "title": text("The code in words, always the same for a code."),
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": text("What went wrong this time and what to do. For people; it may change."),
            "code": choice(
                tuple(PROBLEMS), "What went wrong, for programs: stable. All are listed under errors."
            ),
            "request_id": text("The request in lor3's log."),
            "retryable": flag("Whether the same request may succeed later."),
            "errors": list_of(ref("Fault"), "Bad input: every fault at once."),
            "budget": {
                "description": "`budget_exceeded`: the budget that is in the way; null where it is not the caller's to see.",
                "oneOf": [ref("Budget"), {"type": "null"}],
            },
        },
        optional=("errors", "budget"),
    ),
}
