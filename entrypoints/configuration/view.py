"""The settings as `lor3 config show` prints them: complete, with every secret masked."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from application.ports.chat_provider import ProviderConfig
from application.ports.price_book import Price
from domain.limits.budget import Budget
from domain.limits.budget_rules import BudgetRules
from domain.limits.budget_text import budget_text
from domain.limits.rate import RateLimits
from domain.secret import Secret
from entrypoints.configuration.findings import Path, render_path
from entrypoints.configuration.interpolation import is_secret_key
from entrypoints.settings import OTLPSettings, Settings

MASK: Final = "****"
_PASSWORD: Final = re.compile(r"(?<=://)([^:/@\s]*):[^@\s]*@")
_QUERY_SECRET: Final = re.compile(r"(?i)([?&][^=&\s]*(?:password|passwd|key|token|secret)[^=&\s]*=)[^&\s]*")


def settings_view(settings: Settings) -> dict[str, Any]:
    """Every setting under the name it has in a file; JSON values only.

    Models and aliases are those of the file's own making: `GET /config` shows the shipped ones too.
    """
    chat = attrs.asdict(settings.chat)
    return {
        **_plain(chat),
        "reroute_retired": settings.catalogue.reroute_retired,
        "aliases": dict(settings.aliases),
        "models": _plain(settings.models),
        "prices": {name: _prices(price) for name, price in settings.prices.items()},
        "providers": {
            **{name: _provider(config) for name, config in settings.providers.items()},
            **{name: {"unavailable": reason} for name, reason in settings.unavailable.items()},
        },
        "routing": _plain(attrs.asdict(settings.routing)),
        "server": _plain(attrs.asdict(settings.server)),
        "database": {
            **_plain(attrs.asdict(settings.database)),
            "url": mask_url(settings.database.url.reveal()),
        },
        "redis": {
            **_plain(attrs.asdict(settings.redis)),
            "url": mask_url(settings.redis.url.reveal()) if settings.redis.url else None,
        },
        "prompts": _plain(attrs.asdict(settings.prompts)),
        "threads": _plain(attrs.asdict(settings.threads)),
        "retention": _plain(attrs.asdict(settings.retention)),
        "auth": _plain(attrs.asdict(settings.auth)),
        "limits": {
            name: rates_view(limits) for name, limits in attrs.asdict(settings.limits, recurse=False).items()
        },
        "budgets": _budgets(settings.budgets),
        "log": _plain(attrs.asdict(settings.log)),
        "telemetry": {
            **_plain(attrs.asdict(settings.telemetry)),
            "otlp": None if settings.telemetry.otlp is None else _otlp(settings.telemetry.otlp),
        },
    }


def _budgets(rules: BudgetRules) -> dict[str, Any]:
    """As the file has them."""

    def texts(budgets: tuple[Budget, ...]) -> list[str]:
        return [f"soft {budget_text(each)}" if each.soft else budget_text(each) for each in budgets]

    return {
        "tenant": texts(rules.tenant),
        "tenants": {name: texts(budgets) for name, budgets in rules.tenants.items()},
        "user": texts(rules.user),
        "thread": texts(rules.thread),
        "wait_s": rules.wait_s,
        "unpriced": rules.unpriced,
    }


def rates_view(limits: RateLimits) -> dict[str, Any]:
    """Under the names of the file."""
    return {
        "rpm": limits.requests_per_minute,
        "tpm": limits.tokens_per_minute,
        "concurrency": limits.concurrency,
    }


def mask_url(url: str) -> str:
    """`url` with its password, and whatever its query calls a secret, replaced."""
    return _QUERY_SECRET.sub(rf"\1{MASK}", _PASSWORD.sub(rf"\1:{MASK}@", url))


def flatten(view: Mapping[str, Any], prefix: Path = ()) -> dict[str, Any]:
    """Leaves by path as `render_path` writes it, in the view's order; lists are leaves."""
    flat: dict[str, Any] = {}
    for key, value in view.items():
        path = (*prefix, key)
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, path))
        else:
            flat[render_path(path)] = value
    return flat


def origin_of(path: str, origins: Mapping[str, str]) -> str:
    """Where the value at a path came from; `default` where nobody said anything."""
    return origins.get(path, "default")


def _provider(config: ProviderConfig) -> dict[str, Any]:
    return {
        "kind": config.kind,
        "api_key": MASK if config.api_key else None,
        "base_url": None if config.base_url is None else mask_url(config.base_url),
        "transport": config.transport,
        **attrs.asdict(config.timeouts),
        **{name: _option(name, value) for name, value in config.options.items()},
    }


def _otlp(settings: OTLPSettings) -> dict[str, Any]:
    return {**_plain(attrs.asdict(settings)), "endpoint": mask_url(settings.endpoint)}


def _prices(setting: Price | tuple[Price, ...]) -> Any:
    """As it could be written in a file."""
    if isinstance(setting, tuple):
        return [_prices(price) for price in setting]
    rates = attrs.asdict(setting, filter=lambda field, _: field.name != "starts_on")
    day = {} if setting.starts_on is None else {"from": setting.starts_on.isoformat()}
    return {**day, **_plain(rates)}


def _option(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {inner: _option(inner, item) for inner, item in value.items()}
    if is_secret_key(name):
        return MASK
    if isinstance(value, list | tuple):
        return [_option(name, item) for item in value]
    return mask_url(value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Secret):
        return MASK
    return format(value, "f") if isinstance(value, Decimal) else value
