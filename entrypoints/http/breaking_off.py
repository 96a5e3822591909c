"""The end of an answer that had begun and can't be finished."""

from aiohttp import web

from domain.errors import LorError
from entrypoints.http.problems import problem_type
from entrypoints.http.state import BROKEN_OFF

CLIENT_GONE = 499
"""nginx's number for a client that left before the answer."""


def break_off(request: web.Request, reason: Exception) -> None:
    """Cuts the connection, so that the caller sees that something is missing.

    What is counted and logged is not the 200 that went out, but the status of `reason` if it is an error of ours,
    else 499: the reader is gone, or takes nothing.
    """
    request[BROKEN_OFF] = problem_type(reason.code).status if isinstance(reason, LorError) else CLIENT_GONE
    if request.transport is not None:
        request.transport.abort()
