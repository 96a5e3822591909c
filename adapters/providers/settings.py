"""Checks that all HTTP providers make of their entry in `providers`."""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from application.ports.chat_provider import ProviderConfig
from domain.errors import Fault

USER_AGENT: Final = "lor3"


def faults_of(
    config: ProviderConfig, *, options: Collection[str], needs_key: bool, key_variable: str
) -> list[Fault]:
    """Everything that is wrong with the entry, each with its path under `providers`."""
    path = f"providers.{config.name}"
    faults = []
    if needs_key and config.api_key is None:
        faults.append(
            Fault(
                path=f"{path}.api_key",
                message=f"is missing; set {key_variable} or `api_key: ${{{key_variable}}}`",
            )
        )
    if config.api_key is not None and not _is_header_safe(config.api_key.reveal()):
        faults.append(
            Fault(
                path=f"{path}.api_key",
                message="is empty or holds spaces, line breaks or characters outside ASCII",
            )
        )
    if config.base_url is not None and not _is_http_url(config.base_url):
        faults.append(
            Fault(
                path=f"{path}.base_url",
                message="is not an http(s) URL without user, query and fragment; write `https://host/v1`",
            )
        )
    for unknown in sorted(set(config.options) - set(options)):
        known = ", ".join(sorted(options)) or "none"
        faults.append(
            Fault(
                path=f"{path}.{unknown}",
                message=f"is not an option of kind `{config.kind}`; options: {known}",
            )
        )
    return faults


def text_option(config: ProviderConfig, name: str, faults: list[Fault]) -> str | None:
    value = config.options.get(name)
    if value is None or (isinstance(value, str) and _is_header_safe(value)):
        return value
    faults.append(
        Fault(path=f"providers.{config.name}.{name}", message="is not a plain word; write a string")
    )
    return None


def flag_option(config: ProviderConfig, name: str, faults: list[Fault], *, default: bool) -> bool:
    value = config.options.get(name, default)
    if isinstance(value, bool):
        return value
    faults.append(
        Fault(path=f"providers.{config.name}.{name}", message="is not a truth value; write true or false")
    )
    return default


def _is_header_safe(text: str) -> bool:
    return bool(text) and all("!" <= character <= "~" for character in text)


def _is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and not (parts.query or parts.fragment or parts.username or parts.password)
        and all("!" <= character <= "~" for character in text)
    )
