"""Refusals of OpenAI's wire, rows 1-17 of the fault list."""

import json
from typing import Any

import pytest

from adapters.providers.openai.errors import failure


def _no_header(_name: str) -> str | None:
    return None


def _oe(kind: str | None, code: str | None = None, **more: Any) -> bytes:
    return json.dumps(
        {"error": {"message": "CANARY sk-123", "type": kind, "param": None, "code": code} | more}
    ).encode()


HTML = b"<html><title>CANARY</title></html>"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, _oe("requests", "rate_limit_exceeded"), "rate_limited"),
        (429, _oe("insufficient_quota", "insufficient_quota"), "quota_exhausted"),
        (429, _oe("insufficient_quota"), "quota_exhausted"),
        (429, _oe("billing_not_active", "billing_not_active"), "quota_exhausted"),
        (429, HTML, "rate_limited"),
        (402, b"", "quota_exhausted"),
        (503, _oe("service_unavailable_error"), "overloaded"),
        (529, b"", "overloaded"),
        (500, _oe("server_error"), "server_error"),
        (500, _oe("invalid_api_key", "invalid_api_key"), "server_error"),
        (502, HTML, "server_error"),
        (504, HTML, "timeout"),
        (520, HTML, "server_error"),
        (401, _oe("invalid_request_error", "invalid_api_key"), "auth"),
        (403, _oe(None), "forbidden"),
        (404, _oe("invalid_request_error", "model_not_found"), "model_not_found"),
        (404, b"404 page not found", "model_not_found"),
        (404, b'{"error": "model \'x\' not found"}', "model_not_found"),
        (400, _oe("invalid_request_error"), "bad_request"),
        (422, b'{"detail": []}', "bad_request"),
        (413, HTML, "bad_request"),
        (400, _oe("invalid_request_error", "context_length_exceeded"), "context_too_long"),
        (400, _oe("exceed_context_size_error"), "context_too_long"),
        (400, b'{"object": "error", "message": "This model\'s maximum context length is 8", "code": 400}', "context_too_long"),
        (400, _oe("invalid_request_error", "content_policy_violation"), "content_filtered"),
        (400, _oe(None, "content_filter"), "content_filtered"),
        (400, _oe("invalid_request_error", "model_decommissioned"), "model_not_found"),
        (408, b"", "timeout"),
        (409, b"", "server_error"),
        (307, b"", "redirect"),
        (302, HTML, "redirect"),
        (204, b"", "bad_body"),
        (206, b"{}", "bad_body"),
        (999, b"", "bad_body"),
        (400, b'{"error": {"type": ["x"], "code": {}, "message": 5}}', "bad_request"),
        (400, b'{"error": {"message": "\\ud800"}}', "bad_request"),
        (400, b"[" * 100_000, "bad_request"),
        (400, b"\xff\xfe", "bad_request"),
        (400, b"null", "bad_request"),
    ],
)  # fmt: skip
def test_class_of_a_refusal(status: int, body: bytes, kind: str) -> None:
    """Status first; words only narrow it; the provider's text never gets out."""
    found = failure(status, _no_header, body)

    assert (kind, status) == (found.kind, found.status)
    assert "CANARY" not in str(found)


@pytest.mark.parametrize(
    ("param", "expected"),
    [("temperature", "temperature"), ("messages", "messages"), ("sk-123", None), (None, None), (5, None)],
)
def test_only_fields_that_lor3_sends_are_named(param: Any, expected: str | None) -> None:
    """A provider can't put words into our errors through `param`."""
    assert expected == failure(400, _no_header, _oe("invalid_request_error", param=param)).parameter


def test_hints_are_kept() -> None:
    """Retry-After and x-should-retry come along."""
    headers = {"retry-after": "2", "x-should-retry": "false"}

    found = failure(429, headers.get, _oe("requests", "rate_limit_exceeded"))

    assert (found.retry_after_s, found.should_retry) == (2.0, False)
