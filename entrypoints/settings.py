"""The settings, as frozen values. How they are read is in `entrypoints/configuration/`."""

import ipaddress
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

import attrs

from application.ports.chat_provider import ProviderConfig
from application.ports.price_book import Price
from domain.catalogue import Catalogue
from domain.chat_defaults import ChatDefaults
from domain.json_value import JSONValue
from domain.limits.budget_rules import BudgetRules
from domain.limits.rate import NO_LIMITS, RateLimits
from domain.routing.settings import RoutingPolicy
from domain.secret import Secret
from domain.values import frozen


@frozen(kw_only=True)
class ServerSettings:
    host: str = "127.0.0.1"
    port: int = 3000
    workers: int = 1
    max_body_bytes: int = 4 * 1024 * 1024
    body_timeout_s: float = 10.0
    idle_timeout_s: float = 15.0
    drain_s: float = 30.0
    max_in_flight: int = 1000
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    """Networks, such as `10.0.0.0/8`, whose word on who called them is taken (`X-Forwarded-For`)."""


@frozen(kw_only=True)
class DatabaseSettings:
    url: Secret = Secret("sqlite:///lor3.db")
    pool_size: int = 5
    statement_timeout_s: float = 2.0
    acquire_timeout_s: float = 1.0
    auto_migrate: bool = False


@frozen(kw_only=True)
class RedisSettings:
    url: Secret | None = None
    timeout_s: float = 0.05


@frozen(kw_only=True)
class PromptSettings:
    directory: str | None = "config/prompts"
    """The folder of prompt files, from the working directory; None reads none."""
    watch: bool = False
    """Whether `lor3 serve` reads the folder again when something in it changes."""


@frozen(kw_only=True)
class ThreadSettings:
    when_busy: Literal["queue", "reject"] = "queue"
    """What a second chat of a thread gets while the first one is being answered: its turn, or a 409."""
    max_queued: int = 100
    """Chats that may wait for one thread; further ones get the 409."""
    max_wait_s: float = 60.0
    """How long one may wait before it gets the 409."""


@frozen(kw_only=True)
class RetentionSettings:
    messages_days: int | None = None
    """Messages older than this are removed, on PostgreSQL a month at a time; None keeps them."""
    deleted_threads_days: int = 30
    """How long a deleted thread can still be brought back by an operator."""


ChatRight: TypeAlias = Literal["system", "system_prompt", "variables", "tools", "parameters", "explain"]
"""What of a chat is the operator's, unless the configuration leaves it to callers. `system`: messages of that role.
`system_prompt`, `variables`: which prompt, and what is filled into it. `tools`: tools and their results. `parameters`: the
provider's own, which lor3 only passes on. `explain`: to be shown the prompt as it is composed."""
CHAT_RIGHTS: Final[tuple[ChatRight, ...]] = get_args(ChatRight)


@frozen(kw_only=True)
class AuthSettings:
    disabled: bool = False
    """Whoever brings no key is let in, on whatever address lor3 listens."""
    failed_per_minute: int = 60
    """Requests without a valid key, of one address; further ones get a 429."""
    keys_may: tuple[ChatRight, ...] = CHAT_RIGHTS
    """What whoever has a key, or needs none, may choose in a chat."""
    users_may: tuple[ChatRight, ...] = ()
    """What a user's browser may: nothing by which it would speak in the operator's place."""


@frozen(kw_only=True)
class LimitSettings:
    """How much may be asked for in a minute, and at a time."""

    key: RateLimits = NO_LIMITS
    """Of each key, where it has no limits of its own."""
    user: RateLimits = NO_LIMITS
    """Of each end user, as requests name them."""
    address: RateLimits = NO_LIMITS
    """Of each client address."""


@frozen(kw_only=True)
class LogFileSettings:
    path: str
    max_bytes: int = 100 * 1024 * 1024
    keep: int = 5
    """Older files beside it."""


@frozen(kw_only=True)
class LogSettings:
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"
    """`auto` is text on a terminal and JSON elsewhere."""
    to: Literal["stdout", "stderr", "none"] = "stdout"
    """Where `lor3 serve` logs. What other commands print on stdout is their result: they log to stderr, or nowhere."""
    file: LogFileSettings | None = None
    """Of `lor3 serve` alone."""
    areas: Mapping[str, str] = attrs.field(factory=dict)
    """Levels by area, where they differ from `level`."""
    content: bool = False
    """Whether prompts and answers are logged, redacted."""


@frozen(kw_only=True)
class OTLPSettings:
    endpoint: str
    """Where a collector takes OTLP over HTTP, without `/v1/traces`."""
    headers: Mapping[str, Secret] = attrs.field(factory=dict)
    sample_ratio: float = 1.0
    """Of requests whose caller has not decided it."""
    timeout_s: float = 10.0
    content: bool = False
    """Whether spans hold prompts and answers, redacted."""


@frozen(kw_only=True)
class TelemetrySettings:
    metrics_port: int | None = None
    """None answers `/metrics` on the server's own port."""
    metrics_host: str = "127.0.0.1"
    otlp: OTLPSettings | None = None


@frozen(kw_only=True)
class Settings:
    """Everything lor3 can be told, checked and resolved."""

    chat: ChatDefaults
    providers: Mapping[str, ProviderConfig]
    catalogue: Catalogue
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    """The user's own, as written; `catalogue` holds them resolved, beside those that ship with lor3."""
    models: Mapping[str, Mapping[str, JSONValue]] = attrs.field(factory=dict)
    """The user's own additions and corrections, as written; `catalogue` holds them applied."""
    prices: Mapping[str, Price | tuple[Price, ...]] = attrs.field(factory=dict)
    """Overrides by `provider:model`; several where they begin on different days."""
    routing: RoutingPolicy = RoutingPolicy()
    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    prompts: PromptSettings = PromptSettings(directory=None)
    """Settings that are made by hand read no files unless they say so."""
    threads: ThreadSettings = ThreadSettings()
    retention: RetentionSettings = RetentionSettings()
    auth: AuthSettings = AuthSettings()
    limits: LimitSettings = LimitSettings()
    budgets: BudgetRules = BudgetRules()
    log: LogSettings = LogSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    warnings: tuple[str, ...] = ()
    """Such as a default model that has been switched off."""
    unavailable: Mapping[str, str] = attrs.field(factory=dict)
    """Providers that the catalogue names but that can't be called, each with the reason and the remedy.

    They are not in `providers`; a candidate of theirs is skipped.
    """
    unoffered: frozenset[str] = frozenset()
    """Providers that can be called but are not shown to choose from: the demo, where it is there of itself alone."""
    origins: Mapping[str, str] = attrs.field(factory=dict)
    """Where each value that is no default came from, by its path: a file and line, a variable, a flag."""
    source: str | None = None
    """The file these came from."""

    @property
    def opens_without_keys(self) -> bool:
        """Whether anybody may call as long as there is no key: where nobody but this machine can."""
        return self.auth.disabled or is_loopback(self.server.host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`; a name other than `localhost` may be reached by anyone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
