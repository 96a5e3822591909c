"""The schemas of what lor3 answers, as `entrypoints/rendering.py` writes it; a test compares the two."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject, JSONValue
from entrypoints.http.problems import PROBLEMS


def _object(
    description: str, properties: Mapping[str, JSONValue], *, optional: tuple[str, ...] = ()
) -> JSONObject:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _list(items: JSONValue) -> JSONObject:
    return {"type": "array", "items": items}


def _ref(name: str) -> JSONObject:
    return {"$ref": f"#/components/schemas/{name}"}


def _nullable(kind: str, description: str = "") -> JSONObject:
    schema: dict[str, JSONValue] = {"type": [kind, "null"]}
    if description:
        schema["description"] = description
    return schema


_UUID: Final[JSONObject] = {"type": "string", "format": "uuid"}
_TEXT: Final[JSONObject] = {"type": "string"}
_COUNT: Final[JSONObject] = {"type": "integer", "minimum": 0}
_FLAG: Final[JSONObject] = {"type": "boolean"}
_MONEY: Final = _nullable("string", "USD, a decimal; null where the price is unknown.")

EXAMPLE_ANSWER: Final[JSONObject] = {
    "message_id": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e01",
    "thread_id": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e02",
    "session_id": "01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e03",
    "output": "An architecture of ports and adapters.",
    "format": "markdown",
    "model": "anthropic:claude-opus-5-5",
    "prompt_version": None,
    "finish_reason": "stop",
    "tool_calls": [],
    "usage": {"input_tokens": 812, "output_tokens": 96, "cached_input_tokens": 0, "estimated": False},
    "cost_usd": "0.005168",
    "attempts": [
        {"model": "openai:gpt-5.2", "outcome": "rate_limited", "latency_ms": 212},
        {"model": "anthropic:claude-opus-5-5", "outcome": "ok", "latency_ms": 1480},
    ],
    "context": {"injected": 0, "dropped": 0},
    "warnings": [],
}

EVENT_STREAM: Final[JSONObject] = {
    "schema": {
        "type": "string",
        "description": "Events in order: `start`, then `delta`, `tool_call_delta`, `tool_call` and `reset`, then "
        "`done` (the answer, once it is durable) or `error` (the problem). After a `reset` all deltas so far are "
        "void. Each has an increasing `id`; a comment line comes every 15 s.",
    },
    "example": 'id: 1\nevent: start\ndata: {"message_id":"…","model":"demo:demo"}\n\n'
    'id: 2\nevent: delta\ndata: {"text":"Hello"}\n\nid: 3\nevent: done\ndata: {"output":"Hello", …}\n\n',
}

_IR: Final[JSONObject] = {
    "type": "object",
    "description": "The request as lor3 holds it, in the names of the body of `POST /chat`, with `system` and `history`.",
}

ANSWER_SCHEMAS: Final[Mapping[str, JSONObject]] = {
    "Answer": _object(
        "An answer that is durable.",
        {
            "message_id": _UUID,
            "thread_id": _UUID,
            "session_id": _UUID,
            "output": {"description": "The text, or the parsed value when `format` is json."},
            "format": _TEXT,
            "model": {"type": "string", "description": "The model that answered."},
            "prompt_version": _nullable("string"),
            "finish_reason": {"enum": ["stop", "length", "content_filter", "tool_calls"]},
            "tool_calls": _list(_ref("ToolCallBody")),
            "usage": _ref("Usage"),
            "cost_usd": _MONEY,
            "attempts": _list(_ref("Attempt")),
            "context": _ref("ContextUse"),
            "warnings": _list(_TEXT),
        },
    ),
    "Usage": _object(
        "Tokens of all calls that were paid for.",
        {
            "input_tokens": _COUNT,
            "output_tokens": _COUNT,
            "cached_input_tokens": _COUNT,
            "estimated": {"type": "boolean", "description": "True where lor3 counted by itself."},
        },
    ),
    "Attempt": _object(
        "One call to one model.",
        {
            "model": _TEXT,
            "outcome": {"type": "string", "description": "`ok`, or what went wrong."},
            "latency_ms": _COUNT,
        },
    ),
    "ContextUse": _object(
        "Messages of the thread that went into the prompt.", {"injected": _COUNT, "dropped": _COUNT}
    ),
    "Explanation": _object(
        "What would happen to a chat.",
        {
            "request": _IR,
            "passes": _list(
                _object("A pass.", {"name": _TEXT, "before": _IR, "after": _IR, "notes": _list(_TEXT)})
            ),
            "compiled": {"oneOf": [_IR, {"type": "null"}]},
            "prompt_version": _nullable("string"),
            "context": _ref("ContextUse"),
            "messages": _object("Messages in the prompt.", {"kept": _COUNT, "dropped": _COUNT}),
            "candidates": _list(
                _object("A model that was considered.", {"model": _TEXT, "included": _FLAG, "reason": _TEXT})
            ),
            "tokens": _nullable("object", "Token counts and limits for the first candidate."),
            "wire": _nullable("object", "The exact request to the first candidate, without credentials."),
            "cost": _nullable("object", "The estimate: `prompt_usd`, `max_total_usd`."),
            "warnings": _list(_TEXT),
        },
    ),
    "Config": _object(
        "What this lor3 offers.",
        {
            "models": _list(_ref("Model")),
            "aliases": {"type": "object", "additionalProperties": _TEXT},
            "formats": _list(_TEXT),
            "passes": _list(_TEXT),
            "prompts": _list(_TEXT),
            "defaults": {"type": "object", "description": "What a chat gets where it says nothing."},
            "limits": {"type": "object"},
            "features": {"type": "object", "additionalProperties": _FLAG},
            "warnings": _list(_TEXT),
        },
    ),
    "Model": _object(
        "A model that a caller may name.",
        {
            "id": {"type": "string", "examples": ["openai:gpt-5.2"]},
            "provider": _TEXT,
            "capabilities": _list(_TEXT),
            "limits": _object(
                "Tokens; null where unknown.",
                {"context_window": _nullable("integer"), "max_output_tokens": _nullable("integer")},
            ),
            "price": _nullable("object", "USD for a million tokens, decimal strings."),
            "lifecycle": _object(
                "When it ends.",
                {
                    "retired": _FLAG,
                    "retired_on": _nullable("string"),
                    "replaced_by": _nullable("string"),
                },
            ),
            "health": {"enum": ["ok", "degraded", "down", "cooling", "unavailable"]},
        },
    ),
    "Status": _object("A state.", {"status": _TEXT}),
    "Problem": _object(
        "What went wrong and what to do (RFC 9457).",
        {
            "type": {"type": "string", "examples": ["urn:lor3:problem:invalid_request"]},
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "code": {"enum": list(PROBLEMS)},
            "request_id": _TEXT,
            "retryable": {"type": "boolean", "description": "Whether the same request may succeed later."},
            "errors": _list(_object("A fault.", {"path": _TEXT, "message": _TEXT})),
        },
        optional=("errors",),
    ),
}
