"""What the OpenAPI document says of `/ui/chat`."""

from typing import Final

from domain.client_chat import MAX_CHAT_ID
from domain.json_value import JSONObject, JSONValue
from entrypoints.http.checks import Schemas
from entrypoints.http.openapi_chat import IDEMPOTENCY_KEY
from entrypoints.http.openapi_events import STREAM_HEADERS
from entrypoints.http.openapi_operations import header_parameter, json_answer, json_body, operation
from entrypoints.http.query import parameters_of
from entrypoints.http.routes.stream import STOP
from entrypoints.http.routes.ui import UIMessagesQuery
from entrypoints.http.schema_parts import list_of, nullable, record, ref, text
from entrypoints.http.ui_body import UI_CHAT
from entrypoints.http.ui_version import HEADER, VersionQuery

UI_SCHEMAS: Final[dict[str, JSONObject]] = {
    "UIChat": record(
        "What a client's chat holds.",
        {
            "id": text("The client's id of the chat."),
            "thread_id": nullable("string", "The thread where it goes on; null where nothing was said yet."),
            "items": list_of(
                ref("UIMessage"),
                "Oldest first: to be given to `useChat` as `messages`. `metadata.lor3` says which model answered, and "
                "what it cost.",
            ),
            "next_cursor": nullable(
                "string", "To be sent as `cursor` for those before; null where there are none."
            ),
        },
    )
}
_CHAT: Final[JSONObject] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The client's id of the chat, percent-encoded.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_CHAT_ID},
    "example": "nS2gDWJmkMhR",
}
_VERSION: Final = (
    header_parameter(
        HEADER,
        "The version of the npm package `ai` that reads the stream, such as `7`. Without it the stream has what the "
        "first 5.0 reads, too.",
    ),
    *parameters_of(VersionQuery),
)
_HEADERS: Final[dict[str, JSONValue]] = {
    **STREAM_HEADERS,
    "x-vercel-ai-ui-message-stream": {"description": "Always `v1`.", "schema": {"type": "string"}},
}
_EXAMPLES: Final[dict[str, tuple[str, JSONValue]]] = {
    "first": (
        "A first message",
        {
            "id": "nS2gDWJmkMhR",
            "trigger": "submit-message",
            "messages": [
                {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "What is a hexagon?"}]}
            ],
        },
    ),
    "options": (
        "The last message alone, with options",
        {
            "id": "nS2gDWJmkMhR",
            "message": {"id": "u2", "role": "user", "parts": [{"type": "text", "text": "And a heptagon?"}]},
            "lor3": {"max_tokens": 500, "fallbacks": []},
        },
    ),
    "regenerate": (
        "Another answer in place of the last one",
        {"id": "nS2gDWJmkMhR", "trigger": "regenerate-message"},
    ),
}


def _stream(description: str) -> JSONObject:
    parts = (
        '{"type":"start","messageId":"01990f3e-7a7c-7c3e-9f0a-5a2b6c1d8e03"}',
        '{"type":"start-step"}',
        '{"type":"text-start","id":"text-1"}',
        '{"type":"text-delta","id":"text-1","delta":"Hello"}',
        '{"type":"text-end","id":"text-1"}',
        '{"type":"finish-step"}',
        '{"type":"finish"}',
        "[DONE]",
    )
    return {
        "description": description,
        "headers": _HEADERS,
        "content": {
            "text/event-stream": {
                "schema": {
                    "type": "string",
                    "description": "The AI SDK's UI message stream v1: `start`, `start-step`, `text-*`, `tool-input-*`, "
                    "`reset-step` (for 7), `finish-step`, then `finish`, `abort` where the answer was stopped, or "
                    "`error`, whose `errorText` is a problem object as JSON; at last `[DONE]`. What lor3 says of the "
                    "answer stands in `messageMetadata.lor3`.",
                },
                "example": "".join(f"data: {part}\n\n" for part in parts),
            }
        },
    }


def ui_paths(schemas: Schemas) -> dict[str, JSONValue]:
    stopped = ref("StoppedAnswer")
    return {
        "/ui/chat": {
            "post": operation(
                "sendUIChat",
                "Answer a chat of the AI SDK",
                "What `useChat` with its `DefaultChatTransport` calls. The chat's id is bound to a thread. A message "
                "goes behind what the thread holds; one that replaces an earlier one, and another answer in place of "
                "an earlier one, go on in a fork, to which the id is bound from then on. Results of tools in the last "
                "message continue the answer that called them.",
                "ai-sdk",
                _stream("The answer, as it is made."),
                request_body=json_body(UI_CHAT.schema(schemas), _EXAMPLES),
                parameters=(*_VERSION, IDEMPOTENCY_KEY),
            )
        },
        "/ui/chat/{id}/stream": {
            "get": operation(
                "resumeUIChat",
                "Resume a chat's stream",
                "All of the answer that is being made, on whichever replica: what `useChat` with `resume` calls.",
                "ai-sdk",
                _stream("The answer, from its beginning."),
                parameters=(_CHAT, *_VERSION),
                others={"204": {"description": "None is being made; the chat's messages hold all."}},
            )
        },
        "/ui/chat/{id}/stop": {
            "post": operation(
                "stopUIChat",
                "Stop a chat's answer",
                "Ends the answer that is being made and keeps what was said so far. The AI SDK's own `stop` "
                "only leaves: the answer goes on without its reader then.",
                "ai-sdk",
                json_answer("It has ended, or had ended before.", stopped),
                request_body=json_body(
                    STOP.schema(schemas), {"stop": ("Nothing to say", {})}, required=False
                ),
                parameters=(_CHAT,),
                others={"202": json_answer("It will end.", stopped)},
            )
        },
        "/ui/chat/{id}/messages": {
            "get": operation(
                "listUIMessages",
                "A chat's messages for the AI SDK",
                "The newest ones as `UIMessage`s, for a page that is loaded again. A chat that nobody has begun is "
                "empty.",
                "ai-sdk",
                json_answer("The messages.", ref("UIChat")),
                parameters=(_CHAT, *parameters_of(UIMessagesQuery)),
            )
        },
    }
