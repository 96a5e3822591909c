"""Anthropic."""

from typing import Final

from adapters.providers.anthropic.encode import samples
from adapters.providers.anthropic.parameters import TAKEN
from adapters.providers.anthropic.wire import AnthropicCodec
from adapters.providers.http_provider import HTTPProvider
from adapters.providers.settings import USER_AGENT, faults_of
from adapters.providers.transport.direct import DirectTransport
from adapters.providers.transport.port import Endpoint, Transport
from application.ports.chat_provider import ProviderConfig
from domain.errors import ConfigurationError

_BASE_URL: Final = "https://api.anthropic.com"
_VERSION: Final = "2026-10-21"
_SAMPLING_VERSION: Final = "2023-06-01"
"""From 2026-10-21 on `temperature` and `top_p` are refused (400), for every model and at any value. Calls that
carry them, to models that still take them, go out as the SDKs before 2.0 sent them: this version, `X-Api-Key`."""


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
    current = _endpoint(base_url, ("Authorization", f"Bearer {api_key}"), _VERSION)
    sampling = _endpoint(base_url, ("X-Api-Key", api_key), _SAMPLING_VERSION)
    return HTTPProvider(
        name=config.name,
        timeouts=config.timeouts,
        endpoint_of=lambda call: sampling if samples(call) else current,
        codec=AnthropicCodec(),
        transport=_transport(config, base_url, api_key),
        parameters=TAKEN,
    )


def _endpoint(base_url: str, credential: tuple[str, str], version: str) -> Endpoint:
    return Endpoint(
        method="POST",
        url=f"{base_url}/v1/messages",
        headers=(
            credential,
            ("anthropic-version", version),
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
            # Answers are small and decompressing them costs more than receiving them.
            ("Accept-Encoding", "identity"),
            ("User-Agent", USER_AGENT),
        ),
    )


def _transport(config: ProviderConfig, base_url: str, api_key: str) -> Transport:
    direct = DirectTransport(connect_s=config.timeouts.connect_s)
    if config.transport == "direct":
        return direct
    from adapters.providers.anthropic.sdk import anthropic_sdk_transport  # costs two seconds and 60 MB

    return anthropic_sdk_transport(direct, base_url=base_url, api_key=api_key)
