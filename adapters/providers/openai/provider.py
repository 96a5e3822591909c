"""OpenAI and every server that speaks its Chat Completions wire."""

from typing import Final

from adapters.providers.http_provider import HTTPProvider
from adapters.providers.openai.parameters import DOCUMENTED
from adapters.providers.openai.wire import OpenAICodec
from adapters.providers.settings import USER_AGENT, faults_of, flag_option, text_option
from adapters.providers.transport.direct import DirectTransport
from adapters.providers.transport.port import Endpoint, Transport
from application.ports.chat_provider import ProviderConfig
from domain.errors import ConfigurationError, Fault

_BASE_URL: Final = "https://api.openai.com/v1"


def create(config: ProviderConfig) -> HTTPProvider:
    """OpenAI itself; `base_url` may point at a proxy. Options: `organization`, `project`.

    Raises:
        ConfigurationError: no key, or an option that is unknown.
    """
    faults = faults_of(
        config, options=("organization", "project"), needs_key=True, key_variable="OPENAI_API_KEY"
    )
    headers = []
    for option, header in (("organization", "OpenAI-Organization"), ("project", "OpenAI-Project")):
        value = text_option(config, option, faults)
        if value is not None:
            headers.append((header, value))
    if faults:
        raise ConfigurationError.of(*faults)
    return _provider(config, config.base_url or _BASE_URL, OpenAICodec(), headers, parameters=DOCUMENTED)


def create_compatible(config: ProviderConfig) -> HTTPProvider:
    """A server that imitates OpenAI: vLLM, Ollama, llama.cpp. Option: `stream_usage` (true): ask for usage in streams.

    Raises:
        ConfigurationError: no base URL, or an option that is unknown.
    """
    faults = faults_of(config, options=("stream_usage",), needs_key=False, key_variable="")
    stream_usage = flag_option(config, "stream_usage", faults, default=True)
    path = f"providers.{config.name}"
    if config.base_url is None:
        faults.append(
            Fault(
                path=f"{path}.base_url",
                message="is missing; write the server's, as in `http://localhost:8000/v1`",
            )
        )
    if config.transport == "sdk" and config.api_key is None:
        faults.append(
            Fault(path=f"{path}.transport", message="`sdk` needs an api_key; set one or use `direct`")
        )
    if faults or config.base_url is None:
        raise ConfigurationError.of(*faults)
    codec = OpenAICodec(stream_usage=stream_usage, any_call_id=True)
    return _provider(config, config.base_url, codec, [], parameters=None)


def _provider(
    config: ProviderConfig,
    base_url: str,
    codec: OpenAICodec,
    headers: list[tuple[str, str]],
    *,
    parameters: frozenset[str] | None,
) -> HTTPProvider:
    base_url = base_url.rstrip("/")
    if config.api_key is not None:
        headers.append(("Authorization", f"Bearer {config.api_key.reveal()}"))
    endpoint = Endpoint(
        method="POST",
        url=f"{base_url}/chat/completions",
        headers=(
            *headers,
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
        endpoint_of=lambda _call: endpoint,
        codec=codec,
        transport=_transport(config, base_url),
        parameters=parameters,
    )


def _transport(config: ProviderConfig, base_url: str) -> Transport:
    direct = DirectTransport(connect_s=config.timeouts.connect_s)
    if config.transport == "direct" or config.api_key is None:
        return direct
    from adapters.providers.openai.sdk import openai_sdk_transport  # costs over a second and 30 MB

    return openai_sdk_transport(
        direct,
        base_url=base_url,
        api_key=config.api_key.reveal(),
        organization=_text(config.options.get("organization")),
        project=_text(config.options.get("project")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
