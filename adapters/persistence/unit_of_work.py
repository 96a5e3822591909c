"""A transaction of one tenant."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import attrs
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adapters.persistence.failures import translated
from adapters.persistence.repositories import Messages, Scope, Sessions, Threads
from application.ports.unit_of_work import MessageRepository, SessionRepository, ThreadRepository, UnitOfWork
from domain.ids import Tenant


@attrs.define
class SQLUnitOfWork:
    _connection: AsyncConnection
    sessions: SessionRepository
    threads: ThreadRepository
    messages: MessageRepository

    async def commit(self) -> None:
        with translated():
            await self._connection.commit()


def unit_of_work_factory(
    engine: Callable[[], AsyncEngine],
) -> Callable[[Tenant], AbstractAsyncContextManager[UnitOfWork]]:
    @asynccontextmanager
    async def unit_of_work(tenant: Tenant) -> AsyncIterator[UnitOfWork]:
        # Leaving rolls back what was not committed, shielded from cancellation by SQLAlchemy.
        async with AsyncExitStack() as stack:
            with translated():
                connection = await stack.enter_async_context(engine().connect())
            scope = Scope(connection, tenant)
            yield SQLUnitOfWork(connection, Sessions(scope), Threads(scope), Messages(scope))

    return unit_of_work
