"""Chats by the ids that clients give them, in SQL."""

import datetime
from typing import Any, Final

import attrs
import sqlalchemy as sa

from adapters.persistence.identifiers import canonical
from adapters.persistence.scope import Scope
from adapters.persistence.tables import CLIENT_CHATS, THREADS
from domain.clean_text import clean
from domain.client_chat import ClientChat
from domain.errors import NotFound
from domain.ids import Tenant, ThreadId

_C: Final = CLIENT_CHATS.c
_OF_ID: Final = _C.id == sa.bindparam("of_id")
_ONE: Final[sa.Select[Any]] = sa.select(CLIENT_CHATS).where(
    _OF_ID,
    sa.exists().where(
        THREADS.c.id == _C.thread_id, THREADS.c.tenant == _C.tenant, THREADS.c.deleted_at.is_(None)
    ),
)
_REBIND: Final = (
    sa.update(CLIENT_CHATS)
    .where(_OF_ID)
    .values(thread_id=sa.bindparam("to_thread", type_=_C.thread_id.type), updated_at=sa.bindparam("at"))
)


@attrs.define
class ClientChats:
    _scope: Scope
    _locked: set[str] = attrs.field(factory=set, init=False)

    async def get(self, chat_id: str) -> ClientChat | None:
        rows = await self._scope.rows(_ONE, CLIENT_CHATS, {"of_id": chat_id})
        return _chat_of(rows[0]) if rows else None

    async def lock(self, chat_id: str) -> ClientChat | None:
        # Not its row: of a new one there is none yet.
        await self._scope.lock(f"client chat\0{clean(chat_id)}")
        self._locked.add(chat_id)
        return await self.get(chat_id)

    async def bind(self, chat_id: str, thread_id: ThreadId, *, at: datetime.datetime) -> None:
        if chat_id not in self._locked:
            raise RuntimeError("a client's chat is bound without a lock: await `lock` first")
        key = canonical(thread_id)
        if key is None:
            raise NotFound("the thread no longer exists; start a new one")
        bound = {"of_id": chat_id, "to_thread": key, "at": at}
        # One that was bound to a thread that is deleted now is made anew like this, too.
        if not await self._scope.change(_REBIND, CLIENT_CHATS, bound):
            row = {"id": chat_id, "thread_id": key, "created_at": at, "updated_at": at}
            await self._scope.add(CLIENT_CHATS, [clean(row)])

    def unlock(self) -> None:
        """The locks end with the transaction."""
        self._locked.clear()


def _chat_of(row: Any) -> ClientChat:
    return ClientChat(
        id=row["id"],
        tenant=Tenant(row["tenant"]),
        thread_id=ThreadId(row["thread_id"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
