"""Which request the running code works for, so that a log line from deep inside can say so."""

from contextvars import ContextVar
from typing import Final

import attrs


@attrs.define(kw_only=True)
class RequestScope:
    """What is known of a request while it is answered. Whoever opens it ends it.

    A task that is begun within a request inherits the scope, and may outlive the request by far (a connection that
    is opened for the first time): so an ended scope counts for nothing.
    """

    request_id: str
    tenant: str | None = None
    key_id: str | None = None
    traceparent: str | None = None
    """The caller's W3C trace context, unchecked; only read where spans are made."""
    ended: bool = False


_SCOPE: Final[ContextVar[RequestScope | None]] = ContextVar("lor3_request", default=None)

enter = _SCOPE.set
"""Makes a scope that of the running task."""


def current() -> RequestScope | None:
    """The scope of the running task, where it has one that has not ended."""
    scope = _SCOPE.get()
    return None if scope is None or scope.ended else scope
