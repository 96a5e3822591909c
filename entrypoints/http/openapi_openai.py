"""What the OpenAPI document says of OpenAI's surface."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject, JSONValue
from entrypoints.http.checks import Schemas
from entrypoints.http.openai_fields import OPENAI_CHAT
from entrypoints.http.openapi_answers import EXAMPLE_ANSWER, PROMPT_VERSION
from entrypoints.http.openapi_chat import ANSWER_HEADERS, IDEMPOTENCY_KEY
from entrypoints.http.openapi_events import STREAM_HEADERS
from entrypoints.http.openapi_operations import json_answer, json_body, operation, path_parameter
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
    ref_or_null,
    text,
    uuid_text,
)

_ERROR: Final = "OpenAIError"
_ID: Final = str(EXAMPLE_ANSWER["message_id"])
_FINISH: Final = choice(
    ("stop", "length", "tool_calls", "content_filter"),
    "Why it ends. An answer that its caller stopped ends with `stop`.",
)
_EXTRAS: Final = ref("OpenAIExtras", "What `POST /chat` would say beside.")
_CREATED: Final = count("Unix seconds of its beginning.")
_MODEL: Final = text("The model that answered.", example="openai:gpt-5.2")
_ANSWER_ID: Final = uuid_text("lor3's `message_id`: the answer is stopped, rated and read by it.")

OPENAI_SCHEMAS: Final[Mapping[str, JSONObject]] = {
    "OpenAICompletion": record(
        "An answer that is durable, in OpenAI's shape.",
        {
            "id": _ANSWER_ID,
            "object": choice(("chat.completion",), "Always `chat.completion`."),
            "created": _CREATED,
            "model": _MODEL,
            "choices": list_of(ref("OpenAIChoice"), "Always one."),
            "usage": ref("OpenAIUsage", "The tokens of all calls that were paid for."),
            "lor3": _EXTRAS,
        },
    ),
    "OpenAIChoice": record(
        "The answer itself.",
        {
            "index": count("Always 0."),
            "message": ref("OpenAIAnswerMessage", "What the assistant says; fit to be sent back as it is."),
            "logprobs": {"type": "null", "description": "Always null."},
            "finish_reason": _FINISH,
        },
    ),
    "OpenAIAnswerMessage": record(
        "An assistant's turn.",
        {
            "role": choice(("assistant",), "Always `assistant`."),
            "content": nullable("string", "The text; of JSON its text; null where it only calls tools."),
            "refusal": {"type": "null", "description": "Always null."},
            "tool_calls": list_of(ref("OpenAIToolCall"), "The functions that the model wants called."),
        },
        optional=("tool_calls",),
    ),
    "OpenAIToolCall": record(
        "A call that the model asks for.",
        {
            "id": text("The call's id, for the tool's turn that answers it."),
            "type": choice(("function",), "Always `function`."),
            "function": record(
                "What is called.",
                {"name": text("The function."), "arguments": text("JSON text, as the model wrote it.")},
            ),
        },
    ),
    "OpenAIUsage": record(
        "Tokens of all calls that were paid for.",
        {
            "prompt_tokens": count("Tokens of the prompts, cached ones included."),
            "completion_tokens": count("Tokens of the answers, those of reasoning included."),
            "total_tokens": count("Their sum."),
            "prompt_tokens_details": record(
                "Left out where lor3 counted by itself.",
                {"cached_tokens": count("Those that the provider had cached.")},
            ),
            "completion_tokens_details": record(
                "Left out where lor3 counted by itself.", {"reasoning_tokens": count("Those of reasoning.")}
            ),
        },
        optional=("prompt_tokens_details", "completion_tokens_details"),
    ),
    "OpenAIExtras": record(
        "What lor3 says of an answer and OpenAI has no word for.",
        {
            "message_id": uuid_text("The stored answer."),
            "thread_id": uuid_text("The thread it belongs to; send it as `lor3.thread_id` to go on."),
            "session_id": uuid_text("The session that the thread belongs to."),
            "prompt_version": PROMPT_VERSION,
            "format": text("The format of the content."),
            "cost_usd": money("What the calls cost."),
            "attempts": list_of(ref("Attempt"), "The calls that were sent, in order; the last one answered."),
            "context": ref("ContextUse", "How much of the thread went into the prompt."),
            "budget": {
                "description": "As in an answer of `POST /chat`.",
                "oneOf": [ref("Budget"), {"type": "null"}],
            },
            "warnings": list_of(TEXT, "What to know, such as options that were left out."),
            "estimated": flag("True where lor3 counted the tokens by itself."),
        },
    ),
    "OpenAIChunk": record(
        "A piece of an answer, in OpenAI's shape.",
        {
            "id": _ANSWER_ID,
            "object": choice(("chat.completion.chunk",), "Always `chat.completion.chunk`."),
            "created": _CREATED,
            "model": _MODEL,
            "choices": list_of(ref("OpenAIChunkChoice"), "One; none in the chunk that holds the usage."),
            "usage": ref_or_null(
                "OpenAIUsage", "With `stream_options.include_usage`: in the last chunk; in the others null."
            ),
            "lor3": {**_EXTRAS, "description": "In the last chunk: what `POST /chat` would say beside."},
        },
        optional=("usage", "lor3"),
    ),
    "OpenAIChunkChoice": record(
        "What is new.",
        {
            "index": count("Always 0."),
            "delta": {
                "type": "object",
                "description": "`role` in the first chunk; then pieces of `content` and of `tool_calls`, each of which "
                "has an `index`, in its first piece `id`, `type` and `function.name`, and `function.arguments` to be "
                "appended; in the last chunk nothing.",
            },
            "logprobs": {"type": "null", "description": "Always null."},
            "finish_reason": {
                "enum": ["stop", "length", "tool_calls", "content_filter", None],
                "description": "Null but in the last chunk.",
            },
        },
    ),
    "OpenAIModel": record(
        "What `model` may name.",
        {
            "id": text("A model, an alias or a prompt.", example="openai:gpt-5.2"),
            "object": choice(("model",), "Always `model`."),
            "created": count("Unix seconds of a prompt's making; 0 for models, of which nobody says it."),
            "owned_by": text("Its provider; `lor3` for prompts."),
        },
    ),
    "OpenAIModelList": record(
        "All that `model` may name.",
        {
            "object": choice(("list",), "Always `list`."),
            "data": list_of(ref("OpenAIModel"), "Models, then aliases, then prompts, each by name."),
        },
    ),
    _ERROR: record(
        "What went wrong, in OpenAI's shape.",
        {
            "error": record(
                "All four are always there.",
                {
                    "message": text("What is wrong, every fault at once, and what to do. For people."),
                    "type": text("Its class.", example="invalid_request_error"),
                    "param": nullable("string", "The field that is wrong; the first of several."),
                    "code": nullable(
                        "string", "What went wrong, for programs: the `code` of lor3's problems, stable."
                    ),
                    "lor3": record(
                        "Of `budget_exceeded` alone.",
                        {
                            "budget": {
                                "description": "The budget that is in the way; null where it is not the caller's to see.",
                                "oneOf": [ref("Budget"), {"type": "null"}],
                            }
                        },
                    ),
                },
                optional=("lor3",),
            )
        },
    ),
}
OPENAI_RESPONSE: Final[JSONObject] = {
    "description": "An error in OpenAI's shape. `x-should-retry: false` where its SDKs should not try again, since lor3 "
    "has done so.",
    "headers": {
        "Retry-After": {
            "description": "Seconds to wait, where waiting helps.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "x-should-retry": {
            "description": "`false`, or left out.",
            "schema": {"type": "string", "const": "false"},
        },
    },
    "content": {"application/json": {"schema": ref(_ERROR)}},
}
_CHUNKS: Final[JSONObject] = {
    "schema": {
        "type": "string",
        "description": "`data: ` with a chunk each, `data: [DONE]` at the end. A failure after the first is "
        '`data: {"error": {…}}`, then `data: [DONE]`. A comment line comes every 15 s.',
    },
    "x-events": {
        "chunk": {
            "description": "A piece of the answer.",
            "schema": ref("OpenAIChunk"),
            "example": {
                "id": _ID,
                "object": "chat.completion.chunk",
                "created": 1795424573,
                "model": "openai:gpt-5.2",
                "choices": [
                    {"index": 0, "delta": {"content": "Hello"}, "logprobs": None, "finish_reason": None}
                ],
            },
        }
    },
}
_USER: Final[JSONObject] = {"role": "user", "content": "What is a hexagonal architecture?"}


def openai_paths(schemas: Schemas) -> dict[str, JSONValue]:
    body = OPENAI_CHAT.schema(schemas)
    # Further fields are passed on.
    schemas["OpenAIChatBody"] = {**_object(schemas["OpenAIChatBody"]), "additionalProperties": True}
    answer: JSONObject = {
        "description": "The answer, which is durable.",
        "headers": {
            **{
                name: {"description": meaning, "schema": {"type": "string"}}
                for name, meaning in ANSWER_HEADERS.items()
            },
            **STREAM_HEADERS,
        },
        "content": {
            "application/json": {"schema": ref("OpenAICompletion")},
            "text/event-stream": _CHUNKS,
        },
    }
    return {
        "/v1/chat/completions": {
            "post": operation(
                "createChatCompletion",
                "Answer a chat, in OpenAI's words",
                "`POST /chat` for clients of OpenAI's: its SDKs work unchanged against this server's `/v1`. With "
                "`stream` in chunks. Errors are in OpenAI's shape.",
                "openai",
                answer,
                request_body=json_body(
                    body,
                    {
                        "messages": ("Messages", {"messages": [_USER]}),
                        "schema": (
                            "JSON that fits a schema",
                            {
                                "messages": [_USER],
                                "response_format": {
                                    "type": "json_schema",
                                    "json_schema": {
                                        "name": "definition",
                                        "schema": {
                                            "type": "object",
                                            "properties": {"definition": {"type": "string"}},
                                            "required": ["definition"],
                                            "additionalProperties": False,
                                        },
                                    },
                                },
                            },
                        ),
                        "lor3": (
                            "lor3's own powers",
                            {"messages": [_USER], "lor3": {"format": "markdown", "fallbacks": []}},
                        ),
                    },
                ),
                parameters=(IDEMPOTENCY_KEY,),
                failure=_ERROR,
            )
        },
        "/v1/models": {
            "get": operation(
                "listModels",
                "What `model` may name",
                "The models that can be called, aliases, and prompts as `prompt/name`, in OpenAI's shape.",
                "openai",
                json_answer("All of them.", ref("OpenAIModelList")),
                failure=_ERROR,
            )
        },
        "/v1/models/{model}": {
            "get": operation(
                "retrieveModel",
                "One of them",
                "As in the list.",
                "openai",
                json_answer("The model.", ref("OpenAIModel")),
                parameters=(
                    path_parameter("model", "An id of the list; it may hold `:` and `/`.", ".+", "demo:demo"),
                ),
                failure=_ERROR,
            )
        },
    }


def _object(schema: JSONValue) -> JSONObject:
    return schema if isinstance(schema, dict) else {}
