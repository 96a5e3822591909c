"""The wiring: which adapter stands behind which port. The only place that knows them all.

Testers override a provider of the container (`container.clock.override(...)`) or hand `bootstrap.running`
their own store or chat providers.
"""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from adapters.in_memory.cooldown_board import LocalCooldownBoard
from adapters.in_memory.event_log import LocalEventLog
from adapters.in_memory.prompt_cache import LocalPromptCache
from adapters.in_memory.rate_limiter import LocalRateLimiter
from adapters.in_memory.thread_gate import LocalThreadGate
from adapters.prices.genai_price_book import GenaiPriceBook
from adapters.prompts.files import FolderPromptFiles
from adapters.prompts.texts import DocumentTexts
from adapters.signing.ed25519 import Ed25519Signer
from adapters.system import SystemClock, SystemRandomness, UUID7Generator
from adapters.telemetry.fan_out import FanOutTelemetry
from adapters.telemetry.log import LogTelemetry
from adapters.telemetry.log_sinks import RotatingFile, of_worker
from adapters.telemetry.prometheus import PrometheusTelemetry
from adapters.tokens.tiktoken_meter import TiktokenMeter
from application.ports.cooldown_board import CooldownBoard
from application.ports.event_log import EventLog
from application.ports.prompt_cache import PromptCache
from application.ports.prompt_files import PromptFiles
from application.ports.rate_limiter import RateLimiter
from application.ports.store import Store
from application.ports.telemetry import Telemetry
from application.ports.thread_gate import ThreadGate
from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.accounting import Accounting
from application.services.admission import Admission
from application.services.anomaly_watch import AnomalyWatch
from application.services.background import Background
from application.services.budget_keeper import BudgetKeeper
from application.services.chat_budgets import ChatBudgets
from application.services.compilation import Compilation
from application.services.completion import Completion
from application.services.failover import Failover
from application.services.idempotency_guard import IdempotencyGuard
from application.services.key_ring import KeyRing
from application.services.live_answers import LiveAnswers
from application.services.mirrors import Mirrors
from application.services.ownership import Ownership
from application.services.pass_spans import PassSpans
from application.services.pinning import PinCarrier
from application.services.placement import Placement
from application.services.prompt_choice import PromptChoice
from application.services.prompt_oven import PromptOven
from application.services.prompt_writing import PromptWriting
from application.services.purse import Budgets
from application.services.refusal_tally import RefusalTally
from application.services.request_assembly import RequestAssembly
from application.services.retelling import Retelling
from application.services.route_health import RouteHealth
from application.services.settlement import Settlement
from application.services.summariser import Summariser
from application.services.thread_forking import ThreadForking
from application.services.token_notes import TokenNotes
from application.use_cases.change_thread import ChangeThread
from application.use_cases.continue_chat import ContinueChat
from application.use_cases.delete_prompt_version import DeletePromptVersion
from application.use_cases.delete_thread import DeleteThread
from application.use_cases.describe_service import DescribeService
from application.use_cases.explain_chat import ExplainChat
from application.use_cases.export_rated import ExportRated
from application.use_cases.export_thread import ExportThread
from application.use_cases.follow_answer import FollowAnswer
from application.use_cases.fork_thread import ForkThread
from application.use_cases.import_prompt_files import ImportPromptFiles
from application.use_cases.inject_memory import InjectMemory
from application.use_cases.label_prompt import LabelPrompt
from application.use_cases.make_token import MakeToken
from application.use_cases.open_session import OpenSession
from application.use_cases.open_thread import OpenThread
from application.use_cases.pin_message import PinMessage
from application.use_cases.prune_store import PruneStore
from application.use_cases.rate_message import RateMessage
from application.use_cases.read_anomalies import ReadAnomalies
from application.use_cases.read_budgets import ReadBudgets
from application.use_cases.read_client_chat import ReadClientChat
from application.use_cases.read_feedback import ReadFeedback
from application.use_cases.read_prompts import ReadPrompts
from application.use_cases.read_threads import ReadThreads
from application.use_cases.render_prompt import RenderPrompt
from application.use_cases.report_usage import ReportUsage
from application.use_cases.resume_chat import ResumeChat
from application.use_cases.send_chat import SendChat
from application.use_cases.stop_answer import StopAnswer
from application.use_cases.version_prompt import VersionPrompt
from domain.errors import Fault, InvalidRequest
from domain.json_value import JSONObject
from domain.model import ModelRef
from domain.thread_queue import ThreadQueuePolicy
from entrypoints.housekeeper import Housekeeper
from entrypoints.injection import containers, providers
from entrypoints.prompt_reloader import PromptReloader
from entrypoints.resources import resource
from entrypoints.serving import Serving
from entrypoints.settings import Settings

