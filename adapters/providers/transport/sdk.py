"""A transport that lets a vendor's official SDK build and sign the request.

The SDK's HTTP layer (httpx2) is given lor3's direct transport to send through, so that both transports keep one
connect limit, one cap on sizes and one table of failures. The SDK itself sees an empty 200: it shall neither retry,
nor raise, nor read; the real answer travels beside it, in `extensions`.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import httpx2

from adapters.providers.transport.direct import DirectTransport
from adapters.providers.transport.http1.failures import failure_of
from adapters.providers.transport.port import Answer, Endpoint
from domain.errors import ProviderFailure

Post = Callable[[Endpoint, bytes], Awaitable[httpx2.Response]]
"""The SDK client's low-level request method: endpoint and JSON in, response out."""

_ANSWER: Final = "lor3.answer"
_LEFT_TO_THE_CLIENT: Final = frozenset((b"host", b"content-length", b"connection", b"transfer-encoding"))


@attrs.define
class _ThroughDirect(httpx2.AsyncBaseTransport):
    """httpx2's network layer, by way of the direct transport."""

    _direct: DirectTransport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        headers = tuple(
            (name.decode("ascii"), value.decode("ascii"))
            for name, value in request.headers.raw
            if name.lower() not in _LEFT_TO_THE_CLIENT
        )
        answer = await self._direct.send_once(request.method, str(request.url), headers, body)
        return httpx2.Response(200, extensions={_ANSWER: answer}, request=request)

    async def aclose(self) -> None:
        await self._direct.aclose()


def through(direct: DirectTransport) -> httpx2.AsyncClient:
    """The HTTP client to construct an SDK client with. Knows no proxy from the environment, follows no redirect."""
    return httpx2.AsyncClient(
        transport=_ThroughDirect(direct),
        # httpx2 would offer what its own decoders know, brotli among them; the direct transport has fewer.
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
        timeout=None,
    )


@attrs.define
class SDKTransport:
    _post: Post
    _close: Callable[[], Awaitable[None]]

    async def send(self, endpoint: Endpoint, body: bytes) -> Answer:
        """Headers are the SDK's own; a golden test holds those of `endpoint` to them."""
        try:
            response = await self._post(endpoint, body)
            answer: Answer = response.extensions[_ANSWER]
        except Exception as exc:  # whatever an SDK raises of its own, the port promises ProviderFailure
            # Anthropic's SDK wraps what its HTTP layer raises in an APIConnectionError; OpenAI's lets it through.
            cause = exc.__cause__
            raise failure_of(cause if isinstance(cause, ProviderFailure) else exc) from exc
        return answer

    async def aclose(self) -> None:
        await self._close()
