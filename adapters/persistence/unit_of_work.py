"""A transaction of one tenant."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import attrs

from adapters.persistence.anomaly_repository import Anomalies
from adapters.persistence.async_engine import AsyncEngine
from adapters.persistence.client_chat_repository import ClientChats
from adapters.persistence.departures import Departures
from adapters.persistence.failures import translated
from adapters.persistence.feedback import FeedbackOfMessages
from adapters.persistence.idempotency import Idempotency
from adapters.persistence.message_repository import Messages
from adapters.persistence.prompt_repository import Prompts
from adapters.persistence.refusals import Refusals
from adapters.persistence.scope import EveryTenantScope, Scope
from adapters.persistence.session_repository import Sessions
from adapters.persistence.thread_locks import ThreadLocks
from adapters.persistence.thread_repository import Threads
from adapters.persistence.transaction import Transaction
from adapters.persistence.usage import Usage
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
    UsageReader,
)
from domain.ids import Tenant
from domain.values import frozen

_ROUND_TRIP_S: Final = 1.0
"""On top of the server's own limit, before a silent server counts as gone."""


@attrs.define
class SQLUnitOfWork:
    _transaction: Transaction
    sessions: SessionRepository
    threads: ThreadRepository
    messages: MessageRepository
    prompts: PromptRepository
    feedback: FeedbackRepository
    usage: UsageReader
    idempotency: IdempotencyRepository
    client_chats: ClientChatRepository
    anomalies: AnomalyRepository
    refusals: RefusalRepository
    _unlocks: tuple[Callable[[], None], ...]
    """What was locked is not any more, once the transaction is over."""

    async def commit(self) -> None:
        await self._transaction.commit()
        for unlock in self._unlocks:
            unlock()


def _work_in(transaction: Transaction, tenant: Tenant) -> UnitOfWork:
    scope = Scope(transaction, tenant)
    locks = ThreadLocks()
    prompts = Prompts(scope)
    feedback = FeedbackOfMessages(scope)
    client_chats = ClientChats(scope)
    return SQLUnitOfWork(
        transaction,
        sessions=Sessions(scope),
        threads=Threads(scope, locks),
        messages=Messages(scope, locks),
        prompts=prompts,
        feedback=feedback,
        usage=Usage(scope),
        idempotency=Idempotency(scope),
        client_chats=client_chats,
        anomalies=Anomalies(scope),
        refusals=Refusals(scope),
        unlocks=(locks.forget, prompts.unlock, feedback.unlock, client_chats.unlock),
    )


def unit_of_work_factory(
    engine: Callable[[], AsyncEngine], *, statement_timeout_s: float, departures: Departures
) -> Callable[[Tenant], AbstractAsyncContextManager[UnitOfWork]]:
    @asynccontextmanager
    async def unit_of_work(tenant: Tenant) -> AsyncIterator[UnitOfWork]:
        transaction = await _transaction(engine, statement_timeout_s)
        try:
            yield _work_in(transaction, tenant)
        finally:
            await departures.leave(transaction)

    return unit_of_work


@frozen
class SQLBooks:
    usage: UsageReader
    anomalies: AnomalyReader


def every_tenant_factory(
    engine: Callable[[], AsyncEngine], *, statement_timeout_s: float, departures: Departures
) -> EveryTenantFactory:
    @asynccontextmanager
    async def every_tenant() -> AsyncIterator[Books]:
        transaction = await _transaction(engine, statement_timeout_s)
        scope = EveryTenantScope(transaction)
        try:
            yield SQLBooks(Usage(scope), Anomalies(scope))
        finally:
            await departures.leave(transaction)

    return every_tenant


async def _transaction(engine: Callable[[], AsyncEngine], statement_timeout_s: float) -> Transaction:
    connection = engine().connect()
    with translated():
        await connection.start()
    return Transaction(
        connection=connection,
        statement_timeout_s=statement_timeout_s,
        limit_s=statement_timeout_s + _ROUND_TRIP_S,
    )
