"""The SDK's client for assistants. Import it only to call one: it takes over a second."""

import ssl
from collections.abc import AsyncIterator
from typing import Final

import attrs
import httpx2
import openai

from application.ports.chat_provider import ProviderConfig

_MAX_BYTES: Final = 4 * 1024 * 1024
"""Of an answer. Instructions have at most 256,000 characters."""


class AnswerTooLarge(httpx2.ReadError):
    """The server sends more than any assistant is long."""


def open_client(config: ProviderConfig, *, base_url: str) -> openai.AsyncOpenAI:
    timeouts = config.timeouts
    http_client = httpx2.AsyncClient(
        transport=_Bounded(
            httpx2.AsyncHTTPTransport(verify=ssl.create_default_context(), trust_env=False, retries=0)
        ),
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
    )
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=config.api_key.reveal() if config.api_key else "none",
        organization=_text(config.options.get("organization")),
        project=_text(config.options.get("project")),
        max_retries=0,
        timeout=httpx2.Timeout(timeouts.idle_s, connect=timeouts.connect_s),
        http_client=http_client,
    )


@attrs.define
class _Bounded(httpx2.AsyncBaseTransport):
    """Refuses answers beyond `_MAX_BYTES`, and compressed ones, which could grow beyond it once they are here."""

    _inner: httpx2.AsyncHTTPTransport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._inner.handle_async_request(request)
        stream = response.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise TypeError("an asynchronous transport gave a synchronous stream")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await stream.aclose()
            raise AnswerTooLarge("compressed, though that was not asked for", request=request)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_BoundedStream(stream, request),
            extensions=response.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


@attrs.define
class _BoundedStream(httpx2.AsyncByteStream):
    _inner: httpx2.AsyncByteStream
    _request: httpx2.Request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = _MAX_BYTES
        async for chunk in self._inner:
            left -= len(chunk)
            if left < 0:
                raise AnswerTooLarge("beyond the limit", request=self._request)
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
