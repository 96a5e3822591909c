"""A transaction of one tenant."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import attrs

from adapters.persistence.async_engine import AsyncEngine
from adapters.persistence.departures import Departures
from adapters.persistence.failures import translated
from adapters.persistence.prompt_repository import Prompts
from adapters.persistence.repositories import Messages, Sessions, Threads
from adapters.persistence.scope import Scope
from adapters.persistence.transaction import Transaction
from application.ports.prompt_repository import PromptRepository
from application.ports.unit_of_work import MessageRepository, SessionRepository, ThreadRepository, UnitOfWork
from domain.ids import Tenant

_ROUND_TRIP_S: Final = 1.0
"""On top of the server's own limit, before a silent server counts as gone."""


@attrs.define
class SQLUnitOfWork:
    _transaction: Transaction
    sessions: SessionRepository
    threads: ThreadRepository
    messages: MessageRepository
    prompts: PromptRepository
    _unlock: Callable[[], None]

    async def commit(self) -> None:
        await self._transaction.commit()
        self._unlock()


def unit_of_work_factory(
    engine: Callable[[], AsyncEngine], *, statement_timeout_s: float, departures: Departures
) -> Callable[[Tenant], AbstractAsyncContextManager[UnitOfWork]]:
    @asynccontextmanager
    async def unit_of_work(tenant: Tenant) -> AsyncIterator[UnitOfWork]:
        connection = engine().connect()
        with translated():
            await connection.start()
        transaction = Transaction(
            connection=connection,
            statement_timeout_s=statement_timeout_s,
            limit_s=statement_timeout_s + _ROUND_TRIP_S,
        )
        try:
            scope = Scope(transaction, tenant)
            prompts = Prompts(scope)
            yield SQLUnitOfWork(
                transaction, Sessions(scope), Threads(scope), Messages(scope), prompts, prompts.unlock
            )
        finally:
            await departures.leave(transaction)

    return unit_of_work
