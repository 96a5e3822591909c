"""In which shape a route tells its callers what went wrong. Each route of the table names one."""

from collections.abc import Mapping
from typing import Final, Protocol

from domain.errors import LorError
from domain.values import frozen
from entrypoints.http.problems import CONTENT_TYPE, problem_json
from entrypoints.rendering import to_json

_NO_HEADERS: Final[Mapping[str, str]] = {}


@frozen(kw_only=True)
class ErrorAnswer:
    """The body of an answer that is an error. Its status is that of `problem_type`, whatever the shape."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = _NO_HEADERS
    """Beside `Retry-After`, which every shape has where there is something to wait for."""


class ErrorFormat(Protocol):
    def __call__(self, error: LorError, *, request_id: str) -> ErrorAnswer: ...


def problem(error: LorError, *, request_id: str) -> ErrorAnswer:
    """lor3's own: a problem object (RFC 9457)."""
    return ErrorAnswer(body=to_json(problem_json(error, request_id=request_id)), content_type=CONTENT_TYPE)
