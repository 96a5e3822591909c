"""Statements on connections of the pool, beneath SQLAlchemy's own execution: that costs half of the CPU."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import attrs
from psycopg.pq.abc import PGresult
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from adapters.persistence import failures, postgresql_exchange
from adapters.persistence.async_engine import AsyncEngine
from adapters.persistence.batch_writer import ConnectionLost, Silent
from adapters.persistence.postgresql_exchange import Connection, Statement


@attrs.define(kw_only=True)
class PooledExchange:
    """Takes a connection for each exchange, and gives it back or has it closed."""

    _engine: Callable[[], AsyncEngine]
    _limit_s: float
    """For an exchange, the way there and back included; the server's own limit is shorter."""
    _burials: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    async def execute(
        self,
        statement: Statement,
        parameters: Sequence[bytes | None],
        *,
        tenants: str,
        before: Sequence[tuple[Statement, Sequence[bytes | None]]] = (),
    ) -> PGresult:
        """As `postgresql_exchange.execute`.

        Raises:
            BatchFailure: no connection came free, or the server is away, silent or refused it. Of `ConnectionLost`
                but not of `NoConnectionFree` it is unknown what was done.
        """
        try:
            connection: PoolProxiedConnection = await greenlet_spawn(self._engine().sync_engine.pool.connect)
        except failures.FAILURES as error:
            raise failures.failure_of(error) from error
        try:
            result = await postgresql_exchange.execute(
                cast("Connection", connection.driver_connection),
                statement,
                parameters,
                tenants=tenants,
                limit_s=self._limit_s,
                before=before,
            )
        except TimeoutError as error:  # an OSError by its class
            self._bury(connection)
            raise Silent(failures.SILENT) from error
        except failures.FAILURES as error:
            failure = failures.failure_of(error)
            if isinstance(failure, ConnectionLost):
                self._bury(connection)
            else:
                connection.close()
            raise failure from error
        except BaseException:
            self._bury(connection)  # its answer is still to come
            raise
        # Back to the pool, which sends nothing: the connection commits each exchange by itself.
        connection.close()
        return result

    async def aclose(self) -> None:
        """Waits until the connections that were given up are closed."""
        await asyncio.gather(*self._burials, return_exceptions=True)

    def _bury(self, connection: PoolProxiedConnection) -> None:
        """Closes it and leaves its place in the pool to another, without keeping the caller."""

        def bury() -> None:
            connection.invalidate()
            connection.close()

        burial = asyncio.ensure_future(greenlet_spawn(bury))
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)
