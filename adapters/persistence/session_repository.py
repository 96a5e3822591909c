"""Sessions in SQL."""

from typing import Any, Final

import attrs
import sqlalchemy as sa

from adapters.persistence.identifiers import LAST, canonical
from adapters.persistence.rows import session_of, session_row
from adapters.persistence.scope import Scope
from adapters.persistence.tables import SESSIONS
from adapters.persistence.thread_locks import demand_tenant
from domain.clean_text import clean
from domain.ids import SessionId
from domain.thread import Session

_S: Final = SESSIONS.c
_ONE: Final = sa.select(SESSIONS).where(_S.id == sa.bindparam("id"))
_NEWEST: Final = (
    sa.select(SESSIONS)
    .where(_S.id < sa.bindparam("before"))
    .order_by(_S.id.desc())
    .limit(sa.bindparam("limit", type_=sa.BigInteger))
)
_NEWEST_OF_USER: Final = _NEWEST.where(_S.user == sa.bindparam("of_user"))


@attrs.frozen
class Sessions:
    _scope: Scope

    async def get(self, session_id: SessionId) -> Session | None:
        key = canonical(session_id)
        if key is None:
            return None
        rows = await self._scope.rows(_ONE, SESSIONS, {"id": key})
        return session_of(rows[0]) if rows else None

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
