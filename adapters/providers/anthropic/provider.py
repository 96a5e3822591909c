"""Anthropic."""

from typing import Final

from adapters.providers.anthropic.wire import AnthropicCodec
from adapters.providers.http_provider import HTTPProvider
from adapters.providers.settings import USER_AGENT, faults_of
from adapters.providers.transport.direct import DirectTransport
from adapters.providers.transport.port import Endpoint, Transport
from application.ports.chat_provider import ProviderConfig
from domain.errors import ConfigurationError

_BASE_URL: Final = "https://api.anthropic.com"
_VERSION: Final = "2023-06-01"


def create(config: ProviderConfig) -> HTTPProvider:
    """Anthropic itself; `base_url` may point at a proxy and ends before `/v1/messages`. No options.

    Raises:
        ConfigurationError: no key, or an option that is unknown.
    """
    faults = faults_of(config, options=(), needs_key=True, key_variable="ANTHROPIC_API_KEY")
    if faults or config.api_key is None:
        raise ConfigurationError.of(*faults)
    api_key = config.api_key.reveal()
    base_url = (config.base_url or _BASE_URL).rstrip("/")
    endpoint = Endpoint(
        method="POST",
        url=f"{base_url}/v1/messages",
        headers=(
            ("X-Api-Key", api_key),
            ("anthropic-version", _VERSION),
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            # Answers are small and decompressing them costs more than receiving them.
            ("Accept-Encoding", "identity"),
            ("User-Agent", USER_AGENT),
        ),
    )
    return HTTPProvider(
        name=config.name,
        timeouts=config.timeouts,
        endpoint=endpoint,
        codec=AnthropicCodec(),
        transport=_transport(config, base_url, api_key),
    )


def _transport(config: ProviderConfig, base_url: str, api_key: str) -> Transport:
    direct = DirectTransport(connect_s=config.timeouts.connect_s)
    if config.transport == "direct":
        return direct
    from adapters.providers.anthropic.sdk import anthropic_sdk_transport  # costs two seconds and 60 MB

    return anthropic_sdk_transport(direct, base_url=base_url, api_key=api_key)
