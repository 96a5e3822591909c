"""Which web pages of other origins may call lor3: those of an allow-list, by exact comparison."""

from typing import Final

from aiohttp import web

_HEADERS: Final = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-ID, "
    "x-lor3-ai-sdk, "
    # OpenAI's SDK sends these on every request, from a browser too.
    "OpenAI-Organization, OpenAI-Project, X-Stainless-Arch, X-Stainless-Helper-Method, X-Stainless-Lang, "
    "X-Stainless-OS, X-Stainless-Package-Version, X-Stainless-Retry-Count, X-Stainless-Runtime, "
    "X-Stainless-Runtime-Version, X-Stainless-Timeout, "
    # It and the AI SDK's providers name themselves, which Chromium alone leaves out by itself.
    "User-Agent, X-Client-Request-Id, "
    # Tracing in pages (W3C Trace Context and Baggage) adds these to every request that it may.
    "traceparent, tracestate, baggage"
)
_EXPOSED: Final = (
    "Allow, Content-Disposition, ETag, Idempotency-Replayed, Location, Retry-After, WWW-Authenticate, X-Request-ID, "
    "x-lor3-model, x-lor3-attempts, x-lor3-fallbacks, x-lor3-cost-usd, "
    "x-lor3-overhead-ms, x-lor3-message-id, x-should-retry, retry-after-ms, "
    "x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, "
    "x-vercel-ai-ui-message-stream"
)


class CORSPolicy:
    """Never `*` and never credentials: lor3 knows no cookies, and a bearer needs no permission."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)
        self.enabled = bool(origins)

    def preflight(self, request: web.Request, route: str) -> web.Response | None:
        """The answer to a preflight; None where the request is none."""
        method = request.headers.get("Access-Control-Request-Method")
        if request.method != "OPTIONS" or method is None:
            return None
        response = web.Response(status=204, headers={"Vary": "Origin"})
        if request.headers.get("Origin") in self._origins:
            response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST, PUT, PATCH, DELETE"
            response.headers["Access-Control-Allow-Headers"] = _HEADERS
            response.headers["Access-Control-Max-Age"] = "600"
        return response

    def allow(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Names the origin in `response` if it is on the list. To be called before it is prepared."""
        response.headers["Vary"] = "Origin"  # or a cache would hand one origin's answer to another
        origin = request.headers.get("Origin")
        if origin in self._origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
