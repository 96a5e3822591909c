"""Reads a conversation from PostgreSQL in one statement, hence one round trip and one snapshot."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import attrs
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from adapters.persistence import failures, postgresql_exchange, tenancy
from adapters.persistence.async_engine import AsyncEngine
from adapters.persistence.batch_writer import ConnectionLost
from adapters.persistence.conversation_rows import (
    conversation_of,
    conversation_sql,
    is_whole,
    session_of,
    session_sql,
)
from adapters.persistence.identifiers import END, MessageIds, canonical, message_ids
from adapters.persistence.json_codec import decode_json
from adapters.persistence.message_repository import tail_window
from adapters.persistence.postgresql_exchange import Connection, Statement
from domain.ids import SessionId, Tenant, ThreadId
from domain.thread import Conversation, Session

_CONVERSATION: Final = Statement(name=b"lor3_conversation", text=conversation_sql("postgresql").encode())
_SESSION: Final = Statement(name=b"lor3_session", text=session_sql("postgresql").encode())


@attrs.define(kw_only=True)
class PostgreSQLConversationReader:
    """Takes a connection of the pool for each read, beneath SQLAlchemy's own: that costs half of the CPU."""

    _engine: Callable[[], AsyncEngine]
    _limit_s: float
    """For a statement and the way there and back; the server's own limit is shorter."""
    _burials: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    async def conversation(
        self, tenant: Tenant, thread_id: ThreadId, *, limit: int, below: int | None = None
    ) -> Conversation | None:
        key = canonical(thread_id)
        if key is None:
            return None
        limit = min(max(limit, 0), END)
        end = END if below is None else min(max(below, 0), END)
        ids, window = message_ids(key, now_s=time.time()), tail_window(limit)
        found = await self._conversation(tenant, key, limit, end, window, ids)
        is_cut = ids.recent > ids.oldest
        if found is not None and not is_whole(found, limit=limit, below=end, window=window, is_cut=is_cut):
            ids = attrs.evolve(ids, recent=ids.oldest)
            found = await self._conversation(tenant, key, limit, end, END, ids)
        return found

    async def session(self, tenant: Tenant, session_id: SessionId) -> Session | None:
        key = canonical(session_id)
        if key is None:
            return None
        values = await self._values(_SESSION, tenant, (key.encode(), tenant.encode()))
        return None if values is None else session_of(values, tenant=tenant, session_id=SessionId(key))

    async def aclose(self) -> None:
        """Waits until the connections that were given up are closed."""
        await asyncio.gather(*self._burials, return_exceptions=True)

    async def _conversation(
        self, tenant: Tenant, key: str, limit: int, end: int, window: int, ids: MessageIds
    ) -> Conversation | None:
        parameters = (
            key.encode(),
            tenant.encode(),
            b"%d" % limit,
            b"%d" % end,
            ids.oldest.encode(),
            b"%d" % min(window, END),
            ids.newest.encode(),
            ids.recent.encode(),
        )
        values = await self._values(_CONVERSATION, tenant, parameters)
        return None if values is None else conversation_of(values, tenant=tenant, thread_id=ThreadId(key))

    async def _values(
        self, statement: Statement, tenant: Tenant, parameters: Sequence[bytes]
    ) -> Sequence[Any] | None:
        tenants = tenancy.setting((tenant,))
        with failures.translated():
            connection: PoolProxiedConnection = await greenlet_spawn(self._engine().sync_engine.pool.connect)
        try:
            result = await postgresql_exchange.execute(
                cast("Connection", connection.driver_connection),
                statement,
                parameters,
                tenants=tenants,
                limit_s=self._limit_s,
            )
        except TimeoutError as error:  # an OSError by its class
            self._bury(connection)
            raise failures.unavailable(failures.SILENT) from error
        except failures.FAILURES as error:
            failure = failures.failure_of(error)
            if isinstance(failure, ConnectionLost):
                self._bury(connection)
            else:
                connection.close()
            raise failures.unavailable(failure.told) from error
        except BaseException:
            self._bury(connection)  # its answer is still to come
            raise
        # Back to the pool, which sends nothing: the connection commits each exchange by itself.
        connection.close()
        value = result.get_value(0, 0) if result.ntuples else None
        return None if value is None else decode_json(value)

    def _bury(self, connection: PoolProxiedConnection) -> None:
        """Closes it and leaves its place in the pool to another, without keeping the caller."""

        def bury() -> None:
            connection.invalidate()
            connection.close()

        burial = asyncio.ensure_future(greenlet_spawn(bury))
        self._burials.add(burial)
        burial.add_done_callback(self._burials.discard)
