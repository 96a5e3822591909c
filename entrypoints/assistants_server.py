"""Which server `lor3 prompt sync --to openai` and `import --from-assistant-id` ask."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from application.ports.chat_provider import ProviderConfig
from domain.errors import ConfigurationError, Fault, InvalidRequest
from domain.model import ModelRef
from domain.secret import Secret
from entrypoints.settings import Settings

_KINDS: Final = ("openai", "openai-compatible")
_OPENAI: Final = "https://api.openai.com/v1"


def assistants_server(
    settings: Settings, *, base_url: str | None, environ: Mapping[str, str]
) -> ProviderConfig:
    """The provider of kind `openai`, else the only one that imitates it, or the server at `base_url`.

    A key goes to the server that it is configured for; `OPENAI_API_KEY` also to one that the operator names by
    `base_url` or `OPENAI_BASE_URL`, as it is with OpenAI's own tools.

    Raises:
        InvalidRequest: `base_url` is no URL that can be asked.
        ConfigurationError: there is no such server, or more than one.
    """
    if base_url is not None:
        return _at(settings, _checked(base_url, path="base_url"), environ)
    if "openai" in settings.providers and settings.providers["openai"].kind in _KINDS:
        return settings.providers["openai"]
    if environ.get("OPENAI_BASE_URL"):
        return _at(settings, _checked(environ["OPENAI_BASE_URL"], path="OPENAI_BASE_URL"), environ)
    speaking = [provider for provider in settings.providers.values() if provider.kind in _KINDS]
    if len(speaking) == 1:
        return speaking[0]
    if not speaking:
        message = (
            "no server of assistants is configured; name one with --base-url, or set OPENAI_API_KEY. OpenAI's own API "
            "was switched off on 2026-08-26; `lor3 prompt import --from-file` takes an assistant's JSON saved earlier"
        )
        raise ConfigurationError.of(Fault(path="providers", message=message))
    urls = ", ".join(f"{provider.base_url} ({provider.name})" for provider in speaking)
    raise ConfigurationError.of(
        Fault(
            path="providers", message=f"several servers may have assistants; name one with --base-url: {urls}"
        )
    )


def default_model(settings: Settings, server: ProviderConfig) -> str | None:
    """The configured primary, for an assistant that has to be made; None where another provider has that model."""
    primary = settings.chat.primary
    ref = settings.catalogue.aliases.get(primary) or ModelRef.parse(primary)
    return ref.model if ref.provider == server.name else None


def _at(settings: Settings, base_url: str, environ: Mapping[str, str]) -> ProviderConfig:
    for provider in settings.providers.values():
        if provider.kind in _KINDS and (provider.base_url or _OPENAI) == base_url:
            return provider
    key = environ.get("OPENAI_API_KEY", "").strip()
    # Whatever can't stand in a header is no key.
    usable = key.isascii() and key.isprintable() and " " not in key
    return ProviderConfig(
        name="openai",
        kind="openai-compatible",
        base_url=base_url,
        api_key=Secret(key) if key and usable else None,
    )


def _checked(text: str, *, path: str) -> str:
    try:
        url = urlsplit(text)
        fine = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        fine = False
    else:
        fine = fine and not (url.username or url.password or url.query or url.fragment)
    if not fine or not text.isprintable() or " " in text:
        raise InvalidRequest.of(
            Fault(path=path, message="must be a URL without credentials and query, such as https://host/v1")
        )
    return text.rstrip("/")
