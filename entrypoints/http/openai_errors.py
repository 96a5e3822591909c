"""Errors as OpenAI writes them: `{"error": {"message", "type", "param", "code"}}`, all four always present.

Of a budget that is used up there is `lor3: {"budget": …}` beside them, as in a problem object.

Source: platform.openai.com/docs/guides/error-codes, and what the official SDKs read: they choose the exception by the
status, try 408, 409, 429 and 5xx again unless `x-should-retry` is `false`, and wait as long as `Retry-After` says.
"""

from collections.abc import Mapping
from typing import Final

from domain.errors import Absent, BudgetExceeded, Fault, LorError
from domain.json_value import JSONValue
from entrypoints.http.error_formats import ErrorAnswer
from entrypoints.http.problems import faults_of, problem_type
from entrypoints.rendering import budget_json, to_json

_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
    504: "timeout_error",
}
"""Of the other statuses below 500 `invalid_request_error`, from there on `server_error`."""
_CODES: Final[Mapping[str, str]] = {"content_filtered": "content_policy_violation"}
"""Where OpenAI has a word of its own for one of lor3's codes."""
_NOT_BEGUN: Final = frozenset(("overloaded", "shutting_down", "storage_unavailable"))
"""Failures of lor3 before anybody was asked, which a client does well to try again."""
_TRIED_AGAIN: Final = frozenset((408, 409, 429))
"""The statuses below 500 that the SDKs try again by themselves."""
_PARAMETERS: Final[Mapping[str, str]] = {"thread": "lor3.thread_id", "session": "lor3.session_id"}
"""The fields that name what may be absent."""


def openai_error(error: LorError, *, request_id: str) -> ErrorAnswer:
    """The body of an error and its `x-should-retry`: lor3 has tried again what is worth it, so clients should not.

    The request's id is in `X-Request-ID` alone, where the SDKs look for it.
    """
    headers = {} if is_worth_another_try(error) else {"x-should-retry": "false"}
    return ErrorAnswer(
        body=to_json(openai_error_json(error)), content_type="application/json", headers=headers
    )


def openai_error_json(error: LorError) -> dict[str, JSONValue]:
    """The error object, as a body and as the data of an event in a stream."""
    status = problem_type(error.code).status
    told: dict[str, JSONValue] = {
        "message": error.detail,
        "type": _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error"),
        "param": _param(error),
        "code": _CODES.get(error.code, error.code),
    }
    if isinstance(error, BudgetExceeded):  # the SDKs hand out the object as it is
        told["lor3"] = {"budget": None if error.budget is None else budget_json((error.budget,))}
    return {"error": told}


def is_worth_another_try(error: LorError) -> bool:
    """False for what the SDKs would try again in vain, or on top of the attempts that lor3 has made."""
    status = problem_type(error.code).status
    if status >= 500:
        return error.retryable and error.code in _NOT_BEGUN
    return error.retryable or status not in _TRIED_AGAIN


def _param(error: LorError) -> str | None:
    if isinstance(error, Absent):
        return _PARAMETERS.get(error.kind)
    faults: tuple[Fault, ...] = faults_of(error)
    return (faults[0].path or None) if faults else None
