"""Fakes and contract suites, for those who test an application against lor3 or write a plugin for it.

The names in `__all__` are stable. Fakes keep the contracts of the ports they stand for: the suites here run
against them and against the real adapters alike.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from dependency_injector import providers as di

from adapters.in_memory.assistants import InMemoryAssistants
from adapters.in_memory.clock import ManualClock
from adapters.in_memory.cooldown_board import LocalCooldownBoard
from adapters.in_memory.event_log import LocalEventLog
from adapters.in_memory.id_generator import SequentialIds
from adapters.in_memory.price_book import FixedPriceBook
from adapters.in_memory.prompt_cache import LocalPromptCache, PromptExchange
from adapters.in_memory.randomness import FixedRandomness
from adapters.in_memory.rate_limiter import LocalRateLimiter
from adapters.in_memory.scripted_provider import Script, ScriptedAnswer, ScriptedProvider
from adapters.in_memory.store import InMemoryStore
from adapters.in_memory.telemetry import RecordingTelemetry
from adapters.in_memory.thread_gate import LocalThreadGate
from adapters.in_memory.token_meter import WordMeter
from adapters.testing.chat_provider_suite import (
    ChatProviderSuite,
    ProviderBench,
    call_for,
    events_of,
    text_of,
)
from adapters.testing.cooldown_board_suite import CooldownBoardSuite
from adapters.testing.event_log_suite import EventLogSuite, SharedEventLogSuite
from adapters.testing.formatter_suite import FormatterSuite
from adapters.testing.price_book_suite import PriceBookSuite
from adapters.testing.prompt_cache_suite import PromptCacheSuite
from adapters.testing.rate_limiter_suite import RateLimiterSuite
from adapters.testing.store_suite import StoreSuite
from adapters.testing.thread_gate_suite import ThreadGateSuite
from adapters.testing.token_meter_suite import TokenMeterSuite
from application.ports.chat_provider import ChatProvider
from application.ports.event_log import EventLog
from application.ports.store import Store
from application.ports.telemetry import Telemetry
from domain.catalogue import Catalogue
from domain.chat_defaults import ChatDefaults
from domain.model import ModelRef, ModelSpec
from domain.routing.settings import RoutingPolicy
from entrypoints.application import Application
from entrypoints.bootstrap import running
from entrypoints.container import Container
from entrypoints.settings import LogSettings, Settings

__all__ = [
    "ChatProviderSuite",
    "CooldownBoardSuite",
    "EventLogSuite",
    "FixedPriceBook",
    "FixedRandomness",
    "FormatterSuite",
    "InMemoryAssistants",
    "InMemoryStore",
    "LocalCooldownBoard",
    "LocalEventLog",
    "LocalPromptCache",
    "LocalRateLimiter",
    "LocalThreadGate",
    "ManualClock",
    "PriceBookSuite",
    "PromptCacheSuite",
    "PromptExchange",
    "ProviderBench",
    "RateLimiterSuite",
    "RecordingTelemetry",
    "Script",
    "ScriptedAnswer",
    "ScriptedProvider",
    "SequentialIds",
    "SharedEventLogSuite",
    "StoreSuite",
    "ThreadGateSuite",
    "TokenMeterSuite",
    "WordMeter",
    "call_for",
    "events_of",
    "fake_application",
    "fake_settings",
    "text_of",
]


def fake_settings(
    providers: Mapping[str, ChatProvider],
    *,
    primary: str,
    fallbacks: tuple[str, ...] = (),
    specs: tuple[ModelSpec, ...] = (),
    defaults: ChatDefaults | None = None,
    routing: RoutingPolicy | None = None,
) -> Settings:
    """Settings for `providers` by name, quiet logs, and a catalogue that holds `specs` alone."""
    catalogue: dict[ModelRef, ModelSpec] = {spec.ref: spec for spec in specs}
    return Settings(
        chat=defaults or ChatDefaults(primary=primary, fallbacks=fallbacks),
        providers={},
        catalogue=Catalogue(specs=catalogue, aliases={}, provider_aliases={}, providers=frozenset(providers)),
        routing=routing or RoutingPolicy(),
        log=LogSettings(level="error"),
    )


@asynccontextmanager
async def fake_application(
    providers: Mapping[str, ChatProvider],
    *,
    primary: str | None = None,
    fallbacks: tuple[str, ...] = (),
    settings: Settings | None = None,
    store: Store | None = None,
    telemetry: Telemetry | None = None,
    event_log: EventLog | None = None,
) -> AsyncIterator[Application]:
    """lor3 as it is wired in production, on an in-memory store and the given providers.

    Args:
        primary: `provider:model`; by default `<the first provider>:test`.
        store: where chats go; hand in an `InMemoryStore` to look at its `shelves`.
        telemetry: takes the place of logs and metrics.
        event_log: tells other applications of answers under way, and this one of theirs.
    """
    name = next(iter(providers))
    settings = settings or fake_settings(providers, primary=primary or f"{name}:test", fallbacks=fallbacks)
    container = Container()
    container.meter.override(di.Object(WordMeter()))
    container.prices.override(di.Object(FixedPriceBook()))
    if telemetry is not None:
        container.telemetry.override(di.Object(telemetry))
    if event_log is not None:
        container.event_log.override(di.Object(event_log))
    async with running(
        settings, store=store or InMemoryStore(), chat_providers=providers, container=container
    ) as application:
        yield application
