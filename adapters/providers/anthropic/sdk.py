"""Anthropic through the official SDK. Import this only when `transport: sdk` is configured."""

import anthropic
import httpx2

from adapters.providers.transport.direct import DirectTransport
from adapters.providers.transport.port import Endpoint
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

    async def post(endpoint: Endpoint, body: bytes) -> httpx2.Response:
        # The SDK knows one API version and one form of credential; a call for the older one says both itself.
        headers: dict[str, str | anthropic.Omit] = {
            name: value for name, value in endpoint.headers if name in ("X-Api-Key", "anthropic-version")
        }
        if "X-Api-Key" in headers:
            headers["Authorization"] = anthropic.Omit()
        return await client.post(
            endpoint.url, cast_to=httpx2.Response, content=body, options={"headers": headers}
        )

    return SDKTransport(post, client.close)
