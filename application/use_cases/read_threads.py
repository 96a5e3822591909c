"""Look at sessions, threads and messages."""

import datetime
from typing import Final

import attrs

from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.thread_lookup import existing_message, existing_session, existing_thread
from domain.attempt import Attempt
from domain.errors import Fault, InvalidRequest
from domain.ids import MessageId, SessionId, Tenant, ThreadId
from domain.message import ImagePart, TextPart
from domain.thread import Session, StoredMessage, Thread, ThreadOrder
from domain.values import frozen

MAX_PAGE_CHARACTERS: Final = 4_000_000
"""Of the messages on one page: images in them can be of megabytes each."""
DEFAULT_PAGE: Final = 50


@frozen(kw_only=True)
class SessionPage:
    """Some of a list, newest first; `next_before` begins the next page, None on the last one."""

    items: tuple[Session, ...]
    next_before: SessionId | None = None


@frozen(kw_only=True)
class ThreadPage:
    """As `SessionPage`."""

    items: tuple[Thread, ...]
    next_before: ThreadId | None = None
    next_updated_before: datetime.datetime | None = None
    """Set beside `next_before` where the list is by the last activity."""


@frozen(kw_only=True)
class MessagePage:
    """Messages by position, up or down; the next page begins beyond `next_position`, None on the last one."""

    items: tuple[StoredMessage, ...]
    next_position: int | None = None


@frozen(kw_only=True)
class MessageView:
    message: StoredMessage
    attempts: tuple[Attempt, ...]
    """In the order in which they were made; none for a caller's turn and for a copy."""


@attrs.define(kw_only=True)
class ReadThreads:
    """Reads what is committed. What was deleted, or is another tenant's, is absent.

    Raises (from each method):
        StorageUnavailable: the database is away.
    """

    _unit_of_work: UnitOfWorkFactory

    async def sessions(
        self,
        tenant: Tenant,
        *,
        user: str | None = None,
        before: SessionId | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> SessionPage:
        """Of all users, or of one."""
        async with self._unit_of_work(tenant) as work:
            found = await work.sessions.list(user=user, before=before, limit=limit + 1)
        more = len(found) > limit
        return SessionPage(items=found[:limit], next_before=found[limit - 1].id if more else None)

    async def session(self, tenant: Tenant, session_id: SessionId) -> Session:
        """
        Raises:
            NotFound: it is absent.
        """
        async with self._unit_of_work(tenant) as work:
            return await existing_session(work, session_id)

    async def threads(
        self,
        tenant: Tenant,
        *,
        session_id: SessionId | None = None,
        user: str | None = None,
        tag: str | None = None,
        order: ThreadOrder = "created",
        before: ThreadId | None = None,
        updated_before: datetime.datetime | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> ThreadPage:
        """Of all; or of one session, one user, one tag.

        By the last activity a thread that is written to between two pages may be on neither: it moves to the front.

        Raises:
            InvalidRequest: `order="updated"` without a session or a user. All of a tenant's threads would be sorted.
            NotFound: the session is absent.
        """
        if order == "updated" and session_id is None and user is None:
            message = "`updated` needs a session or a user; give `session_id` or `user`, or leave `order` out"
            raise InvalidRequest.of(Fault(path="order", message=message))
        async with self._unit_of_work(tenant) as work:
            if session_id is not None:
                session_id = (await existing_session(work, session_id)).id
            found = await work.threads.list(
                session_id=session_id,
                user=user,
                tag=tag,
                order=order,
                before=before,
                updated_before=updated_before,
                limit=limit + 1,
            )
        if len(found) <= limit:
            return ThreadPage(items=found)
        last = found[limit - 1]
        return ThreadPage(
            items=found[:limit],
            next_before=last.id,
            next_updated_before=last.updated_at if order == "updated" else None,
        )

    async def thread(self, tenant: Tenant, thread_id: ThreadId) -> Thread:
        """
        Raises:
            NotFound: it is absent.
        """
        async with self._unit_of_work(tenant) as work:
            return await existing_thread(work, thread_id)

    async def messages(
        self,
        tenant: Tenant,
        thread_id: ThreadId,
        *,
        beyond: int | None = None,
        limit: int = DEFAULT_PAGE,
        newest_first: bool = False,
    ) -> MessagePage:
        """A page also ends before it holds more than `MAX_PAGE_CHARACTERS`, with one message at least.

        Args:
            beyond: only messages at positions more than this one; less, where the newest comes first.

        Raises:
            NotFound: the thread is absent.
        """
        async with self._unit_of_work(tenant) as work:
            thread = await existing_thread(work, thread_id)
            found = await work.messages.page(
                thread.id,
                after=-1 if newest_first or beyond is None else beyond,
                below=beyond if newest_first else None,
                limit=limit + 1,
                newest_first=newest_first,
            )
        items = _that_fit(found[:limit])
        return MessagePage(items=items, next_position=items[-1].position if len(items) < len(found) else None)

    async def message(self, tenant: Tenant, message_id: MessageId) -> MessageView:
        """
        Raises:
            NotFound: it is absent.
        """
        async with self._unit_of_work(tenant) as work:
            message = await existing_message(work, message_id)
            return MessageView(message=message, attempts=await work.messages.attempts(message.id))


def _that_fit(messages: tuple[StoredMessage, ...]) -> tuple[StoredMessage, ...]:
    total = 0
    for count, each in enumerate(messages):
        total += _characters(each)
        if count and total > MAX_PAGE_CHARACTERS:
            return messages[:count]
    return messages


def _characters(stored: StoredMessage) -> int:
    total = sum(len(call.arguments) for call in stored.message.tool_calls)
    for part in stored.message.parts:
        if isinstance(part, TextPart):
            total += len(part.text)
        elif isinstance(part, ImagePart):
            total += len(part.data or "")
    return total
