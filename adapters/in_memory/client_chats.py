"""Chats by the ids that clients give them, in this process."""

import datetime

from adapters.in_memory.tenant_view import TenantView
from domain.clean_text import clean_value
from domain.client_chat import ClientChat
from domain.ids import ThreadId
from domain.values import frozen


@frozen
class InMemoryClientChats:
    _view: TenantView

    async def get(self, chat_id: str) -> ClientChat | None:
        self._view.shelves.demand()
        found = self._view.client_chats.get(clean_value(chat_id))
        return None if found is None or self._view.thread(found.thread_id) is None else found

    async def lock(self, chat_id: str) -> ClientChat | None:
        self._view.shelves.demand()
        await self._view.hold(_lock_of(chat_id))
        return await self.get(chat_id)

    async def bind(self, chat_id: str, thread_id: ThreadId, *, at: datetime.datetime) -> None:
        view = self._view
        view.shelves.demand()
        if not view.holds(_lock_of(chat_id)):
            raise RuntimeError("a client's chat is bound without a lock: await `lock` first")
        if view.threads.get(ThreadId(thread_id.lower())) is None:
            raise view.break_off()
        key = clean_value(chat_id)
        before = view.client_chats.get(key)
        view.client_chats.put(
            key,
            ClientChat(
                id=key,
                tenant=view.tenant,
                thread_id=ThreadId(thread_id.lower()),
                created_at=at if before is None else before.created_at,
                updated_at=at,
            ),
        )


def _lock_of(chat_id: str) -> tuple[str, str]:
    return "client chat", clean_value(chat_id)
