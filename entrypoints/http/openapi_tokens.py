"""The part of the OpenAPI document that is about tokens, and how callers say who they are."""

from collections.abc import Mapping
from typing import Final

from domain.json_value import JSONObject, JSONValue
from entrypoints.http.checks import Schemas
from entrypoints.http.openapi_operations import json_answer, json_body, operation
from entrypoints.http.schema_parts import ref
from entrypoints.http.token_body import TOKEN

SECURITY_SCHEMES: Final[JSONObject] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of `lor3 key create`, or a token of `POST /tokens`. Nothing is needed as long as there "
        "has never been a key and lor3 listens to its own machine alone.",
    }
}
NEEDED: Final[list[JSONValue]] = [{"bearer": []}]
OPEN: Final[list[JSONValue]] = []
"""For whoever asks."""

_EXAMPLES: Final[Mapping[str, tuple[str, JSONValue]]] = {
    "user": ("For ten minutes, with all that a user can do", {"user": "u-4711"}),
    "narrow": (
        "For a minute of chats with one model",
        {"user": "u-4711", "ttl_s": 60, "scopes": ["chat"], "models": ["openai:gpt-5-mini"]},
    ),
}

TOKEN_SCHEMAS: Final[dict[str, JSONValue]] = {
    "Token": {
        "description": "A token, and what it is good for.",
        "type": "object",
        "required": ["token", "expires_at", "user", "scopes"],
        "additionalProperties": False,
        "properties": {
            "token": {
                "type": "string",
                "description": "For `Authorization: Bearer …`: a JWS (RFC 7515) signed with EdDSA.",
            },
            "expires_at": {"type": "string", "format": "date-time", "description": "When it ends."},
            "user": {"type": "string", "description": "The end user whom it is bound to."},
            "scopes": {
                "type": "array",
                "items": {"type": "string"},
                "description": "What it may be used for.",
            },
        },
    }
}


def token_paths(schemas: Schemas) -> dict[str, JSONValue]:
    """`POST /tokens`; the schema of its body is added to `schemas`."""
    return {
        "/tokens": {
            "post": operation(
                "createToken",
                "Make a token for a browser",
                "Short-lived, bound to one end user, and signed with the key that the request comes with; it can do "
                "no more than that key. Needs the scope `tokens`. It ends with its time, or with its key.",
                "tokens",
                {},
                request_body=json_body(TOKEN.schema(schemas), _EXAMPLES),
                others={"201": json_answer("The token.", ref("Token"))},
            )
        }
    }
