"""OpenAI through the official SDK. Import this only when `transport: sdk` is configured."""

import httpx2
import openai

from adapters.providers.transport.direct import DirectTransport
from adapters.providers.transport.port import Endpoint
from adapters.providers.transport.sdk import SDKTransport, through


def openai_sdk_transport(
    direct: DirectTransport, *, base_url: str, api_key: str, organization: str | None, project: str | None
) -> SDKTransport:
    """`AsyncOpenAI.post`, the low-level request method, over `direct`; its retries are off."""
    client = openai.AsyncOpenAI(
        base_url=base_url,
        api_key=api_key,
        organization=organization,
        project=project,
        max_retries=0,
        timeout=None,
        http_client=through(direct),
    )

    async def post(endpoint: Endpoint, body: bytes) -> httpx2.Response:
        return await client.post(endpoint.url, cast_to=httpx2.Response, content=body)

    return SDKTransport(post, client.close)
