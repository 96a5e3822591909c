"""Refusals of Anthropic's wire, rows 1-17 of the fault list."""

import json

import pytest

from adapters.providers.anthropic.errors import failure


def _no_header(_name: str) -> str | None:
    return None


def _ae(kind: str, message: str = "CANARY sk-ant-1") -> bytes:
    return json.dumps(
        {"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"}
    ).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, _ae("rate_limit_error"), "rate_limited"),
        (402, _ae("billing_error"), "quota_exhausted"),
        (400, _ae("invalid_request_error", "Your credit balance is too low to use it"), "quota_exhausted"),
        (529, _ae("overloaded_error"), "overloaded"),
        (503, b"", "overloaded"),
        (500, _ae("api_error"), "server_error"),
        (500, _ae("overloaded_error"), "overloaded"),
        (502, b"<html>CANARY", "server_error"),
        (520, b"<html>CANARY", "server_error"),
        (413, b"<html>CANARY", "bad_request"),
        (413, _ae("request_too_large"), "bad_request"),
        (401, _ae("authentication_error"), "auth"),
        (403, _ae("permission_error"), "forbidden"),
        (404, _ae("not_found_error"), "model_not_found"),
        (400, _ae("invalid_request_error"), "bad_request"),
        (400, _ae("invalid_request_error", "prompt is too long: 205000 tokens > 200000 maximum"), "context_too_long"),
        (400, _ae("invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 3"), "context_too_long"),
        (400, _ae("invalid_request_error", "Output blocked by content filtering policy"), "content_filtered"),
        (504, _ae("timeout_error"), "timeout"),
        (408, b"", "timeout"),
        (409, _ae("invalid_request_error"), "server_error"),
        (308, b"", "redirect"),
        (204, b"", "bad_body"),
        (400, b"null", "bad_request"),
        (400, b'{"error": [1]}', "bad_request"),
        (400, b'{"error": {"message": {}}}', "bad_request"),
    ],
)  # fmt: skip
def test_class_of_a_refusal(status: int, body: bytes, kind: str) -> None:
    """Status first, text where only text tells; none of it gets out."""
    found = failure(status, _no_header, body)

    assert (kind, status) == (found.kind, found.status)
    assert "CANARY" not in str(found)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("messages.0.content: CANARY", "messages"),
        ("max_tokens: 1000000 > 64000", "max_tokens"),
        ("temperature: range: 0..1", "temperature"),
        ("secret_field: no", None),
        ("no colon", None),
    ],
)
def test_the_field_at_fault_is_read_from_the_message(message: str, expected: str | None) -> None:
    """Only fields that lor3 sends are named."""
    assert expected == failure(400, _no_header, _ae("invalid_request_error", message)).parameter


def test_hints_are_kept() -> None:
    """Retry-After and x-should-retry come along."""
    headers = {"retry-after": "2", "x-should-retry": "true"}

    found = failure(400, headers.get, _ae("invalid_request_error"))

    assert (found.retry_after_s, found.should_retry) == (2.0, True)
