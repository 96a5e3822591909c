"""What the official SDKs' HTTP layer may not decide."""

import pytest

from adapters.providers.anthropic.provider import create as create_anthropic
from adapters.providers.openai.provider import create as create_openai
from adapters.testing.chat_provider_suite import call_for, events_of
from application.ports.chat_provider import ProviderConfig
from domain.secret import Secret
from tests.support import wire_upstream as wire


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_sdks_offer_no_compression(kind: str) -> None:
    """The direct transport under them does not know every coding that httpx2 would offer."""
    async with wire.wire_upstream() as upstream:
        create = {"openai": create_openai, "anthropic": create_anthropic}[kind]
        provider = create(
            ProviderConfig(name=kind, kind=kind, api_key=Secret("k"), base_url=upstream.url, transport="sdk")
        )
        await events_of(provider, call_for())
        await provider.aclose()

    assert "identity" == upstream.received[0].headers["accept-encoding"]
