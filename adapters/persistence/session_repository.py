"""Sessions in SQL."""

from typing import Any, Final

import sqlalchemy as sa

from adapters.persistence.identifiers import LAST, canonical
from adapters.persistence.rows import session_of, session_row
from adapters.persistence.scope import Scope
from adapters.persistence.tables import MESSAGES, SESSIONS, THREADS
from adapters.persistence.thread_locks import demand_tenant
from domain.clean_text import clean
from domain.ids import MessageId, SessionId, ThreadId
from domain.thread import Session
from domain.values import frozen

_S: Final = SESSIONS.c
_ONE: Final = sa.select(SESSIONS).where(_S.id == sa.bindparam("id"))
# The tenant is said of each table, so that each is found by its own primary key.
_OF_THREAD: Final = (
    sa.select(SESSIONS)
    .join(THREADS, (THREADS.c.session_id == _S.id) & (THREADS.c.tenant == _S.tenant))
    .where(THREADS.c.tenant == sa.bindparam("tenant"), THREADS.c.deleted_at.is_(None))
)
_OF_THREAD_ID: Final = _OF_THREAD.where(THREADS.c.id == sa.bindparam("id"))
_OF_MESSAGE_ID: Final = _OF_THREAD.join(
    MESSAGES, (MESSAGES.c.thread_id == THREADS.c.id) & (MESSAGES.c.tenant == THREADS.c.tenant)
).where(MESSAGES.c.tenant == sa.bindparam("tenant"), MESSAGES.c.id == sa.bindparam("id"))
_NEWEST: Final = (
    sa.select(SESSIONS)
    .where(_S.id < sa.bindparam("before"))
    .order_by(_S.id.desc())
    .limit(sa.bindparam("limit", type_=sa.BigInteger))
)
_NEWEST_OF_USER: Final = _NEWEST.where(_S.user == sa.bindparam("of_user"))


@frozen
class Sessions:
    _scope: Scope

    async def get(self, session_id: SessionId) -> Session | None:
        return await self._one(_ONE, session_id)

    async def of_thread(self, thread_id: ThreadId) -> Session | None:
        return await self._one(_OF_THREAD_ID, thread_id)

    async def of_message(self, message_id: MessageId) -> Session | None:
        return await self._one(_OF_MESSAGE_ID, message_id)

    async def add(self, session: Session) -> None:
        demand_tenant(session.tenant, of=self._scope.tenant)
        await self._scope.add(SESSIONS, [clean(session_row(session))])

    async def list(
        self, *, user: str | None = None, before: SessionId | None = None, limit: int
    ) -> tuple[Session, ...]:
        last = LAST if before is None else canonical(before)
        if last is None or limit <= 0:
            return ()
        select: sa.Select[Any] = _NEWEST if user is None else _NEWEST_OF_USER
        of_user = {} if user is None else {"of_user": user}
        rows = await self._scope.rows(select, SESSIONS, {"before": last, "limit": limit, **of_user})
        return tuple([session_of(row) for row in rows])

    async def _one(self, select: sa.Select[Any], of: str) -> Session | None:
        key = canonical(of)
        if key is None:
            return None
        rows = await self._scope.rows(select, SESSIONS, {"id": key})
        return session_of(rows[0]) if rows else None
