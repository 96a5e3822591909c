"""Reads a conversation from SQLite in one statement, hence one snapshot."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from adapters.persistence import failures
from adapters.persistence.async_engine import AsyncEngine
from adapters.persistence.conversation_rows import (
    conversation_of,
    conversation_sql,
    is_whole,
    session_of,
    session_sql,
)
from adapters.persistence.identifiers import END, LAST, canonical, oldest_message
from adapters.persistence.json_codec import decode_json
from adapters.persistence.message_repository import tail_window
from domain.ids import SessionId, Tenant, ThreadId
from domain.thread import Conversation, Session
from domain.values import frozen


def _numbered(statement: str) -> str:
    return statement.replace("$", "?")


_CONVERSATION: Final = _numbered(conversation_sql("sqlite"))
_SESSION: Final = _numbered(session_sql("sqlite"))


@frozen(kw_only=True)
class SQLiteConversationReader:
    """Takes a connection of the pool for each read."""

    _engine: Callable[[], AsyncEngine]

    async def conversation(
        self, tenant: Tenant, thread_id: ThreadId, *, limit: int, below: int | None = None
    ) -> Conversation | None:
        key = canonical(thread_id)
        if key is None:
            return None
        limit = min(max(limit, 0), END)
        end = END if below is None else min(max(below, 0), END)
        found = await self._conversation(tenant, key, limit, end, tail_window(limit))
        if found is not None and not is_whole(found, limit=limit, below=end, window=tail_window(limit)):
            found = await self._conversation(tenant, key, limit, end, END)
        return found

    async def session(self, tenant: Tenant, session_id: SessionId) -> Session | None:
        key = canonical(session_id)
        if key is None:
            return None
        values = await self._values(_SESSION, (key, tenant))
        return None if values is None else session_of(values, tenant=tenant, session_id=SessionId(key))

    async def aclose(self) -> None:
        """There is nothing of its own to close."""

    async def _conversation(
        self, tenant: Tenant, key: str, limit: int, end: int, window: int
    ) -> Conversation | None:
        oldest = oldest_message(key)
        parameters = (key, tenant, limit, end, oldest, window, LAST, oldest)
        values = await self._values(_CONVERSATION, parameters)
        return None if values is None else conversation_of(values, tenant=tenant, thread_id=ThreadId(key))

    async def _values(self, statement: str, parameters: tuple[Any, ...]) -> Sequence[Any] | None:
        with failures.translated():
            async with self._engine().connect() as connection:
                value = (await connection.exec_driver_sql(statement, parameters)).scalar()
        return None if value is None else decode_json(value)
