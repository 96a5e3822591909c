"""Refusals of OpenAI's wire: `{"error": {"message", "type", "param", "code"}}`, and what its imitators send.

Source: platform.openai.com/docs/guides/error-codes and the errors that vLLM, Ollama and llama.cpp raise.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from adapters.providers import json_text
from adapters.providers.failure_words import kind_of_status, no_header, provider_failure
from adapters.providers.hints import HeaderLookup
from adapters.providers.openai.parameters import DOCUMENTED
from domain.errors import FailureKind, ProviderFailure

SENT_FIELDS: Final = frozenset(
    (
        "max_completion_tokens", "max_tokens", "messages", "model", "response_format", "seed", "stop", "stream",
        "stream_options", "temperature", "tool_choice", "tools", "top_p", "user",
    )
) | DOCUMENTED  # fmt: skip

_BY_WORD: Final[Mapping[str, FailureKind]] = {
    # `code`s and `type`s share one table: vendors disagree on which of the two holds what.
    "insufficient_quota": "quota_exhausted",
    "billing_not_active": "quota_exhausted",
    "billing_hard_limit_reached": "quota_exhausted",
    "rate_limit_exceeded": "rate_limited",
    "rate_limit_error": "rate_limited",
    "invalid_api_key": "auth",
    "authentication_error": "auth",
    "permission_error": "forbidden",
    "model_not_found": "model_not_found",
    "not_found_error": "model_not_found",
    "model_decommissioned": "model_not_found",
    "context_length_exceeded": "context_too_long",
    "exceed_context_size_error": "context_too_long",  # llama.cpp
    "content_policy_violation": "content_filtered",
    "content_filter": "content_filtered",  # Azure
    "service_unavailable_error": "overloaded",
    "overloaded_error": "overloaded",
    "timeout_error": "timeout",
    "server_error": "server_error",
    "internal_server_error": "server_error",
    "invalid_request_error": "bad_request",
    "BadRequestError": "bad_request",  # vLLM
}
_NARROWER: Final[Mapping[FailureKind, frozenset[FailureKind]]] = {
    # Which words may say more than a status does; a word that contradicts the status is not believed.
    "bad_request": frozenset(("context_too_long", "content_filtered", "model_not_found", "quota_exhausted")),
    "rate_limited": frozenset(("quota_exhausted",)),
    "forbidden": frozenset(("quota_exhausted", "model_not_found")),
}
_TOO_LONG: Final = re.compile(r"maximum context length|context (window|size|length)|prompt is too long", re.I)


def failure(status: int, header: HeaderLookup, body: bytes) -> ProviderFailure:
    """The failure for any answer that is not a 200. Bodies that are not JSON are judged by their status."""
    kind = kind_of_status(status)
    error: Mapping[str, Any] = {}
    if body[:1] in b"{ \n\r\t":
        try:
            error = _error_object(json_text.parse(body))
        except ValueError:
            error = {}
    word = _kind_by_words(error, unspecific=kind == "bad_request")
    if word is not None and word in _NARROWER.get(kind, ()):
        kind = word
    parameter = error.get("param")
    return provider_failure(
        kind,
        status=status,
        header=header,
        parameter=parameter if isinstance(parameter, str) and parameter in SENT_FIELDS else None,
    )


def failure_in_answer(error: Any) -> ProviderFailure:
    """The failure for an error object under a status of 200, whole or as a frame of a stream."""
    found = _error_object({"error": error})
    code = found.get("code")
    status = code if type(code) is int and 400 <= code < 600 else None  # OpenRouter puts the status there
    kind = _kind_by_words(found, unspecific=True)
    if kind is None or (kind == "bad_request" and status is not None):
        kind = kind_of_status(status) if status is not None else "server_error"
    return provider_failure(kind, status=status, header=no_header)


def _error_object(value: Any) -> Mapping[str, Any]:
    error = value.get("error") if isinstance(value, dict) else None
    if isinstance(error, dict):
        return error
    if isinstance(error, str):  # Ollama
        return {"message": error}
    return value if isinstance(value, dict) else {}  # vLLM, before it wrapped its errors


def _kind_by_words(error: Mapping[str, Any], *, unspecific: bool) -> FailureKind | None:
    for field in ("code", "type"):
        word = error.get(field)
        kind = _BY_WORD.get(word) if isinstance(word, str) else None
        if kind is not None and kind != "bad_request":
            return kind
    message = error.get("message")
    # Servers without a code for it say so only in words.
    if unspecific and isinstance(message, str) and _TOO_LONG.search(message):
        return "context_too_long"
    if isinstance(error.get("type"), str):
        return _BY_WORD.get(error["type"])
    return None