if TYPE_CHECKING:
    from adapters.cache.redis_link import RedisLink
    from adapters.telemetry.otlp import OTLPTelemetry
    from entrypoints.prompt_transfer import PromptTransfer


def _check_schema(schema: JSONObject) -> tuple[Fault, ...]:
    from adapters.formatters.json_schema import (
        check_schema,
    )  # jsonschema takes 0.1 s to import; few chats need it

    return check_schema(schema)


def _price_book(settings: Settings) -> GenaiPriceBook:
    kinds = {name: config.kind for name, config in settings.providers.items()}
    return GenaiPriceBook(
        vendors={name: kind for name, kind in kinds.items() if kind in ("openai", "anthropic")},
        overrides={ModelRef.parse(name): price for name, price in settings.prices.items()},
        free=frozenset(name for name, kind in kinds.items() if kind == "demo"),
        snapshot_path=resource("config/prices.json"),
    )


def _default_models(settings: Settings) -> frozenset[ModelRef]:
    chat = settings.chat
    as_written = datetime.date.min  # no model is retired yet, so none is served by another
    found: set[ModelRef] = set()
    for name in (chat.primary, *chat.fallbacks, chat.summary_model or chat.primary):
        try:
            found.add(settings.catalogue.resolve(name, today=as_written).ref)
        except InvalidRequest:
            continue  # whoever needs it says so: a chat by an error, a summary by a warning
    return frozenset(found)


def _log(settings: Settings, serving: Serving | None) -> LogTelemetry:
    log = settings.log
    if serving is None:  # a command: stdout is for its result, and the files are the server's
        to: Literal["none", "stderr"] = "none" if log.to == "none" else "stderr"
        return LogTelemetry(log.level, log.format, to=to, areas=log.areas)
    file: RotatingFile | None = None
    if log.file is not None:
        file = RotatingFile(of_worker(Path(log.file.path), serving.worker), log.file.max_bytes, log.file.keep)
    may_write = serving.may_log if log.to == "stdout" else None
    return LogTelemetry(
        log.level,
        log.format,
        to=log.to,
        areas=log.areas,
        file=file,
        may_write=may_write,
        worker=serving.worker,
    )


def _otlp(settings: Settings) -> "OTLPTelemetry | None":
    otlp = settings.telemetry.otlp
    if otlp is None:
        return None
    from adapters.telemetry.otlp import OTLPTelemetry  # the SDK only where it is configured

    return OTLPTelemetry.exporting(
        endpoint=otlp.endpoint,
        headers={name: value.reveal() for name, value in otlp.headers.items()},
        sample_ratio=otlp.sample_ratio,
        timeout_s=otlp.timeout_s,
        content=otlp.content,
    )


def _pass_spans(otlp: "OTLPTelemetry | None", clock: SystemClock) -> PassSpans | None:
    return None if otlp is None else PassSpans(clock=clock, telemetry=otlp)


def _content_sink(
    settings: Settings, log: LogTelemetry, otlp: "OTLPTelemetry | None"
) -> FanOutTelemetry | None:
    wanted: list[Telemetry] = []
    if settings.log.content:
        wanted.append(log)
    if otlp is not None and otlp.wants_content:
        wanted.append(otlp)
    return FanOutTelemetry(wanted) if wanted else None


