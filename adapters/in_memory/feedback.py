"""Feedback in this process."""

import datetime

import attrs

from adapters.in_memory.conversations import position_of
from adapters.in_memory.tenant_view import TenantView
from domain.clean_text import clean_value
from domain.feedback import Feedback, FeedbackChange, RatedMessage
from domain.ids import MessageId, ThreadId
from domain.thread import StoredMessage
from domain.values import frozen


@frozen
class InMemoryFeedback:
    _view: TenantView

    async def lock(self, message_id: MessageId) -> StoredMessage | None:
        self._view.shelves.demand()
        await self._view.hold(_lock_of(message_id))
        return self._view.message(message_id)

    async def put(self, message_id: MessageId, feedback: Feedback | None, *, at: datetime.datetime) -> None:
        view = self._view
        view.shelves.demand()
        if not view.holds(_lock_of(message_id)):
            raise RuntimeError(f"message `{message_id}` is rated without a lock: await `lock` first")
        stored = view.message(message_id)
        if stored is None:
            return
        given = clean_value(feedback)
        history = view.changes.get(stored.id) or ()
        view.messages.put(stored.id, attrs.evolve(stored, feedback=given))
        change = FeedbackChange(position=len(history) + 1, feedback=given, at=at)
        view.changes.put(stored.id, (*history, change))

    async def history(self, message_id: MessageId, *, limit: int) -> tuple[FeedbackChange, ...]:
        self._view.shelves.demand()
        stored = self._view.message(message_id)
        changes = () if stored is None else self._view.changes.get(stored.id) or ()
        return changes[::-1][: max(limit, 0)]

    async def of_thread(
        self, thread_id: ThreadId, *, after: int = -1, limit: int
    ) -> tuple[RatedMessage, ...]:
        self._view.shelves.demand()
        rated = [
            _rated(each, each.feedback)
            for each in self._view.turns(thread_id)
            if each.feedback is not None and position_of(each) > after
        ]
        return tuple(rated[: max(limit, 0)])

    async def rated(
        self,
        *,
        after: MessageId | None = None,
        since: datetime.datetime | None = None,
        until: datetime.datetime | None = None,
        limit: int,
    ) -> tuple[RatedMessage, ...]:
        view = self._view
        view.shelves.demand()
        rated = [
            _rated(each, each.feedback)
            for each in sorted(view.messages.values(), key=lambda each: each.id)
            if each.feedback is not None
            and view.thread(each.thread_id) is not None
            and (after is None or each.id > after.lower())
            and (since is None or each.created_at >= since)
            and (until is None or each.created_at < until)
        ]
        return tuple(rated[: max(limit, 0)])


def _rated(stored: StoredMessage, feedback: Feedback) -> RatedMessage:
    return RatedMessage(
        message_id=stored.id, thread_id=stored.thread_id, position=position_of(stored), feedback=feedback
    )


def _lock_of(message_id: MessageId) -> tuple[str, str]:
    return "message", message_id.lower()
