"""Anthropic through the official SDK. Import this only when `transport: sdk` is configured."""

import anthropic
import httpx2

from adapters.providers.transport.direct import DirectTransport
from adapters.providers.transport.sdk import SDKTransport, through


def anthropic_sdk_transport(direct: DirectTransport, *, base_url: str, api_key: str) -> SDKTransport:
    """`AsyncAnthropic.post`, the low-level request method, over `direct`; its retries are off."""
    client = anthropic.AsyncAnthropic(
        base_url=base_url,
        api_key=api_key,
        max_retries=0,
        timeout=None,
        http_client=through(direct),
    )

    async def post(url: str, body: bytes) -> httpx2.Response:
        return await client.post(url, cast_to=httpx2.Response, content=body)

    return SDKTransport(post, client.close)
