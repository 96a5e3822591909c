"""The reads of chats. Each query goes through `Scope`, which adds the tenant."""

import re
from typing import Any, Final

import attrs
import sqlalchemy as sa

from adapters.persistence.rows import Row, message_of, session_of, thread_of
from adapters.persistence.scope import Scope
from adapters.persistence.tables import MESSAGES, SESSIONS, THREADS
from domain.ids import MessageId, SessionId, ThreadId
from domain.thread import Session, StoredMessage, Thread

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")

_SESSION: Final = sa.select(SESSIONS).where(SESSIONS.c.id == sa.bindparam("id"))
_THREAD: Final = sa.select(THREADS).where(THREADS.c.id == sa.bindparam("id"))
_MESSAGE: Final = sa.select(MESSAGES).where(MESSAGES.c.id == sa.bindparam("id"))
_TAIL: Final = (
    sa.select(MESSAGES)
    .where(MESSAGES.c.thread_id == sa.bindparam("thread_id"), MESSAGES.c.status == "complete")
    .order_by(MESSAGES.c.position.desc())
    .limit(sa.bindparam("limit"))
)


@attrs.frozen
class Sessions:
    _scope: Scope

    async def get(self, session_id: SessionId) -> Session | None:
        row = await _by_id(self._scope, _SESSION, SESSIONS, session_id)
        return None if row is None else session_of(row)


@attrs.frozen
class Threads:
    _scope: Scope

    async def get(self, thread_id: ThreadId) -> Thread | None:
        row = await _by_id(self._scope, _THREAD, THREADS, thread_id)
        return None if row is None else thread_of(row)


@attrs.frozen
class Messages:
    _scope: Scope

    async def get(self, message_id: MessageId) -> StoredMessage | None:
        row = await _by_id(self._scope, _MESSAGE, MESSAGES, message_id)
        return None if row is None else message_of(row)

    async def tail(self, thread_id: ThreadId, *, limit: int) -> tuple[StoredMessage, ...]:
        key = _canonical(thread_id)
        if key is None or limit <= 0:
            return ()
        rows = await self._scope.rows(_TAIL, MESSAGES, {"thread_id": key, "limit": limit})
        return tuple([message_of(row) for row in reversed(rows)])


async def _by_id(scope: Scope, select: sa.Select[Any], table: sa.Table, row_id: str) -> Row | None:
    key = _canonical(row_id)
    if key is None:
        return None
    rows = await scope.rows(select, table, {"id": key})
    return rows[0] if rows else None


def _canonical(row_id: str) -> str | None:
    """None for what is no UUID, and so is nobody's id."""
    return row_id.lower() if _UUID.match(row_id) else None
