"""Reads the settings: defaults < file < environment < flags, resolved and checked as a whole."""

import datetime
import importlib.util
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Final, TypeVar

import attrs

from application.ports.price_book import Price
from domain.catalogue import Catalogue
from domain.chat_defaults import ChatDefaults
from domain.errors import InvalidRequest
from domain.key_text import check_names
from domain.limits.budget import Budget, Period
from domain.limits.budget_rules import BudgetRules
from domain.limits.budget_text import parse_budget, soft_above_hard
from domain.limits.rate import NO_LIMITS, RateLimits
from domain.prompt.reference import PromptReference
from domain.routing.settings import BreakerPolicy, RoutingPolicy
from domain.secret import Secret
from entrypoints.configuration import environment, file
from entrypoints.configuration.catalogue import as_written, build_catalogue, resolve, shipped
from entrypoints.configuration.document import BudgetsDocument, Document, RateDocument, RoutingDocument
from entrypoints.configuration.findings import Findings, Path, did_you_mean, flatten_origins, render_path
from entrypoints.configuration.interpolation import interpolate
from entrypoints.configuration.prices import overrides
from entrypoints.configuration.providers import STANDARD, Providers, resolve_providers
from entrypoints.configuration.raw import Tree
from entrypoints.configuration.registry import Registry
from entrypoints.configuration.structure import structure
from entrypoints.configuration.urls import check_cors_origin, check_network, database_url, redis_url
from entrypoints.settings import (
    AuthSettings,
    DatabaseSettings,
    LimitSettings,
    LogFileSettings,
    LogSettings,
    OTLPSettings,
    PromptSettings,
    RedisSettings,
    RetentionSettings,
    ServerSettings,
    Settings,
    TelemetrySettings,
    ThreadSettings,
)

_DEMO: Final = "demo"
_PRICED: Final = (_DEMO, *STANDARD)
"""Kinds whose models have list prices, or none to pay."""

_T = TypeVar(
    "_T",
    BreakerPolicy,
    RoutingPolicy,
    ServerSettings,
    DatabaseSettings,
    RedisSettings,
    PromptSettings,
    ThreadSettings,
    RetentionSettings,
    AuthSettings,
    LogSettings,
    LogFileSettings,
    OTLPSettings,
    TelemetrySettings,
)


def load_settings(
    *,
    config_path: FilePath | None,
    environ: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    cwd: FilePath,
    today: datetime.date | None = None,
    registry: Registry | None = None,
) -> Settings:
    """Everything lor3 was told.

    Args:
        flags: by dotted path, such as `{"server.port": 8080}`; None values are not given.
        today: decides which models count as switched off; the current day in UTC where left out.
        registry: the known passes, formatters and provider kinds; those installed where left out.

    Raises:
        ConfigurationError: anything is wrong; it names every fault with its path, origin and remedy.
    """
    findings = Findings()
    warnings: list[str] = []
    path = file.find(config_path, environ, cwd)
    tree: dict[str, Tree] = {}
    if path is not None:
        parsed = file.read(path)
        parsed.tree.pop("$schema", None)  # for editors
        interpolated = interpolate(parsed.tree, environ, findings)
        assert isinstance(interpolated, dict)  # noqa: S101 - for the type checker: a mapping stays one
        tree = interpolated
        findings.lines, findings.place, findings.of_file = parsed.lines, parsed.place, parsed.faults
        findings.origins.update({where: parsed.place(where) for where in _leaves(tree, ())})
    top_level = [field.name for field in attrs.fields(Document)]
    environment.overlay(tree, environ, top_level, findings, warnings)
    for name, value in (flags or {}).items():
        if value is not None:
            flag = f"--{name.rpartition('.')[2].replace('_', '-')}"
            environment.assign(tree, tuple(name.split(".")), value, flag, findings)
    document = structure(tree, findings)
    resolver = _Resolver(
        document=document,
        environ=environ,
        cwd=cwd,
        today=today or datetime.datetime.now(datetime.UTC).date(),
        registry=registry or Registry.installed(),
        findings=findings,
        warnings=warnings,
    )
    settings = resolver.settings(source=None if path is None else str(path))
    findings.raise_if_any()
    return settings


