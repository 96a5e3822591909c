"""One transaction of one tenant, or of all.

On PostgreSQL it begins with the first statement and says whose rows it is about, which the server then holds it
to. SQLite has no such thing: there each read commits by itself, until a write or a lock begins the transaction.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import attrs
import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import SQLAlchemyError

from adapters.persistence import failures, tenancy
from adapters.persistence.async_engine import AsyncConnection
from adapters.persistence.batch_writer import (
    BatchFailure,
    Blocked,
    Collision,
    ConnectionLost,
    RefusedRows,
    SchemaBehind,
    StoreRefused,
)
from adapters.persistence.sockets import hang_up
from domain.errors import StorageUnavailable
from domain.ids import Tenant

Statement: TypeAlias = sa.Select[Any] | sa.Insert | sa.Update | sa.Delete
Parameters: TypeAlias = dict[str, Any] | list[dict[str, Any]]

BLOCKED: Final = "somebody else is changing this; try again in a moment"
_BEGIN: Final = {
    # Whatever the server's default is: under READ COMMITTED each statement sees what others committed before it.
    "postgresql": "BEGIN ISOLATION LEVEL READ COMMITTED",
    # The write lock at once: a transaction that first reads and then writes would be refused, not made to wait.
    "sqlite": "BEGIN IMMEDIATE",
}

# Transaction-bound, so that a pooler may hand the connection on after it.
_ALLOW: Final = sa.select(sa.func.set_config("statement_timeout", sa.bindparam("limit", type_=sa.Text), True))


@attrs.define(kw_only=True)
class Transaction:
    """What a unit of work does on its connection. `leave` it in any case."""

    _connection: AsyncConnection
    statement_timeout_s: float
    _limit_s: float
    """For a statement and the way there and back; a server's own limit is shorter."""
    _is_open: bool = attrs.field(default=False, init=False)
    _is_for_writing: bool = attrs.field(default=False, init=False)
    _is_broken: bool = attrs.field(default=False, init=False)
    _is_lost: bool = attrs.field(default=False, init=False)
    """The connection ended, or leads to a server that takes no writes any more."""

    @property
    def database(self) -> str:
        return self._connection.dialect.name

    @property
    def has_only_read(self) -> bool:
        """Ending it tells nobody anything: who read need not wait for that."""
        return not self._is_for_writing

    async def execute(self, statement: Statement, parameters: Parameters) -> CursorResult[Any]:
        """
        Raises:
            StorageUnavailable: as `failures.translated` says; what was written so far can't be committed.
        """
        with self._breaking() if self._is_open else failures.translated():
            with self._limited():
                return await self._connection.execute(statement, parameters)

    async def see(self, tenant: Tenant | None) -> None:
        """From here on statements see the rows of this tenant, and on PostgreSQL no others.

        Args:
            tenant: None is all of them, for what is asked before it is known whose it is.

        Raises:
            StorageUnavailable: as for `execute`.
            ValueError: no tenant may have this name.
        """
        if self.database == "postgresql" and (not self._is_open or self._is_spoilt):
            await self._begin(tenant)

    async def begin(self, tenant: Tenant | None) -> None:
        """As `see`, and from here on nothing counts before `commit`. A second call does nothing.

        Raises:
            StorageUnavailable: as for `execute`; on SQLite also where something else writes for too long.
            ValueError: as for `see`.
        """
        is_spoilt = self._is_spoilt
        self._is_for_writing = True
        if not self._is_open or is_spoilt:
            await self._begin(tenant)

    @property
    def _is_spoilt(self) -> bool:
        """A read failed, and nothing was written: the transaction is of no use, and another will do."""
        return self._is_broken and not self._is_lost and not self._is_for_writing

    async def _begin(self, tenant: Tenant | None) -> None:
        begin = _BEGIN[self.database]
        if self._is_open:
            begin, self._is_broken = f"ROLLBACK; {begin}", False
        if self.database == "postgresql":
            # One message of the simple protocol: whose rows it is about costs no round trip.
            whose = tenancy.ALL if tenant is None else tenancy.setting((tenant,))
            begin = f"{begin}; {tenancy.set_local(whose)}"
        self._is_open = True  # before it is: whether a cancelled BEGIN reached the server is unknown
        with self._breaking():
            await self._command(begin)

    async def allow(self, limit_s: float) -> None:
        """Statements of this transaction may take so long from here on: for reports, which nobody's chat waits for.

        Raises:
            StorageUnavailable: as for `execute`.
        """
        if limit_s <= self.statement_timeout_s:
            return
        if self.database == "postgresql":
            await self.execute(_ALLOW, {"limit": str(round(limit_s * 1000))})
        self._limit_s += limit_s - self.statement_timeout_s
        self.statement_timeout_s = limit_s

    async def commit(self) -> None:
        """
        Raises:
            StorageUnavailable: nothing was stored; or the connection ended meanwhile, and whether it was is unknown.
        """
        if not self._is_open:
            return
        if self._is_broken:
            # PostgreSQL would answer COMMIT with a rollback, and no error.
            raise StorageUnavailable("an earlier step failed, so nothing was stored; try again")
        with self._breaking():
            await self._command("COMMIT")
        self._is_open = False

    async def leave(self) -> None:
        """Rolls back what was not committed, and gives the connection back."""
        connection = self._connection
        try:
            if self._is_lost:
                await connection.invalidate()
            elif self._is_open and not connection.invalidated:
                await self._command("ROLLBACK")
        except (SQLAlchemyError, OSError):
            # The connection is gone, or says nothing any more: the server rolls back by itself.
            await connection.invalidate()
        finally:
            try:
                await connection.close()
            except SQLAlchemyError:
                pass  # it was gone before; the pool has thrown it away by now

    async def _command(self, text: str) -> None:
        with self._limited():
            # Without parameters a percent sign is one.
            await self._connection.exec_driver_sql(text, execution_options={"no_parameters": True})

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Hangs up on a server that is silent past the limit.

        A cancellation would ask the server first: 10 s of psycopg's when it is frozen.
        """
        timer = asyncio.get_running_loop().call_later(self._limit_s, self._hang_up)
        try:
            yield
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        connection = self._connection.sync_connection
        if self.database != "postgresql" or connection is None or connection.invalidated:
            return
        import psycopg  # only where it is in use, as it takes 60 ms

        driver_connection: Any = connection.connection.driver_connection
        try:
            hang_up(driver_connection.pgconn.socket)
        except psycopg.Error:
            pass  # closed already

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        try:
            yield
        except failures.FAILURES as error:
            failure = failures.failure_of(error)
            self._is_broken = True
            self._is_lost = self.database == "postgresql" and isinstance(failure, ConnectionLost)
            told = _told(failure, error) if self._is_for_writing else failure.told
            raise StorageUnavailable(told) from error


def _told(failure: BatchFailure, error: BaseException) -> str:
    """As `translated` has it for chats, in words that fit what is kept, be it a prompt or a thread."""
    cause = getattr(error, "orig", None)
    if getattr(cause, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
        return "something else is writing to the database; try again in a moment"
    if isinstance(failure, Blocked):
        return BLOCKED
    if isinstance(failure, Collision):
        return "another change was in the way; try again in a moment"
    if isinstance(failure, RefusedRows):
        return "the database can't take one of the values"
    if isinstance(failure, StoreRefused) and not isinstance(failure, SchemaBehind):
        return "the database takes no changes now; try again in a moment"
    return failure.told
