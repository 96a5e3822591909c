"""What the OpenAPI document says of chats."""

from typing import Final

from domain.json_value import JSONObject, JSONValue
from entrypoints.http.chat_body import CHAT, REGENERATE
from entrypoints.http.checks import Schemas
from entrypoints.http.openapi_answers import EXAMPLE_ANSWER
from entrypoints.http.openapi_events import STREAM_HEADERS, event_stream
from entrypoints.http.openapi_operations import json_answer, json_body, operation, path_parameter
from entrypoints.http.schema_parts import ref

# They name no model, so that each of them works on any lor3.
_CHAT_EXAMPLES: Final[JSONObject] = {
    "prompt": {"summary": "A prompt", "value": {"prompt": "What is a hexagonal architecture?"}},
    "format": {
        "summary": "A format, a limit and no falling back",
        "value": {
            "prompt": "List three ports of a chat gateway.",
            "fallbacks": [],
            "format": "markdown",
            "max_tokens": 500,
        },
    },
    "schema": {
        "summary": "JSON that fits a schema",
        "value": {
            "prompt": "Name a city and its country.",
            "format": "json",
            "schema": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "country": {"type": "string"}},
                "required": ["city", "country"],
                "additionalProperties": False,
            },
        },
    },
    "history": {
        "summary": "The caller's own history",
        "value": {
            "messages": [
                {"role": "user", "content": "My name is Ada."},
                {"role": "assistant", "content": "Hello Ada."},
                {"role": "user", "content": "What is my name?"},
            ]
        },
    },
    "stream": {"summary": "Server-sent events", "value": {"prompt": "Count to five.", "stream": True}},
}
ANSWER_HEADERS: Final = {
    "x-lor3-model": "The model that answered.",
    "x-lor3-attempts": "How many calls were sent.",
    "x-lor3-fallbacks": "How many models were given up or passed over before.",
    "x-lor3-cost-usd": "What it cost; left out where the price is unknown.",
    "x-lor3-overhead-ms": "Time not spent waiting for a provider, or for the thread's turn.",
    "x-ratelimit-limit-requests": "Of the limit that has the least left: requests a minute. On errors, too.",
    "x-ratelimit-remaining-requests": "How many may be sent at once.",
    "x-ratelimit-reset-requests": "Until all of them are there again, such as `120ms`, `1s` or `6m0s`.",
    "x-ratelimit-limit-tokens": "The same of tokens, less what this chat was estimated at.",
    "x-ratelimit-remaining-tokens": "How many may be used at once.",
    "x-ratelimit-reset-tokens": "Until all of them are there again.",
    "Idempotency-Replayed": "`true` where the answer was given before to the same key; the others are 0 then.",
}
IDEMPOTENCY_KEY: Final[JSONObject] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 visible ASCII characters. The same key and body within 24 hours give the same answer, "
    "which is charged once, streamed or not. While the first request is being answered, 409 with `Retry-After`, "
    "or the same events where both are streams; with another body, 422. A request that fails frees its key.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_ANSWER: Final[JSONObject] = {
    "description": "The answer, which is durable.",
    "headers": {
        **{
            name: {"description": text, "schema": {"type": "string"}} for name, text in ANSWER_HEADERS.items()
        },
        **STREAM_HEADERS,
    },
    "content": {
        "application/json": {"schema": ref("Answer"), "example": EXAMPLE_ANSWER},
        "text/event-stream": event_stream(),
    },
}


def chat_paths(schemas: Schemas) -> dict[str, JSONValue]:
    body: JSONObject = {
        "required": True,
        "content": {"application/json": {"schema": CHAT.schema(schemas), "examples": _CHAT_EXAMPLES}},
    }
    return {
        "/chat": {
            "post": operation(
                "sendChat",
                "Answer a chat",
                "Compiles the request, has it answered by the first model that can, stores the answer and "
                "returns it. With `stream` (or `Accept: text/event-stream`) as server-sent events.",
                "chat",
                _ANSWER,
                request_body=body,
                parameters=(IDEMPOTENCY_KEY,),
            )
        },
        "/chat/explain": {
            "post": operation(
                "explainChat",
                "Explain a chat",
                "Everything `POST /chat` would do up to the provider call; nothing is sent or stored.",
                "chat",
                json_answer("What would happen.", ref("Explanation")),
                request_body=body,
            )
        },
        "/messages/{id}/regenerate": {
            "post": operation(
                "regenerateAnswer",
                "Answer once more",
                "Makes another answer to the same turns, with the memory from before them, and adds it to the "
                "thread; the earlier one stays in it and leaves the memory. Only the last answer of a thread, or "
                "a turn at its end that has no answer yet; of an earlier answer (409) fork the thread at the turn "
                "before it, and name the last message of the fork.",
                "chat",
                _ANSWER,
                request_body=json_body(
                    REGENERATE.schema(schemas),
                    {
                        "again": ("As configured", {}),
                        "warmer": ("With more variety", {"temperature": 1.0}),
                    },
                ),
                parameters=(
                    path_parameter(
                        "id",
                        "The answer's id, or that of the turn to answer.",
                        "[0-9a-fA-F-]{36}",
                        str(EXAMPLE_ANSWER["message_id"]),
                    ),
                    IDEMPOTENCY_KEY,
                ),
            )
        },
    }