def _leaves(tree: Tree, path: Path) -> list[Path]:
    if isinstance(tree, dict) and tree:
        return [leaf for key, value in tree.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(tree, list) and tree:
        return [path, *(leaf for index, value in enumerate(tree) for leaf in _leaves(value, (*path, index)))]
    return [path] if path else []


@attrs.define(kw_only=True)
class _Resolver:
    """From a well-formed document to settings that make sense together."""

    document: Document
    environ: Mapping[str, str]
    cwd: FilePath
    today: datetime.date
    registry: Registry
    findings: Findings
    warnings: list[str]

    def settings(self, *, source: str | None) -> Settings:
        document, findings = self.document, self.findings
        providers = resolve_providers(
            document.providers or {},
            aliases=shipped().provider_aliases,
            environ=self.environ,
            kinds=self.registry.providers,
            findings=findings,
        )
        catalogue = build_catalogue(
            kinds=providers.kinds,
            models=document.models or {},
            aliases=document.aliases or {},
            reroute_retired=bool(document.reroute_retired),
            today=self.today,
            findings=findings,
        )
        chat = self._chat(catalogue, providers)
        self._warn_of_models(catalogue, chat)
        self._warn_of_keys(catalogue, chat, providers)
        auth = given(AuthSettings(), document.auth)
        server = given(ServerSettings(), document.server)
        for index, origin in enumerate(server.cors_origins):
            check_cors_origin(origin, ("server", "cors_origins", index), findings)
        for index, network in enumerate(server.trusted_proxies):
            check_network(network, ("server", "trusted_proxies", index), findings)
        redis = self._redis()
        limits = self._limits()
        self._warn_of_workers(server, redis, limits)
        prices, budgets = self._prices(catalogue), self._budgets(document.budgets or BudgetsDocument())
        self._warn_of_prices(catalogue, chat, providers, prices, budgets)
        return Settings(
            chat=chat,
            providers=providers.configured,
            catalogue=catalogue,
            aliases=document.aliases or {},
            models={name: as_written(model) for name, model in (document.models or {}).items()},
            prices=prices,
            routing=self._routing(document.routing or RoutingDocument()),
            server=server,
            database=self._database(),
            redis=redis,
            prompts=self._prompts(),
            threads=given(ThreadSettings(), document.threads),
            retention=given(RetentionSettings(), document.retention),
            auth=auth,
            limits=limits,
            budgets=budgets,
            log=self._log(),
            telemetry=self._telemetry(server),
            warnings=tuple(self.warnings),
            source=source,
            unavailable=providers.unavailable,
            unoffered=self._unoffered(catalogue, chat, providers),
            origins=flatten_origins(findings.origins),
        )

    def _chat(self, catalogue: Catalogue, providers: Providers) -> ChatDefaults:
        document = self.document
        primary, standby = self._automatic(providers)
        if document.primary is not None:
            primary, standby = document.primary, ()
            resolve(catalogue, primary, ("primary",), self.today, self.findings)
        elif primary == "demo:demo" and document.providers:
            self.warnings.append(
                "no `primary` is set, so the demo answers; name one of your models as `primary`"
            )
        fallbacks = standby if document.fallbacks is None else document.fallbacks
        if document.fallbacks is not None:
            for index, name in enumerate(fallbacks):
                resolve(catalogue, name, ("fallbacks", index), self.today, self.findings)
        for index, name in enumerate(document.passes or ()):
            self._known("pass", name, self.registry.passes, ("passes", index))
            if name in (document.passes or ())[:index]:
                self.findings.add(("passes", index), f"the pass `{name}` is given twice; keep one")
        if document.summary_model is not None:
            resolve(catalogue, document.summary_model, ("summary_model",), self.today, self.findings)
        if document.system_prompt is not None:
            self._system_prompt(document.system_prompt)
        if document.format is not None:
            self._known("format", document.format, self.registry.formatters, ("format",))
        defaults = ChatDefaults(primary=primary, fallbacks=fallbacks)
        names = {field.name for field in attrs.fields(ChatDefaults)} - {"primary", "fallbacks"}
        told = {name: getattr(document, name) for name in names if getattr(document, name) is not None}
        return attrs.evolve(defaults, **told)

    def _system_prompt(self, text: str) -> None:
        """Its form; whether there is such a prompt, the store knows."""
        try:
            PromptReference.parse(text)
        except InvalidRequest as error:
            self.findings.add(("system_prompt",), error.faults[0].message)
        if self.document.system is not None:
            self.findings.add(
                ("system_prompt",), "`system` is set too, and there is one system text; keep one of the two"
            )

    def _automatic(self, providers: Providers) -> tuple[str, tuple[str, ...]]:
        """With nothing said: the first vendor whose key is set, then the other; else the demo."""
        models = [shipped().defaults[name] for name in STANDARD if name in providers.configured]
        return (models[0], tuple(models[1:])) if models else ("demo:demo", ())

    def _unoffered(self, catalogue: Catalogue, chat: ChatDefaults, providers: Providers) -> frozenset[str]:
        """The demo, where a real provider can be called and nothing in the configuration names it."""
        document = self.document
        names = (
            *(chat.primary, *chat.fallbacks, *((chat.summary_model,) if chat.summary_model else ())),
            *(document.aliases or {}).values(),
            *(document.models or {}),
        )
        refs = [resolve(catalogue, name, ("",), self.today, Findings()) for name in names]
        asked = {*(document.providers or {}), *(ref.provider for ref in refs if ref is not None)}
        return frozenset() if set(providers.configured) == {_DEMO} else frozenset((_DEMO,)) - asked

    def _known(self, what: str, name: str, known: frozenset[str], path: Path) -> None:
        if name not in known and not self.findings.has(path):
            self.findings.add(
                path, f"unknown {what} `{name}`{did_you_mean(name, known)}; known: {', '.join(sorted(known))}"
            )

    def _warn_of_models(self, catalogue: Catalogue, chat: ChatDefaults) -> None:
        """Warns of models in use that are switched off; aliases of the user's own count as use."""
        used = {"primary": chat.primary}
        used |= {f"fallbacks[{index}]": name for index, name in enumerate(chat.fallbacks)}
        used |= {f"aliases.{name}": name for name in self.document.aliases or {}}
        as_written = attrs.evolve(catalogue, reroute_retired=False)
        for where, name in used.items():
            silent = Findings()
            ref = resolve(as_written, name, (where,), self.today, silent)
            spec = catalogue.spec(ref) if ref else None
            if spec is None or spec.retired_on is None or not spec.is_retired(self.today):
                continue
            text = f"{where}: {spec.ref} was switched off on {spec.retired_on}"
            if spec.replaced_by is None:
                text += "; choose another model"
            elif catalogue.reroute_retired:
                text += f"; {spec.replaced_by} answers in its place"
            else:
                text += f"; use {spec.replaced_by}, or set `reroute_retired: true`"
            self.warnings.append(text)

    def _warn_of_keys(self, catalogue: Catalogue, chat: ChatDefaults, providers: Providers) -> None:
        refs = [
            resolve(catalogue, name, ("",), self.today, Findings())
            for name in (chat.primary, *chat.fallbacks)
        ]
        named = [ref.provider for ref in refs if ref is not None]
        missing = [name for name in dict.fromkeys(named) if name in providers.unavailable]
        if missing and all(name in missing for name in named):
            reasons = " or ".join(f"{name}: {providers.unavailable[name]}" for name in missing)
            self.warnings.append(f"no model of `primary` and `fallbacks` can be called yet ({reasons})")
        else:
            self.warnings += [
                f"models of {name} are skipped: {providers.unavailable[name]}" for name in missing
            ]

    def _limits(self) -> LimitSettings:
        document = self.document.limits
        return (
            LimitSettings()
            if document is None
            else LimitSettings(
                key=_rates(document.key), user=_rates(document.user), address=_rates(document.address)
            )
        )

    def _budgets(self, document: BudgetsDocument) -> BudgetRules:
        read = self._budget_texts
        defaults = BudgetRules()
        for name in document.tenants or {}:
            for fault in check_names(name="any", tenant=name):
                self.findings.add(("budgets", "tenants", name), f"a tenant's name {fault.message}")
        return BudgetRules(
            tenants={
                name: read(texts, ("budgets", "tenants", name))
                for name, texts in (document.tenants or {}).items()
            },
            tenant=read(document.tenant, ("budgets", "tenant")),
            user=read(document.user, ("budgets", "user")),
            thread=read(document.thread, ("budgets", "thread")),
            wait_s=defaults.wait_s if document.wait_s is None else document.wait_s,
            unpriced=document.unpriced or defaults.unpriced,
        )

    def _budget_texts(self, texts: tuple[str, ...] | None, path: Path) -> tuple[Budget, ...]:
        found: dict[tuple[Period, bool], Budget] = {}
        for index, text in enumerate(texts or ()):
            plain = text.removeprefix("soft ")
            try:
                budget = parse_budget(plain, soft=plain != text)
            except InvalidRequest as error:
                for fault in error.faults:
                    self.findings.add((*path, index), fault.message)
                continue
            if found.setdefault((budget.period, budget.soft), budget) is not budget:
                kind = "soft" if budget.soft else "hard"
                self.findings.add(
                    (*path, index),
                    f"is a second {kind} budget for `{budget.period}`, and there can be one of a kind for each period; "
                    "keep one",
                )
        self.warnings += [f"{render_path(path)}: {text}" for text in soft_above_hard(found.values())]
        return tuple(found.values())

    def _warn_of_prices(
        self,
        catalogue: Catalogue,
        chat: ChatDefaults,
        providers: Providers,
        prices: Mapping[str, Price | tuple[Price, ...]],
        budgets: BudgetRules,
    ) -> None:
        """Warns of models in use that hard budgets refuse, as nobody but the operator can say what they cost."""
        applied = (budgets.tenant, budgets.user, budgets.thread, *budgets.tenants.values())
        if budgets.unpriced == "allow" or all(each.soft for group in applied for each in group):
            return
        used = {"primary": chat.primary}
        used |= {f"fallbacks[{index}]": name for index, name in enumerate(chat.fallbacks)}
        for where, name in used.items():
            ref = resolve(catalogue, name, ("",), self.today, Findings())
            kind = None if ref is None else providers.kinds.get(ref.provider)
            if kind is not None and kind not in _PRICED and str(ref) not in prices:
                self.warnings.append(
                    f"{where}: what {ref} costs is unknown, so a hard budget refuses it: set `prices` for `{ref}`, or "
                    "`budgets.unpriced: allow` to leave it uncounted"
                )

    def _warn_of_workers(self, server: ServerSettings, redis: RedisSettings, limits: LimitSettings) -> None:
        if server.workers > 1 and redis.url is None and limits != LimitSettings():
            self.warnings.append(
                f"server.workers is {server.workers} and redis.url is not set: each worker lets all of `limits` "
                "through; set redis.url"
            )
        if server.workers > 1 and redis.url is None:
            self.warnings.append(
                f"server.workers is {server.workers} and redis.url is not set: chats of one thread that reach "
                "different workers do not wait for one another, and an answer under way can be resumed, stopped and shown "
                "by a page that is loaded again in the worker that makes it alone (404 in others); set redis.url"
            )

    def _prices(self, catalogue: Catalogue) -> Mapping[str, Price | tuple[Price, ...]]:
        found: dict[str, Price | tuple[Price, ...]] = {}
        for name, entries in (self.document.prices or {}).items():
            ref = resolve(catalogue, name, ("prices", name), self.today, self.findings)
            if ref is not None:
                listed = overrides(name, entries, self.findings, self.warnings)
                found[str(ref)] = listed[0] if len(listed) == 1 else listed
        return found

    def _routing(self, document: RoutingDocument) -> RoutingPolicy:
        breaker = given(BreakerPolicy(), document.breaker)
        if breaker.max_open_s < breaker.open_s:
            self.findings.add(
                ("routing", "breaker", "max_open_s"), f"must be at least open_s ({breaker.open_s:g})"
            )
        return attrs.evolve(given(RoutingPolicy(), attrs.evolve(document, breaker=None)), breaker=breaker)

    def _log(self) -> LogSettings:
        document = self.document.log
        if document is None:
            return LogSettings()
        settings = given(LogSettings(), attrs.evolve(document, file=None, areas=None))
        areas = (
            {} if document.areas is None else attrs.asdict(document.areas, filter=lambda _, v: v is not None)
        )
        file: LogFileSettings | None = None
        if document.file is not None:
            if document.file.path is None:
                self.findings.add(
                    ("log", "file"), "needs a `path`; write `file: {path: lor3.log}`, for example"
                )
            file = given(LogFileSettings(path=str(self.cwd / "lor3.log")), document.file)
            file = attrs.evolve(file, path=str(self.cwd / file.path))
        return attrs.evolve(settings, areas=areas, file=file)

    def _telemetry(self, server: ServerSettings) -> TelemetrySettings:
        document, path = self.document.telemetry, ("telemetry", "otlp", "endpoint")
        if document is None:
            return TelemetrySettings()
        settings = given(TelemetrySettings(), attrs.evolve(document, otlp=None))
        if settings.metrics_port is not None and settings.metrics_port == server.port:
            self.findings.add(("telemetry", "metrics_port"), "is the server's own port; choose another one")
        if document.otlp is None:
            return settings
        endpoint = document.otlp.endpoint
        if endpoint is None:
            self.findings.add(path, "is needed; write http://localhost:4318, for example")
        elif not endpoint.startswith(("http://", "https://")):
            self.findings.add(path, "must be a URL of OTLP over HTTP, such as http://localhost:4318")
        elif importlib.util.find_spec("opentelemetry.exporter") is None:
            self.findings.add(path, "needs packages that are not installed; run pip install 'lor3[otel]'")
        otlp = given(OTLPSettings(endpoint=""), attrs.evolve(document.otlp, headers=None))
        headers = {name: Secret(value) for name, value in (document.otlp.headers or {}).items()}
        return attrs.evolve(settings, otlp=attrs.evolve(otlp, headers=headers))

    def _database(self) -> DatabaseSettings:
        document = self.document.database
        url, path = self._url("database", document.url if document else None, "DATABASE_URL")
        settings = given(DatabaseSettings(), attrs.evolve(document, url=None) if document else None)
        if url is None:
            return settings
        return attrs.evolve(
            settings, url=Secret(database_url(url, path, self.registry.stores, self.findings))
        )

    def _redis(self) -> RedisSettings:
        document = self.document.redis
        url, path = self._url("redis", document.url if document else None, "REDIS_URL")
        settings = given(RedisSettings(), attrs.evolve(document, url=None) if document else None)
        return (
            settings
            if url is None
            else attrs.evolve(settings, url=Secret(redis_url(url, path, self.findings)))
        )

    def _prompts(self) -> PromptSettings:
        settings = given(PromptSettings(), self.document.prompts)
        path = ("prompts", "directory")
        said_null = (
            path in self.findings.origins and getattr(self.document.prompts, "directory", None) is None
        )
        if said_null or not settings.directory:
            return attrs.evolve(settings, directory=None)
        if not settings.directory.isprintable():
            self.findings.add(path, "has characters that no path has; write config/prompts, for example")
        # A path from the working directory stays as it is written: people read it in messages.
        if self.cwd != FilePath.cwd():
            return attrs.evolve(settings, directory=str(self.cwd / settings.directory))
        return settings

    def _url(self, section: str, url: str | None, variable: str) -> tuple[str | None, Path]:
        """The section's URL and where it was given; the platform's variable counts where nothing else does."""
        if url is None and self.environ.get(variable):
            self.findings.origins[(section, "url")] = variable
            return self.environ[variable], (variable,)
        return url, (section, "url")


def given(defaults: _T, document: Any) -> _T:
    """`defaults` with every value that `document` gives."""
    if document is None:
        return defaults
    return attrs.evolve(
        defaults, **attrs.asdict(document, filter=lambda _, value: value is not None, recurse=False)
    )


def _rates(document: RateDocument | None) -> RateLimits:
    if document is None:
        return NO_LIMITS
    return RateLimits(
        requests_per_minute=document.rpm, tokens_per_minute=document.tpm, concurrency=document.concurrency
    )