def _sinks(
    prometheus: PrometheusTelemetry, log: LogTelemetry, otlp: "OTLPTelemetry | None"
) -> FanOutTelemetry:
    return FanOutTelemetry((prometheus, log) if otlp is None else (prometheus, log, otlp))


def _known_models(settings: Settings) -> frozenset[ModelRef]:
    """What may be a label's value: a caller can name any model, a metric can't."""
    catalogue = settings.catalogue
    known = {
        ref for ref in (*catalogue.specs, *catalogue.aliases.values()) if ref.provider in catalogue.providers
    }
    return _default_models(settings) | known


def _redis_link(settings: Settings, clock: SystemClock) -> "RedisLink | None":
    if settings.redis.url is None:
        return None
    from adapters.cache.redis_link import RedisLink  # redis-py only where Redis is configured

    return RedisLink(url=settings.redis.url, clock=clock, timeout_s=settings.redis.timeout_s)


def _cooldowns(redis_link: "RedisLink | None", clock: SystemClock) -> CooldownBoard:
    if redis_link is None:
        return LocalCooldownBoard(clock=clock)
    from adapters.cache.redis_cooldown_board import RedisCooldownBoard  # as above

    return RedisCooldownBoard(link=redis_link, clock=clock)


def _prompt_cache(redis_link: "RedisLink | None", clock: SystemClock) -> PromptCache:
    if redis_link is None:
        return LocalPromptCache()
    from adapters.cache.redis_prompt_cache import RedisPromptCache  # as above

    return RedisPromptCache(link=redis_link, clock=clock)


def _thread_gate(
    redis_link: "RedisLink | None", randomness: SystemRandomness, settings: Settings
) -> ThreadGate:
    threads = settings.threads
    policy = ThreadQueuePolicy(
        when_busy=threads.when_busy, max_queued=threads.max_queued, max_wait_s=threads.max_wait_s
    )
    local = LocalThreadGate(policy=policy)
    if redis_link is None:
        return local
    from adapters.cache.redis_thread_gate import RedisThreadGate  # as above

    return RedisThreadGate(local=local, link=redis_link, randomness=randomness, policy=policy)


def _rate_limiter(redis_link: "RedisLink | None", clock: SystemClock) -> RateLimiter:
    if redis_link is None:
        return LocalRateLimiter(clock=clock)
    from adapters.cache.redis_rate_limiter import RedisRateLimiter  # as above

    return RedisRateLimiter(link=redis_link, clock=clock)


def _event_log(redis_link: "RedisLink | None") -> EventLog:
    if redis_link is None:
        return LocalEventLog()
    from adapters.cache.redis_event_log import RedisEventLog  # as above

    return RedisEventLog(link=redis_link)


def _prompt_transfer(
    files: PromptFiles,
    unit_of_work: UnitOfWorkFactory,
    writing: PromptWriting,
    oven: PromptOven,
    clock: SystemClock,
) -> "PromptTransfer":
    # Twenty modules that only commands use.
    from adapters.prompts.foreign_documents import ForeignDocuments
    from entrypoints.prompt_transfer import PromptTransfer

    return PromptTransfer.over(
        documents=ForeignDocuments(),
        files=files,
        unit_of_work=unit_of_work,
        writing=writing,
        oven=oven,
        clock=clock,
    )


