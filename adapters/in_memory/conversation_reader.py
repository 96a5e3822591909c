"""What a chat reads before it is sent, from this process."""

from adapters.in_memory.conversations import position_of
from adapters.in_memory.shelves import Shelves
from adapters.in_memory.tenant_view import TenantView
from domain.ids import SessionId, Tenant, ThreadId
from domain.thread import MAX_PINNED, Conversation, Session
from domain.values import frozen


@frozen(kw_only=True)
class InMemoryConversationReader:
    """Reads what is committed."""

    _shelves: Shelves

    async def conversation(
        self, tenant: Tenant, thread_id: ThreadId, *, limit: int, below: int | None = None
    ) -> Conversation | None:
        self._shelves.demand()
        view = TenantView(self._shelves, tenant)
        thread = view.thread(thread_id)
        session = None if thread is None else view.sessions.get(thread.session_id)
        if thread is None or session is None:
            return None
        complete = [
            each
            for each in view.turns(thread_id)
            if each.status == "complete" and (below is None or position_of(each) < below)
        ]
        recent = complete[-limit:] if limit > 0 else []
        pinned = [each for each in complete[: -len(recent)] if each.pinned] if recent else []
        return Conversation(
            session=session,
            thread=thread,
            recent=tuple(recent),
            pinned=tuple(pinned[-MAX_PINNED:]),
            summary=view.summaries.get(thread.id),
        )

    async def session(self, tenant: Tenant, session_id: SessionId) -> Session | None:
        self._shelves.demand()
        return self._shelves.sessions.get((tenant, SessionId(session_id.lower())))
