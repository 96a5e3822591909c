"""Look at what people thought of answers."""

import attrs

from application.ports.unit_of_work import UnitOfWorkFactory
from application.services.thread_lookup import existing_message, existing_thread
from domain.feedback import Feedback, FeedbackChange, RatedMessage
from domain.ids import MessageId, Tenant, ThreadId
from domain.values import frozen


@frozen(kw_only=True)
class MessageFeedback:
    """The feedback of one message; messages that nobody rated, or can rate, have none."""

    message_id: MessageId
    thread_id: ThreadId
    current: Feedback | None
    history: tuple[FeedbackChange, ...]
    """Newest first."""


@frozen(kw_only=True)
class FeedbackPage:
    """Some of a thread's feedback, by position; `next_after` begins the next page, None on the last one."""

    items: tuple[RatedMessage, ...]
    next_after: int | None = None


@attrs.define(kw_only=True)
class ReadFeedback:
    _unit_of_work: UnitOfWorkFactory

    async def of_message(self, tenant: Tenant, message_id: MessageId, *, limit: int = 100) -> MessageFeedback:
        """
        Args:
            limit: of the history.

        Raises:
            NotFound: there is no such message.
        """
        async with self._unit_of_work(tenant) as work:
            stored = await existing_message(work, message_id)
            history = await work.feedback.history(stored.id, limit=limit)
        return MessageFeedback(
            message_id=stored.id, thread_id=stored.thread_id, current=stored.feedback, history=history
        )

    async def of_thread(
        self, tenant: Tenant, thread_id: ThreadId, *, after: int = -1, limit: int = 100
    ) -> FeedbackPage:
        """
        Raises:
            NotFound: there is no such thread.
        """
        async with self._unit_of_work(tenant) as work:
            thread = await existing_thread(work, thread_id)
            found = await work.feedback.of_thread(thread.id, after=after, limit=limit + 1)
        items = found[:limit]
        return FeedbackPage(items=items, next_after=items[-1].position if len(found) > limit else None)
