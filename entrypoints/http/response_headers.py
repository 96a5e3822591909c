"""The headers that every answer has, and those of a replay."""

from typing import Final

from aiohttp import web
from aiohttp.hdrs import CACHE_CONTROL, SERVER

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

SECURITY_HEADERS: Final[dict[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    CACHE_CONTROL: "no-store",
    SERVER: "lor3",  # aiohttp's own names its version and Python's
}

RATE_HEADERS: Final = web.RequestKey("rate_headers", dict[str, str])
"""What a limited caller is told of its limits, on whatever it is answered."""


def decorate(request: web.BaseRequest, response: web.StreamResponse, state: ServerState) -> None:
    """Sets them; to be called before `response` is prepared. What a handler set stays."""
    headers = response.headers
    headers["X-Request-ID"] = request[REQUEST_ID]
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    rates = request.get(RATE_HEADERS)
    if rates is not None:
        headers.update(rates)
    if state.cors.enabled:
        state.cors.allow(request, response)
