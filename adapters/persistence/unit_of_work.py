"""A transaction of one tenant."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import attrs
from sqlalchemy.exc import SQLAlchemyError

from adapters.persistence.async_engine import AsyncConnection, AsyncEngine
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
        connection = engine().connect()
        with translated():
            await connection.start()
        try:
            scope = Scope(connection, tenant)
            yield SQLUnitOfWork(connection, Sessions(scope), Threads(scope), Messages(scope))
        finally:
            # A cancelled caller must not leave its connection half way back to the pool.
            await asyncio.shield(asyncio.ensure_future(_leave(connection)))

    return unit_of_work


async def _leave(connection: AsyncConnection) -> None:
    """Rolls back what was not committed."""
    try:
        await connection.close()
    except SQLAlchemyError:
        # The rollback could not be sent: the connection is gone, and the server rolls back by itself. The pool
        # has thrown it away by now.
        pass
