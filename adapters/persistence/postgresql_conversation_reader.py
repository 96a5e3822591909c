"""Reads a conversation from PostgreSQL in one statement, hence one round trip and one snapshot."""

import time
from collections.abc import Sequence
from typing import Any, Final

import attrs

from adapters.persistence import failures, tenancy
from adapters.persistence.batch_writer import BatchFailure
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
from adapters.persistence.pooled_exchange import PooledExchange
from adapters.persistence.postgresql_exchange import Statement
from domain.ids import SessionId, Tenant, ThreadId
from domain.thread import Conversation, Session

_CONVERSATION: Final = Statement(name=b"lor3_conversation", text=conversation_sql("postgresql").encode())
_SESSION: Final = Statement(name=b"lor3_session", text=session_sql("postgresql").encode())


@attrs.define(kw_only=True)
class PostgreSQLConversationReader:
    _exchange: PooledExchange

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
        await self._exchange.aclose()

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
        try:
            result = await self._exchange.execute(statement, parameters, tenants=tenancy.setting((tenant,)))
        except BatchFailure as failure:
            raise failures.unavailable(failure.told) from failure
        value = result.get_value(0, 0) if result.ntuples else None
        return None if value is None else decode_json(value)
