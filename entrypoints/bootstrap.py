"""Starts lor3 and stops it, in that order: the same for the server, the CLI and the tests."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Literal

from application.ports.store import Store, StoreConfig
from domain.errors import StorageUnavailable
from domain.telemetry import ServerStopped
from entrypoints import plugins
from entrypoints.resources import resource
from entrypoints.settings import Settings

if TYPE_CHECKING:
    from application.ports.assistants import Assistants
    from application.ports.chat_provider import ChatProvider, ProviderConfig
    from application.ports.every_tenant import EveryTenantFactory
    from application.ports.id_generator import IdGenerator
    from application.ports.token_signer import TokenSigner
    from application.ports.unit_of_work import UnitOfWork, UnitOfWorkFactory
    from domain.ids import Tenant
    from domain.output.formatter import Formatter
    from domain.passes.compiler_pass import Pass
    from entrypoints.application import Application
    from entrypoints.container import Container
    from entrypoints.reading import Reading
    from entrypoints.reload import ConfigReloader
    from entrypoints.serving import Serving

DRAIN_S = 10.0


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    store: Store | None = None,
    chat_providers: "Mapping[str, ChatProvider] | None" = None,
    container: "Container | None" = None,
    import_files: bool = True,
    serving: "Serving | None" = None,
) -> "AsyncIterator[Application]":
    """lor3, wired and started; leaving stores what is under way and closes every connection.

    Args:
        store: in place of the one that `settings.database` names.
        chat_providers: in place of the ones that `settings.providers` names, by name.
        container: one with overrides of its own.
        import_files: False leaves the folder of prompt files unread, for whoever decides about each file itself.
        serving: of `lor3 serve`: then the log goes where the settings say, in place of stderr.

    Raises:
        ConfigurationError: a plugin is missing or refuses its settings. That the database or Redis is away
            is no error here: readiness says so.
    """
    from entrypoints.container import (
        Container,
    )  # all there is, and a third of a second: not for who only reads
    from entrypoints.lineage import Lineage
    from entrypoints.loop_lag import LoopLag

    container = container or Container()
    async with AsyncExitStack() as stack:
        if store is None:
            store = open_store(settings)
        if chat_providers is None:
            chat_providers = _open_providers(settings)
        container.settings.override(settings)
        if serving is not None:
            container.serving.override(serving)
        container.store.override(store)
        container.chat_providers.override(dict(chat_providers))
        container.passes.override(_load_passes(settings))
        container.formatters.override(_load_formatters())
        lineage = Lineage(
            container=container,
            make=Container,
            open_providers=_open_providers,
            load_passes=_load_passes,
            load_formatters=_load_formatters,
            wire=_application,
        )
        stack.push_async_callback(lineage.close_providers)
        stack.push_async_callback(container.log().aclose)
        last_words = ExitStack()  # said once all is stored, and not of a start that failed
        stack.callback(last_words.close)
        otlp = container.otlp()
        if otlp is not None:
            stack.push_async_callback(otlp.aclose)
        prometheus = container.prometheus()
        prometheus.watch("commit_queue_depth", lambda: store.journal.depth)
        prometheus.watch_anomalies(lambda: container.anomaly_watch().unwritten)
        if serving is not None:
            loop_lag = LoopLag(prometheus.lagged)
            loop_lag.start()
            stack.callback(loop_lag.stop)
        stack.push_async_callback(store.aclose)
        await store.start()
        refusal_tally = container.refusal_tally()
        stack.push_async_callback(refusal_tally.aclose)
        refusal_tally.start()
        cooldowns = container.cooldowns()
        stack.push_async_callback(cooldowns.aclose)
        await cooldowns.start()
        prompt_cache = container.prompt_cache()
        oven = container.oven()  # listens to the cache, from its start on
        prometheus.watch_prompts(lambda: oven.reads)
        stack.push_async_callback(prompt_cache.aclose)
        await prompt_cache.start()
        thread_gate = container.thread_gate()
        stack.push_async_callback(thread_gate.aclose)
        await thread_gate.start()
        event_log = container.event_log()
        container.live_answers()  # is told by the log when another replica wants an answer stopped
        stack.push_async_callback(event_log.aclose)
        await event_log.start()
        prompt_reloader = container.prompt_reloader()
        stack.push_async_callback(prompt_reloader.aclose)
        if import_files:
            await prompt_reloader.start()
        idempotency = container.idempotency()
        stack.push_async_callback(idempotency.aclose)
        await idempotency.start()
        key_ring = container.key_ring()
        stack.push_async_callback(key_ring.aclose)  # a server starts it, or the first request
        rate_limiter = container.rate_limiter()
        stack.push_async_callback(rate_limiter.aclose)
        await rate_limiter.start()
        budget_keeper = container.budget_keeper()
        stack.push_async_callback(budget_keeper.aclose)
        budget_keeper.start()
        prometheus.watch("budget_least_left", budget_keeper.least_left)
        housekeeper = container.housekeeper()
        stack.push_async_callback(housekeeper.aclose)
        background = container.background()
        stack.push_async_callback(background.drain, within_s=DRAIN_S)
        reloader = lineage.reloader(settings)
        stack.push_async_callback(reloader.aclose)
        yield lineage.application()
        if serving is not None:
            last_words.callback(container.log().emit, ServerStopped())


def _application(container: "Container", reloader: "ConfigReloader") -> "Application":
    """What a container holds for the entrypoints."""
    from entrypoints.application import Application

    prompts, link = container.prompt_reloader(), container.redis_link()
    return Application(
        settings=container.settings(),
        key_ring=container.key_ring(),
        make_token=container.make_token(),
        rate_limiter=container.rate_limiter(),
        ownership=container.ownership(),
        send_chat=container.send_chat(),
        live_answers=container.live_answers(),
        follow_answer=container.follow_answer(),
        stop_answer=container.stop_answer(),
        continue_chat=container.continue_chat(),
        resume_chat=container.resume_chat(),
        read_budgets=container.read_budgets(),
        read_client_chat=container.read_client_chat(),
        explain_chat=container.explain_chat(),
        describe_service=container.describe_service(),
        read_prompts=container.read_prompts(),
        version_prompt=container.version_prompt(),
        label_prompt=container.label_prompt(),
        delete_prompt_version=container.delete_prompt_version(),
        render_prompt=container.render_prompt(),
        read_threads=container.read_threads(),
        open_session=container.open_session(),
        open_thread=container.open_thread(),
        change_thread=container.change_thread(),
        fork_thread=container.fork_thread(),
        delete_thread=container.delete_thread(),
        export_thread=container.export_thread(),
        pin_message=container.pin_message(),
        inject_memory=container.inject_memory(),
        rate_message=container.rate_message(),
        read_feedback=container.read_feedback(),
        export_rated=container.export_rated(),
        report_usage=container.report_usage(),
        import_prompt_files=container.import_prompt_files(),
        prompt_transfer=container.prompt_transfer,
        prompt_texts=container.prompt_texts(),
        store=container.store(),
        telemetry=container.telemetry(),
        clock=container.clock(),
        ids=container.ids(),
        prompt_report=lambda: prompts.report,
        prompt_reloader=prompts,
        redis_is_there=None if link is None else lambda: link.is_there,
        config_reloader=reloader,
        background=container.background(),
        housekeeper=container.housekeeper(),
        default_prompt_fault=container.prompts().default_fault,
        read_anomalies=container.read_anomalies(),
        metrics=container.prometheus().exposition,
        watch=container.prometheus().watch,
    )


@asynccontextmanager
async def reading(settings: Settings) -> "AsyncIterator[Reading]":
    """The store and what reads it, for a command that changes nothing: no provider, no prompt, no cache.

    Raises:
        ConfigurationError: the store refuses its settings.
        StorageUnavailable: there is a file, and it can't be read.
    """
    from adapters.system import SystemClock
    from adapters.telemetry.log import LogTelemetry
    from entrypoints.reading import Reading

    async with AsyncExitStack() as stack:
        store = open_store(settings)
        to: Literal["none", "stderr"] = "none" if settings.log.to == "none" else "stderr"
        log = LogTelemetry(settings.log.level, settings.log.format, to=to, areas=settings.log.areas)
        stack.push_async_callback(log.aclose)
        stack.push_async_callback(store.aclose)
        url = settings.database.url.reveal()
        unit_of_work, every_tenant = store.unit_of_work, store.every_tenant
        if url.startswith("sqlite") and (await store.schema()).current is None:
            unit_of_work = _no_database(url.partition(":///")[2])
            every_tenant = _no_books(unit_of_work)
        else:
            await store.start()
        yield Reading(
            settings=settings,
            unit_of_work=unit_of_work,
            every_tenant=every_tenant,
            clock=SystemClock(),
            keys=store.keys,
        )


def _no_database(path: str) -> "UnitOfWorkFactory":
    def begin(tenant: "Tenant") -> "AbstractAsyncContextManager[UnitOfWork]":
        raise StorageUnavailable(
            f"there is no database yet at `{path}`: `lor3 run` and `lor3 serve` make it, or correct database.url"
        )

    return begin


def _no_books(unit_of_work: "UnitOfWorkFactory") -> "EveryTenantFactory":
    from domain.ids import DEFAULT_TENANT

    return lambda: unit_of_work(DEFAULT_TENANT)


def open_store(settings: Settings) -> Store:
    """The store that the URL's scheme names, not started yet: all that `lor3 db` needs."""
    database = settings.database
    scheme = database.url.reveal().partition(":")[0].partition("+")[0]
    factory = plugins.load(
        "lor3.stores", "postgresql" if scheme == "postgres" else scheme, path="database.url"
    )
    opened: Store = factory(
        StoreConfig(
            url=database.url,
            pool_size=database.pool_size,
            statement_timeout_s=database.statement_timeout_s,
            acquire_timeout_s=database.acquire_timeout_s,
            auto_migrate=database.auto_migrate,
            migrations_path=str(resource("migrations")),
        )
    )
    return opened


