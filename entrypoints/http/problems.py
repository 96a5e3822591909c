"""Errors as RFC 9457 problem objects. `PROBLEMS` is the one table from an error's code to its HTTP status."""

import math
from collections.abc import Mapping

from domain.errors import BudgetExceeded, ConfigurationError, Fault, InvalidRequest, LorError
from domain.json_value import JSONValue
from domain.values import frozen
from entrypoints.rendering import budget_json

CONTENT_TYPE = "application/problem+json"


@frozen
class ProblemType:
    status: int
    title: str


PROBLEMS: Mapping[str, ProblemType] = {
    # The caller's input.
    "invalid_request": ProblemType(400, "The request is invalid"),
    "context_length_exceeded": ProblemType(400, "The prompt does not fit the model"),
    "content_filtered": ProblemType(400, "The provider's content policy refused the prompt"),
    "no_capable_model": ProblemType(400, "No model can do what the request needs"),
    "idempotency_unsupported": ProblemType(400, "The route keeps no idempotency keys"),
    "malformed_request": ProblemType(400, "The HTTP request is malformed"),
    "unauthenticated": ProblemType(401, "A valid key or token is needed"),
    "budget_exceeded": ProblemType(402, "The budget does not hold this"),
    "forbidden": ProblemType(403, "The key or token may not do this"),
    "not_found": ProblemType(404, "Not found"),
    "model_not_found": ProblemType(404, "There is no such model"),
    "method_not_allowed": ProblemType(405, "The method is not allowed here"),
    "request_timeout": ProblemType(408, "The request body came too slowly"),
    "conflict": ProblemType(409, "The state of the thing does not allow it"),
    "label_protected": ProblemType(409, "The label is protected"),
    "version_in_use": ProblemType(409, "The version is in use"),
    "diverged": ProblemType(409, "Both sides were changed"),
    "thread_busy": ProblemType(409, "The thread is busy"),
    "answer_stopped": ProblemType(409, "The answer was stopped before it began"),
    "idempotency_key_in_flight": ProblemType(409, "The first request with this key is being answered"),
    "idempotency_key_taken_over": ProblemType(409, "Another request with this key went ahead"),
    "idempotency_key_reused": ProblemType(422, "The idempotency key belongs to another request"),
    "precondition_failed": ProblemType(412, "It was changed in the meantime"),
    "body_too_large": ProblemType(413, "The request body is too large"),
    "unsupported_media_type": ProblemType(415, "The request body's type is not supported"),
    "rate_limited": ProblemType(429, "The rate limit is reached"),
    "expectation_failed": ProblemType(417, "The expectation can't be met"),
    # The providers.
    "not_configured": ProblemType(503, "No model that was asked for is configured"),
    "upstream_auth": ProblemType(502, "The provider refused lor3's credential"),
    "upstream_error": ProblemType(502, "The provider failed"),
    "upstream_tls": ProblemType(502, "The provider's TLS certificate is not trusted"),
    "upstream_too_large": ProblemType(502, "The provider's answer is too large"),
    "upstream_model_not_found": ProblemType(502, "The provider does not know the model"),
    "bad_upstream_body": ProblemType(502, "The provider's answer can't be read"),
    "output_invalid": ProblemType(502, "The model's answer does not fit the format"),
    "provider_failure": ProblemType(502, "The provider failed"),
    "upstream_rate_limited": ProblemType(503, "The provider's rate limit is reached"),
    "upstream_quota": ProblemType(503, "The provider account's quota is used up"),
    "upstream_timeout": ProblemType(504, "The provider did not answer in time"),
    # A server that prompts are synchronised with.
    "assistants_unavailable": ProblemType(502, "The server has no Assistants API"),
    "remote_failed": ProblemType(502, "The server that is synchronised with failed"),
    # lor3 itself.
    "internal_error": ProblemType(500, "lor3 failed"),
    "configuration_invalid": ProblemType(500, "lor3's configuration can't be used"),
    "storage_unavailable": ProblemType(503, "The storage is unavailable"),
    "overloaded": ProblemType(503, "lor3 is overloaded"),
    "shutting_down": ProblemType(503, "lor3 is shutting down"),
    "not_ready": ProblemType(503, "lor3 is not ready"),
    "answer_interrupted": ProblemType(503, "The answer was cut off in the making"),
    "answer_unknown": ProblemType(503, "It is not known now what becomes of the answer"),
    "deadline_exceeded": ProblemType(504, "The time for this request is over"),
}


class HTTPFault(LorError):
    """A fault of the HTTP exchange itself, which the domain knows nothing of."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        retryable: bool = False,
        retry_after_s: float | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.close = close
        """True where the rest of the request must not be read: the connection ends with the answer."""


def problem_type(code: str) -> ProblemType:
    """The row of `code`; an unknown code is an internal error, so a new one never leaks a wrong status."""
    return PROBLEMS.get(code, PROBLEMS["internal_error"])


def problem_json(error: LorError, *, request_id: str) -> dict[str, JSONValue]:
    """The problem object, as a body and as the data of an `error` event."""
    kind = problem_type(error.code)
    problem: dict[str, JSONValue] = {
        "type": f"urn:lor3:problem:{error.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        "retryable": error.retryable,
    }
    if isinstance(error, BudgetExceeded):
        problem["budget"] = None if error.budget is None else budget_json((error.budget,))
    faults = faults_of(error)
    if faults:
        problem["errors"] = [{"path": fault.path, "message": fault.message} for fault in faults]
    return problem


def faults_of(error: LorError) -> tuple[Fault, ...]:
    return error.faults if isinstance(error, InvalidRequest | ConfigurationError) else ()


def retry_after(error: LorError) -> str | None:
    """`Retry-After` in whole seconds, at least 1 (clients read 0 as "at once"); None where there is nothing to say."""
    if error.retry_after_s is None:
        return None
    return str(max(1, math.ceil(error.retry_after_s)))


INTERNAL_ERROR_DETAIL = "an unexpected fault; it is in lor3's log under this request_id"


def internal_error() -> LorError:
    """What a caller gets to know of a fault of ours: nothing but that it happened."""
    return LorError(INTERNAL_ERROR_DETAIL)


def shutting_down() -> HTTPFault:
    """For what is cut by, or comes after, the signal to stop."""
    return HTTPFault(
        "shutting_down",
        "this server is stopping; send the request again, to another one",
        retryable=True,
        retry_after_s=1.0,
        close=True,
    )


def cut_short() -> HTTPFault:
    """For an answer that had begun when the drain was over."""
    return HTTPFault(
        "shutting_down",
        "this server is stopping, so the answer ends here; what was said of it is stored and paid for, and sending "
        "the request again, to another server, makes and charges another one",
        retryable=True,
        retry_after_s=1.0,
        close=True,
    )


def idempotency_unsupported() -> HTTPFault:
    """Ignoring the key would let a caller rely on a promise that nobody keeps."""
    return HTTPFault(
        "idempotency_unsupported",
        "this route keeps no idempotency keys; leave `Idempotency-Key` out",
        close=True,
    )


def expectation_failed() -> HTTPFault:
    return HTTPFault("expectation_failed", "the only expectation known here is `100-continue`", close=True)
