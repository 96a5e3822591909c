"""Reads of what the in-memory store holds, and small writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from adapters.in_memory.anomalies import InMemoryAnomalies
from adapters.in_memory.client_chats import InMemoryClientChats
from adapters.in_memory.conversations import InMemoryMessages, InMemorySessions, InMemoryThreads
from adapters.in_memory.feedback import InMemoryFeedback
from adapters.in_memory.idempotency import InMemoryIdempotency
from adapters.in_memory.prompt_repository import InMemoryPrompts
from adapters.in_memory.refusals import InMemoryRefusals
from adapters.in_memory.shelves import Shelves
from adapters.in_memory.tenant_view import TenantView
from adapters.in_memory.usage import InMemoryUsage
from application.ports.every_tenant import AnomalyReader, Books, EveryTenantFactory
from application.ports.prompt_repository import PromptRepository
from application.ports.unit_of_work import (
    AnomalyRepository,
    ClientChatRepository,
    FeedbackRepository,
    IdempotencyRepository,
    MessageRepository,
    RefusalRepository,
    SessionRepository,
    ThreadRepository,
    UnitOfWork,
    UnitOfWorkFactory,
    UsageReader,
)
from domain.ids import DEFAULT_TENANT, Tenant
from domain.values import frozen


@attrs.define
class InMemoryUnitOfWork:
    _view: TenantView
    _prompts: InMemoryPrompts
    sessions: SessionRepository = attrs.field(init=False)
    threads: ThreadRepository = attrs.field(init=False)
    messages: MessageRepository = attrs.field(init=False)
    prompts: PromptRepository = attrs.field(init=False)
    feedback: FeedbackRepository = attrs.field(init=False)
    usage: UsageReader = attrs.field(init=False)
    idempotency: IdempotencyRepository = attrs.field(init=False)
    client_chats: ClientChatRepository = attrs.field(init=False)
    anomalies: AnomalyRepository = attrs.field(init=False)
    refusals: RefusalRepository = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sessions = InMemorySessions(self._view)
        self.threads = InMemoryThreads(self._view)
        self.messages = InMemoryMessages(self._view)
        self.prompts = self._prompts
        self.feedback = InMemoryFeedback(self._view)
        self.usage = InMemoryUsage(self._view)
        self.idempotency = InMemoryIdempotency(self._view)
        self.client_chats = InMemoryClientChats(self._view)
        self.anomalies = InMemoryAnomalies(self._view)
        self.refusals = InMemoryRefusals(self._view)

    async def commit(self) -> None:
        self._view.demand_whole()  # both are stored, or none
        await self._prompts.commit()
        self._view.commit()

    def leave(self) -> None:
        self._prompts.leave()
        self._view.leave()


@frozen
class InMemoryBooks:
    usage: UsageReader
    anomalies: AnomalyReader


def every_tenant_factory(shelves: Shelves) -> EveryTenantFactory:
    @asynccontextmanager
    async def every_tenant() -> AsyncIterator[Books]:
        shelves.demand()
        view = TenantView(shelves, DEFAULT_TENANT, is_of_every_tenant=True)
        yield InMemoryBooks(InMemoryUsage(view), InMemoryAnomalies(view))

    return every_tenant


def unit_of_work_factory(shelves: Shelves) -> UnitOfWorkFactory:
    @asynccontextmanager
    async def unit_of_work(tenant: Tenant) -> AsyncIterator[UnitOfWork]:
        shelves.demand()
        work = InMemoryUnitOfWork(TenantView(shelves, tenant), InMemoryPrompts(shelves, tenant))
        try:
            yield work
        finally:
            work.leave()

    return unit_of_work
