"""The headers that every answer has, and those of a replay."""

from typing import Final

from aiohttp import web

from entrypoints.http.json_answer import SECURITY_HEADERS, JSONAnswer
from entrypoints.http.state import REQUEST_ID, ServerState

REPLAYED: Final = {
    "x-lor3-attempts": "0",
    "x-lor3-fallbacks": "0",
    "x-lor3-cost-usd": "0",
    "Idempotency-Replayed": "true",
}
"""Of an answer that was given before to the same Idempotency-Key, streamed or not: this time it cost nothing."""

MESSAGE_ID: Final = "x-lor3-message-id"
"""Of a stream whose answer has its id by then: that can be stopped before its first event."""

RATE_HEADERS: Final = web.RequestKey("rate_headers", dict[str, str])
"""What a limited caller is told of its limits, on whatever it is answered."""


def decorate(request: web.BaseRequest, response: web.StreamResponse, state: ServerState) -> None:
    """Sets them; to be called before `response` is prepared. What a handler set stays."""
    if type(response) is JSONAnswer and response.head is not None and not state.cors.enabled:
        response.decorate(request[REQUEST_ID], request.get(RATE_HEADERS))
        return
    headers = response.headers
    headers["X-Request-ID"] = request[REQUEST_ID]
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    rates = request.get(RATE_HEADERS)
    if rates is not None:
        headers.update(rates)
    if state.cors.enabled:
        state.cors.allow(request, response)
