"""What ended an answer, as JSON and back: what callers are told of it, and no more."""

from typing import Any, Final

from domain import errors
from domain.errors import Fault, LorError

_CLASSES: Final[dict[str, type[LorError]]] = {
    each.code: each
    for each in (
        errors.LorError,
        errors.InvalidRequest,
        errors.ContextTooLong,
        errors.ContentFiltered,
        errors.NoCapableModel,
        errors.NotFound,
        errors.Conflict,
        errors.ThreadBusy,
        errors.AnswerStopped,
        errors.KeyInFlight,
        errors.KeyTakenOver,
        errors.KeyReused,
        errors.Overloaded,
        errors.StorageUnavailable,
        errors.DeadlineExceeded,
        errors.AnswerInterrupted,
        errors.AnswerUnknown,
        errors.OutputInvalid,
        errors.ConfigurationError,
    )
}
"""Those that are made of a detail alone, or of one and faults."""


def encode_error(error: LorError) -> dict[str, Any]:
    return {
        "code": error.code,
        "detail": error.detail,
        "retryable": error.retryable,
        "retry_after_s": error.retry_after_s,
        "faults": [[fault.path, fault.message] for fault in getattr(error, "faults", ())],
    }


def decode_error(value: dict[str, Any]) -> LorError:
    """Of the class that belongs to its code, or a `ChatFailed`, whose code is its own.

    Raises:
        LookupError, TypeError, ValueError: it is none.
    """
    code, detail, retryable, retry_after_s = (
        value["code"],
        value["detail"],
        value["retryable"],
        value["retry_after_s"],
    )
    if not (isinstance(code, str) and isinstance(detail, str) and isinstance(retryable, bool)):
        raise TypeError
    if not (retry_after_s is None or type(retry_after_s) in (int, float)):
        raise TypeError
    made = _CLASSES.get(code)
    if made is None:
        return errors.ChatFailed(code, detail, retryable=retryable, retry_after_s=retry_after_s)
    error = made(detail)
    if isinstance(error, errors.InvalidRequest | errors.ConfigurationError):
        error.faults = tuple([_fault(*fault) for fault in value["faults"]])
    if error.retryable != retryable:
        error.retryable = retryable
    if error.retry_after_s != retry_after_s:
        error.retry_after_s = retry_after_s
    return error


def _fault(path: Any, message: Any) -> Fault:
    if not (isinstance(path, str) and isinstance(message, str)):
        raise TypeError
    return Fault(path=path, message=message)