def open_signer() -> "tuple[TokenSigner, IdGenerator]":
    """What makes keys: whose Ed25519 it is, and their ids."""
    from adapters.signing.ed25519 import Ed25519Signer
    from adapters.system import UUID7Generator

    return Ed25519Signer(), UUID7Generator()


def open_assistants(config: "ProviderConfig") -> "Assistants":
    """A server that speaks the Assistants wire; nothing is sent before it is asked something."""
    from adapters.assistants.openai_assistants import OpenAIAssistants

    return OpenAIAssistants(config)


def _open_providers(settings: Settings) -> "dict[str, ChatProvider]":
    """Imports and makes the configured ones only: an SDK takes a second to import."""
    opened: dict[str, ChatProvider] = {}
    for name, config in settings.providers.items():
        if name not in settings.unavailable:
            opened[name] = plugins.load("lor3.providers", config.kind, path=f"providers.{name}.kind")(config)
    return opened


def _load_passes(settings: Settings) -> "tuple[Pass, ...]":
    """The configured ones in their order, between those that no request can do without."""
    from domain.passes.memory_lane import MemoryLane
    from domain.passes.model_limits import ModelLimits
    from domain.passes.system_prompt import SystemPrompt

    names = enumerate(settings.chat.passes)
    loaded = [plugins.load("lor3.passes", name, path=f"passes[{index}]")() for index, name in names]
    return (SystemPrompt(), MemoryLane(), *loaded, ModelLimits())


def _load_formatters() -> "dict[str, Formatter]":
    return {
        name: plugins.load("lor3.formatters", name, path="format")()
        for name in plugins.names("lor3.formatters")
    }
