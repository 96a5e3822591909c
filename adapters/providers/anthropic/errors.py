"""Refusals of Anthropic's wire: `{"type": "error", "error": {"type", "message"}, "request_id"}`.

Source: platform.claude.com/docs/en/api/errors.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from adapters.providers import json_text
from adapters.providers.anthropic.parameters import TAKEN
from adapters.providers.failure_words import kind_of_status, no_header, provider_failure
from adapters.providers.hints import HeaderLookup
from domain.errors import FailureKind, ProviderFailure

SENT_FIELDS: Final = frozenset(
    (
        "max_tokens", "messages", "metadata", "model", "output_config", "stop_sequences", "stream", "system",
        "temperature", "tool_choice", "tools", "top_p",
    )
) | TAKEN  # fmt: skip

_BY_TYPE: Final[Mapping[str, tuple[FailureKind, int]]] = {
    "invalid_request_error": ("bad_request", 400),
    "authentication_error": ("auth", 401),
    "billing_error": ("quota_exhausted", 402),
    "permission_error": ("forbidden", 403),
    "not_found_error": ("model_not_found", 404),
    "request_too_large": ("bad_request", 413),
    "rate_limit_error": ("rate_limited", 429),
    "api_error": ("server_error", 500),
    "timeout_error": ("timeout", 504),
    "overloaded_error": ("overloaded", 529),
}
_TOO_LONG: Final = re.compile(
    r"prompt is too long|exceed(s|ed)? (the )?(context|maximum)[a-z ]*(window|limit)", re.I
)
_NO_CREDIT: Final = re.compile(r"credit balance is too low", re.I)
_PARAMETER: Final = re.compile(r"([a-z_]+)[\w.\[\]]*: ")
"""Anthropic names the field at the start of its message, as in `messages.0.content: …`."""


def failure(status: int, header: HeaderLookup, body: bytes) -> ProviderFailure:
    """The failure for any answer that is not a 200. Bodies that are not JSON are judged by their status."""
    kind = kind_of_status(status)
    error: Mapping[str, Any] = {}
    if body[:1] in b"{ \n\r\t":
        try:
            parsed = json_text.parse(body)
        except ValueError:
            parsed = None
        if type(parsed) is dict and type(parsed.get("error")) is dict:
            error = parsed["error"]
    message = error.get("message")
    if type(message) is not str:
        message = ""
    if kind == "bad_request":
        kind = _kind_of_bad_request(message)
    elif kind == "server_error" and error.get("type") == "overloaded_error":
        kind = "overloaded"
    named = _PARAMETER.match(message)
    return provider_failure(
        kind,
        status=status,
        header=header,
        parameter=named[1] if named and named[1] in SENT_FIELDS else None,
    )


def failure_in_answer(error: Any) -> ProviderFailure:
    """The failure for an error object under a status of 200; its status is the one its type stands for."""
    found = error if type(error) is dict else {}
    kind, status = _BY_TYPE.get(str(found.get("type")), ("server_error", 500))
    message = found.get("message")
    if kind == "bad_request" and type(message) is str:
        kind = _kind_of_bad_request(message)
    return provider_failure(kind, status=status, header=no_header)


def _kind_of_bad_request(message: str) -> FailureKind:
    # Only the text tells these apart: all are invalid_request_error with a status of 400.
    if _TOO_LONG.search(message):
        return "context_too_long"
    if _NO_CREDIT.search(message):
        return "quota_exhausted"
    if "content filtering policy" in message:
        return "content_filtered"
    return "bad_request"