class Container(containers.DeclarativeContainer):
    """Singletons all: one application, one of each."""

    settings = providers.Dependency(instance_of=Settings)
    store: providers.Dependency[Store] = providers.Dependency()
    chat_providers = providers.Dependency(instance_of=dict)
    passes = providers.Dependency(instance_of=tuple)
    formatters = providers.Dependency(instance_of=dict)

    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(UUID7Generator)
    randomness = providers.Singleton(SystemRandomness)
    meter = providers.Singleton(TiktokenMeter)
    prices = providers.Singleton(_price_book, settings)
    known_models = providers.Callable(_known_models, settings)
    prometheus = providers.Singleton(PrometheusTelemetry, known_models)
    serving: providers.Provider[Serving | None] = providers.Object(None)
    log = providers.Singleton(_log, settings, serving)
    otlp = providers.Singleton(_otlp, settings)
    sinks = providers.Singleton(_sinks, prometheus, log, otlp)
    background = providers.Singleton(Background)
    anomaly_watch = providers.Singleton(
        AnomalyWatch,
        telemetry=sinks,
        unit_of_work=store.provided.unit_of_work,
        background=background,
        clock=clock,
        ids=ids,
    )
    refusal_tally = providers.Singleton(RefusalTally, unit_of_work=store.provided.unit_of_work, clock=clock)
    telemetry = providers.Singleton(FanOutTelemetry, providers.List(sinks, anomaly_watch, refusal_tally))
    redis_link = providers.Singleton(_redis_link, settings, clock)
    cooldowns = providers.Singleton(_cooldowns, redis_link, clock)
    prompt_cache = providers.Singleton(_prompt_cache, redis_link, clock)
    thread_gate = providers.Singleton(_thread_gate, redis_link, randomness, settings)
    rate_limiter: providers.Singleton[RateLimiter] = providers.Singleton(_rate_limiter, redis_link, clock)
    event_log: providers.Singleton[EventLog] = providers.Singleton(_event_log, redis_link)

    signer = providers.Singleton(Ed25519Signer)
    key_ring = providers.Singleton(
        KeyRing,
        store=store.provided.keys,
        clock=clock,
        signer=signer,
        is_disabled=settings.provided.auth.disabled,
        opens_without_keys=settings.provided.opens_without_keys,
        failed_per_minute=settings.provided.auth.failed_per_minute,
        telemetry=telemetry,
    )
    make_token = providers.Singleton(MakeToken, key_ring=key_ring, signer=signer)
    health = providers.Singleton(
        RouteHealth,
        policy=settings.provided.routing,
        clock=clock,
        telemetry=telemetry,
        cooldowns=cooldowns,
    )
    failover = providers.Singleton(
        Failover,
        providers=chat_providers,
        health=health,
        policy=settings.provided.routing,
        clock=clock,
        randomness=randomness,
        telemetry=telemetry,
    )
    oven = providers.Singleton(
        PromptOven, unit_of_work=store.provided.unit_of_work, cache=prompt_cache, clock=clock
    )
    prompts = providers.Singleton(
        PromptChoice,
        oven=oven,
        default=settings.provided.chat.system_prompt,
        variables=settings.provided.chat.variables,
    )
    token_notes = providers.Singleton(
        TokenNotes, unit_of_work=store.provided.unit_of_work, background=background
    )
    compilation = providers.Singleton(
        Compilation,
        passes=passes,
        formatters=formatters,
        meter=meter,
        notes=token_notes,
        pass_spans=providers.Callable(_pass_spans, otlp, clock),
    )
    summariser = providers.Singleton(
        Summariser,
        model=providers.Callable(
            lambda settings: settings.chat.summary_model or settings.chat.primary, settings
        ),
        catalogue=settings.provided.catalogue,
        unavailable=settings.provided.unavailable,
        compilation=compilation,
        failover=failover,
        unit_of_work=store.provided.unit_of_work,
        clock=clock,
    )
    read_anomalies = providers.Singleton(ReadAnomalies, unit_of_work=store.provided.unit_of_work)
    inject_memory = providers.Singleton(
        InjectMemory, conversations=store.provided.conversations, summariser=summariser
    )
    placement = providers.Singleton(
        Placement,
        defaults=settings.provided.chat,
        unit_of_work=store.provided.unit_of_work,
        conversations=store.provided.conversations,
        memory=inject_memory,
    )
    assembly = providers.Singleton(
        RequestAssembly,
        defaults=settings.provided.chat,
        catalogue=settings.provided.catalogue,
        providers=chat_providers,
        unavailable=settings.provided.unavailable,
        formatters=formatters,
        words_for_schema=providers.Callable(
            lambda settings: "format-enforcement" in settings.chat.passes, settings
        ),
        check_schema=providers.Object(_check_schema),
        placement=placement,
        memory=inject_memory,
        prompts=prompts,
    )
    accounting = providers.Singleton(Accounting, prices=prices, meter=meter)
    settlement = providers.Singleton(
        Settlement, accounting=accounting, journal=store.provided.journal, clock=clock, telemetry=telemetry
    )
    idempotency = providers.Singleton(
        IdempotencyGuard,
        unit_of_work=store.provided.unit_of_work,
        clock=clock,
        ids=ids,
        telemetry=telemetry,
    )
    admission = providers.Singleton(
        Admission,
        guard=idempotency,
        gate=thread_gate,
        unit_of_work=store.provided.unit_of_work,
        background=background,
        clock=clock,
    )
    completion = providers.Singleton(
        Completion,
        settlement=settlement,
        pins=providers.Singleton(PinCarrier, unit_of_work=store.provided.unit_of_work),
        background=background,
        journal=store.provided.journal,
        clock=clock,
        telemetry=telemetry,
        spans=otlp,
        content=providers.Callable(_content_sink, settings, log, otlp),
    )
    budget_keeper = providers.Singleton(BudgetKeeper, ledger=store.provided.budgets, clock=clock, ids=ids)
    budgets: providers.Singleton[Budgets] = providers.Singleton(
        ChatBudgets,
        rules=settings.provided.budgets,
        keeper=budget_keeper,
        ledger=store.provided.budgets,
        prices=prices,
        clock=clock,
        telemetry=telemetry,
    )
    read_budgets = providers.Singleton(ReadBudgets, budgets=budgets)
    send_chat = providers.Singleton(
        SendChat,
        budgets=budgets,
        admission=admission,
        assembly=assembly,
        compilation=compilation,
        failover=failover,
        settlement=settlement,
        completion=completion,
        background=background,
        journal=store.provided.journal,
        clock=clock,
        ids=ids,
    )
    live_answers = providers.Singleton(LiveAnswers, send_chat=send_chat, event_log=event_log)
    mirrors = providers.Singleton(Mirrors, event_log=event_log, clock=clock)
    ownership = providers.Singleton(
        Ownership,
        unit_of_work=store.provided.unit_of_work,
        live=live_answers,
        event_log=event_log,
        mirrors=mirrors,
        clock=clock,
    )
    retelling = providers.Singleton(
        Retelling, unit_of_work=store.provided.unit_of_work, formatters=formatters
    )
    follow_answer = providers.Singleton(
        FollowAnswer, live=live_answers, event_log=event_log, mirrors=mirrors, retelling=retelling
    )
    stop_answer = providers.Singleton(
        StopAnswer, live=live_answers, event_log=event_log, mirrors=mirrors, retelling=retelling
    )
    resume_chat = providers.Singleton(
        ResumeChat,
        live=live_answers,
        event_log=event_log,
        mirrors=mirrors,
        unit_of_work=store.provided.unit_of_work,
    )
    explain_chat = providers.Singleton(
        ExplainChat,
        assembly=assembly,
        compilation=compilation,
        health=health,
        providers=chat_providers,
        prices=prices,
        clock=clock,
        budgets=budgets,
    )
    describe_service = providers.Singleton(
        DescribeService,
        catalogue=settings.provided.catalogue,
        prices=prices,
        health=health,
        clock=clock,
        unavailable=settings.provided.unavailable,
        formats=providers.Callable(lambda formatters: tuple(sorted(formatters)), formatters),
        passes=settings.provided.chat.passes,
        warnings=settings.provided.warnings,
        defaults=providers.Callable(_default_models, settings),
        unoffered=settings.provided.unoffered,
    )
    rate_message = providers.Singleton(RateMessage, unit_of_work=store.provided.unit_of_work, clock=clock)
    read_feedback = providers.Singleton(ReadFeedback, unit_of_work=store.provided.unit_of_work)
    export_rated = providers.Singleton(ExportRated, unit_of_work=store.provided.unit_of_work)
    report_usage = providers.Singleton(
        ReportUsage, unit_of_work=store.provided.unit_of_work, clock=clock, keys=store.provided.keys
    )
    prune_store = providers.Singleton(
        PruneStore,
        maintenance=store.provided.maintenance,
        keeps_messages=providers.Callable(
            lambda settings: (
                None
                if settings.retention.messages_days is None
                else datetime.timedelta(days=settings.retention.messages_days)
            ),
            settings,
        ),
        keeps_deleted_threads=providers.Callable(
            lambda settings: datetime.timedelta(days=settings.retention.deleted_threads_days), settings
        ),
    )
    housekeeper = providers.Singleton(
        Housekeeper,
        maintenance=store.provided.maintenance,
        prune_store=prune_store,
        clock=clock,
        randomness=randomness,
        telemetry=telemetry,
    )
    prompt_texts = providers.Singleton(DocumentTexts)
    prompt_files = providers.Singleton(
        FolderPromptFiles,
        settings.provided.prompts.directory,
        is_expected=providers.Callable(
            lambda origins: "prompts.directory" in origins, settings.provided.origins
        ),
    )
    prompt_writing = providers.Singleton(PromptWriting, clock=clock)
    read_prompts = providers.Singleton(ReadPrompts, unit_of_work=store.provided.unit_of_work)
    version_prompt = providers.Singleton(
        VersionPrompt, unit_of_work=store.provided.unit_of_work, writing=prompt_writing, oven=oven
    )
    label_prompt = providers.Singleton(
        LabelPrompt, unit_of_work=store.provided.unit_of_work, oven=oven, clock=clock
    )
    delete_prompt_version = providers.Singleton(
        DeletePromptVersion, unit_of_work=store.provided.unit_of_work, oven=oven, clock=clock
    )
    render_prompt = providers.Singleton(
        RenderPrompt,
        unit_of_work=store.provided.unit_of_work,
        writing=prompt_writing,
        oven=oven,
        defaults=settings.provided.chat.variables,
    )
    import_prompt_files = providers.Singleton(
        ImportPromptFiles,
        files=prompt_files,
        unit_of_work=store.provided.unit_of_work,
        writing=prompt_writing,
        oven=oven,
        clock=clock,
    )
    prompt_reloader = providers.Singleton(
        PromptReloader,
        files=prompt_files,
        import_files=import_prompt_files,
        telemetry=telemetry,
        clock=clock,
        default_fault=prompts.provided.default_fault,
    )
    prompt_transfer = providers.Singleton(
        _prompt_transfer,
        files=prompt_files,
        unit_of_work=store.provided.unit_of_work,
        writing=prompt_writing,
        oven=oven,
        clock=clock,
    )
    read_threads = providers.Singleton(ReadThreads, unit_of_work=store.provided.unit_of_work)
    open_session = providers.Singleton(
        OpenSession, unit_of_work=store.provided.unit_of_work, clock=clock, ids=ids
    )
    open_thread = providers.Singleton(
        OpenThread, unit_of_work=store.provided.unit_of_work, clock=clock, ids=ids
    )
    change_thread = providers.Singleton(ChangeThread, unit_of_work=store.provided.unit_of_work, clock=clock)
    forking = providers.Singleton(
        ThreadForking, unit_of_work=store.provided.unit_of_work, clock=clock, ids=ids
    )
    fork_thread = providers.Singleton(ForkThread, forking=forking)
    continue_chat = providers.Singleton(
        ContinueChat,
        unit_of_work=store.provided.unit_of_work,
        forking=forking,
        judge=send_chat.provided.judge,
        stops=stop_answer,
        clock=clock,
        ids=ids,
    )
    read_client_chat = providers.Singleton(
        ReadClientChat,
        unit_of_work=store.provided.unit_of_work,
        live=live_answers,
        event_log=event_log,
        clock=clock,
    )
    delete_thread = providers.Singleton(DeleteThread, unit_of_work=store.provided.unit_of_work, clock=clock)
    export_thread = providers.Singleton(ExportThread, unit_of_work=store.provided.unit_of_work)
    pin_message = providers.Singleton(PinMessage, unit_of_work=store.provided.unit_of_work)
