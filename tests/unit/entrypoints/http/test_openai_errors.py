"""Errors in OpenAI's shape: what its SDKs read."""

import json
from typing import Any

import jsonschema
import pytest

from domain.errors import (
    Absent,
    ChatFailed,
    ContentFiltered,
    ContextTooLong,
    Fault,
    InvalidRequest,
    KeyInFlight,
    KeyReused,
    LorError,
    NotFound,
    OutputInvalid,
    Overloaded,
    StorageUnavailable,
    ThreadBusy,
    UnreadableVersion,
)
from entrypoints.http.openai_errors import openai_error
from entrypoints.http.openai_names import in_the_bodys_names
from entrypoints.http.openapi import document
from entrypoints.http.problems import PROBLEMS, HTTPFault, shutting_down

A = Fault(path="a", message="wrong")
B = Fault(path="b", message="worse")
UNKNOWN = Fault(path="model", message="nobody", is_unknown_name=True)


def told(error: LorError) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(openai_error(error, request_id="r").body)
    return found


@pytest.mark.parametrize(
    ("error", "kind", "param", "code"),
    [
        (InvalidRequest.of(A, B), "invalid_request_error", "a", "invalid_request"),
        (InvalidRequest.of(Fault(path="", message="x")), "invalid_request_error", None, "invalid_request"),
        (ContextTooLong.of(A), "invalid_request_error", "a", "context_length_exceeded"),
        (ContentFiltered.of(A), "invalid_request_error", "a", "content_policy_violation"),
        (NotFound("x"), "invalid_request_error", None, "not_found"),
        (Absent("x", kind="thread", name="t"), "invalid_request_error", "lor3.thread_id", "not_found"),
        (Absent("x", kind="session", name="t"), "invalid_request_error", "lor3.session_id", "not_found"),
        (KeyReused("x"), "invalid_request_error", None, "idempotency_key_reused"),
        (HTTPFault("unsupported_media_type", "x"), "invalid_request_error", None, "unsupported_media_type"),
        (ChatFailed("upstream_auth", "x", retryable=False), "server_error", None, "upstream_auth"),
        (
            ChatFailed("upstream_rate_limited", "x", retryable=True),
            "service_unavailable_error", None, "upstream_rate_limited",
        ),
        (ChatFailed("upstream_timeout", "x", retryable=True), "timeout_error", None, "upstream_timeout"),
        (LorError("x"), "server_error", None, "internal_error"),
    ],
)  # fmt: skip
def test_all_four_fields_are_there(error: LorError, kind: str, param: str | None, code: str) -> None:
    """`param` is the first fault's place, the message names all."""
    body = told(error)

    assert body == {"error": {"message": error.detail, "type": kind, "param": param, "code": code}}
    schemas: Any = document()["components"]
    jsonschema.validate(body, {"$ref": "#/components/schemas/OpenAIError", "components": schemas})


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ChatFailed("upstream_error", "x", retryable=True), False),
        (ChatFailed("upstream_rate_limited", "x", retryable=True, retry_after_s=2), False),
        (ChatFailed("upstream_timeout", "x", retryable=True), False),
        (OutputInvalid("x"), False),
        (LorError("x"), False),
        (UnreadableVersion("p:v1"), False),
        (HTTPFault("idempotency_key_taken_over", "x"), False),
        (Overloaded("x"), True),
        (shutting_down(), True),
        (StorageUnavailable("x"), True),
        (ThreadBusy("x"), True),
        (KeyInFlight("x"), True),
        (InvalidRequest.of(A), True),
        (NotFound("x"), True),
    ],
)
def test_sdks_do_not_repeat_what_lor3_has_tried(error: LorError, again: bool) -> None:
    """They try 408, 409, 429 and 5xx again unless they are told not to; other statuses need no word."""
    assert again == (openai_error(error, request_id="r").headers == {})


def test_every_code_has_a_type() -> None:
    """Also those of later issues."""
    for code in PROBLEMS:
        assert told(HTTPFault(code, "x"))["error"]["type"]


def test_later_faults_are_told_in_the_bodys_names() -> None:
    """The domain knows nothing of where a protocol has its fields."""
    names = {"schema": "response_format.json_schema.schema", "fallbacks": "lor3.fallbacks"}
    error = ContextTooLong.of(
        Fault(path="schema.type", message="x"),
        Fault(path="fallbacks[1]", message="y"),
        Fault(path="seed", message="z"),
    )
    renamed = in_the_bodys_names(error, names)

    assert isinstance(renamed, ContextTooLong)
    assert [fault.path for fault in renamed.faults] == [
        "response_format.json_schema.schema.type", "lor3.fallbacks[1]", "seed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("faults", "names", "code"),
    [
        ((UNKNOWN,), {}, "model_not_found"),
        ((UNKNOWN, A), {}, "invalid_request"),
        ((Fault(path="model", message="must be a string"),), {}, "invalid_request"),
        ((Fault(path="system_prompt", message="no such"),), {"system_prompt": "model"}, "model_not_found"),
        (
            (Fault(path="system_prompt", message="no such"),),
            {"system_prompt": "lor3.system_prompt"},
            "invalid_request",
        ),
    ],
)
def test_a_name_that_no_model_goes_by_has_a_code_of_its_own(
    faults: tuple[Fault, ...], names: dict[str, str], code: str
) -> None:
    """404, as OpenAI answers; where it is all that is wrong."""
    assert code == in_the_bodys_names(InvalidRequest.of(*faults), names).code
