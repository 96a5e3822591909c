"""Which providers can be called, and with what."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import attrs

from application.ports.chat_provider import ProviderConfig, Timeouts
from domain.secret import Secret
from domain.values import frozen
from entrypoints.configuration.document import ProviderDocument
from entrypoints.configuration.findings import Findings, Path, did_you_mean

# The variables that the vendors' own SDKs read. They hold for the entry of that name alone: a key must not
# go to some other server that merely speaks the same wire.
STANDARD: Final = {
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_TIMEOUTS: Final = tuple(field.name for field in attrs.fields(Timeouts))


@frozen(kw_only=True)
class Providers:
    """`configured` can be called; `unavailable` are known by name, each with the reason why not."""

    configured: Mapping[str, ProviderConfig]
    unavailable: Mapping[str, str]
    kinds: Mapping[str, str]
    """The kind of every one of both."""


def resolve_providers(
    entries: Mapping[str, ProviderDocument],
    *,
    aliases: Mapping[str, str],
    environ: Mapping[str, str],
    kinds: frozenset[str],
    findings: Findings,
) -> Providers:
    """`openai`, `anthropic` and `demo` always exist; the file's entries add to them or change them."""
    named: dict[str, tuple[str, ProviderDocument]] = {}
    for written, entry in entries.items():
        name = aliases.get(written, written) if entry.kind in {None, aliases.get(written)} else written
        if not _NAME.match(written):
            findings.add(
                ("providers", written), "a provider's name has only letters, digits, `_`, `-` and `.`"
            )
        elif name in named:
            findings.add(("providers", written), f"is `{named[name][0]}` by another name; keep one")
        else:
            named[name] = (written, entry)
    for name in (*STANDARD, "demo"):
        named.setdefault(name, (name, ProviderDocument()))

    configured: dict[str, ProviderConfig] = {}
    unavailable: dict[str, str] = {}
    for name, (written, entry) in named.items():
        path: Path = ("providers", written)
        config = _config(name, entry, path, environ, findings)
        if config.kind not in kinds:
            if not findings.has((*path, "kind")):
                findings.add(
                    (*path, "kind") if entry.kind else path,
                    f"unknown provider kind `{config.kind}`{did_you_mean(config.kind, kinds)}"
                    f"; known: {', '.join(sorted(kinds))}" + ("" if entry.kind else "; name one as `kind`"),
                )
        elif config.kind in STANDARD and config.api_key is None:
            unavailable[name] = _no_key(name)
        else:
            if config.kind == "openai-compatible" and config.base_url is None:
                findings.add(path, "needs a `base_url`, such as http://127.0.0.1:11434/v1")
            configured[name] = config
    all_kinds = {name: entry.kind or name for name, (_, entry) in named.items()}
    return Providers(configured=configured, unavailable=unavailable, kinds=all_kinds)


def _no_key(name: str) -> str:
    if name in STANDARD:
        return f"no API key: set {STANDARD[name][0]}"
    return f"no API key: write `api_key: ${{NAME}}` under `providers.{name}` and set NAME"


def _config(
    name: str, entry: ProviderDocument, path: Path, environ: Mapping[str, str], findings: Findings
) -> ProviderConfig:
    kind = entry.kind or name
    key, base_url = entry.api_key, entry.base_url
    base_path: Path = (*path, "base_url")
    if name in STANDARD and kind == name:
        key_variable, base_variable = STANDARD[name]
        if key is None and environ.get(key_variable):
            key = environ[key_variable]
            findings.origins[("providers", name, "api_key")] = key_variable
        if base_url is None and environ.get(base_variable):
            base_url, base_path = environ[base_variable], (base_variable,)
            findings.origins[("providers", name, "base_url")] = base_variable
    if key is not None and not (key.isascii() and key.isprintable() and key.strip() == key):
        findings.add(
            (*path, "api_key"), "has characters that no key has; look for a stray space or line break"
        )
    timeouts = {field: getattr(entry, field) for field in _TIMEOUTS if getattr(entry, field) is not None}
    return ProviderConfig(
        name=name,
        kind=kind,
        api_key=Secret(key) if key else None,
        base_url=None if base_url is None else _base_url(base_url, base_path, findings),
        transport=entry.transport or "direct",
        timeouts=Timeouts(**timeouts),
        options=entry.options,
    )


def _base_url(text: str, path: Path, findings: Findings) -> str | None:
    """`text` without a trailing slash, or a fault. Never quotes it: it may hold a password."""
    try:
        url = urlsplit(text)
        fine = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        fine, url = False, urlsplit("")
    if not fine or not text.isprintable() or " " in text:
        findings.add(path, "must be an http:// or https:// URL, such as https://api.example.com/v1")
    elif url.username is not None or url.password is not None:
        findings.add(path, "must not hold credentials; use `api_key: ${NAME}`")
    elif "?" in text or "#" in text:
        findings.add(path, "must not hold a query or a fragment")
    return text.rstrip("/")
