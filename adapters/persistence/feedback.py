"""Feedback in the database. Each query goes through `Scope`, which adds the tenant."""

import datetime
from collections.abc import Mapping
from typing import Any, Final

import attrs
import sqlalchemy as sa

from adapters.persistence.column_types import Identifier, Timestamp
from adapters.persistence.id_range import first_since
from adapters.persistence.identifiers import canonical, oldest_message
from adapters.persistence.rows import feedback_of, feedback_row, message_of
from adapters.persistence.scope import Scope
from adapters.persistence.tables import ATTEMPTS, FEEDBACK_CHANGES, MESSAGES, SESSIONS, THREADS, USAGE_LOG
from adapters.persistence.usage_log import NOTHING, is_rated, rating_rows
from domain.clean_text import clean_value
from domain.feedback import Feedback, FeedbackChange, RatedMessage
from domain.ids import MessageId, ThreadId
from domain.model import ModelRef
from domain.thread import StoredMessage

_MAX_LIMIT: Final = 2**31 - 1
_M: Final = MESSAGES.c
_C: Final = FEEDBACK_CHANGES.c
_LIMIT: Final = sa.bindparam("limit", type_=sa.BigInteger)
_THREAD_IS_THERE: Final = sa.and_(
    THREADS.c.id == _M.thread_id, THREADS.c.tenant == _M.tenant, THREADS.c.deleted_at.is_(None)
)
_LOCKED: Final = (
    # The row itself: what waits for it then reads it as the one before left it.
    sa.select(MESSAGES)
    .join(THREADS, _THREAD_IS_THERE)
    .where(_M.id == sa.bindparam("id"))
    .with_for_update(of=MESSAGES)
)
_HISTORY: Final = (
    sa.select(FEEDBACK_CHANGES)
    .join(MESSAGES, sa.and_(_M.id == _C.message_id, _M.tenant == _C.tenant))
    .join(THREADS, _THREAD_IS_THERE)
    .where(_C.message_id == sa.bindparam("id"), _M.id == sa.bindparam("id"))
    .order_by(_C.position.desc())
    .limit(_LIMIT)
)
_LAST_CHANGE: Final = sa.select(sa.func.coalesce(sa.func.max(_C.position), 0).label("position")).where(
    _C.message_id == sa.bindparam("id")
)
_RATED: Final = (
    sa.select(_M.id, _M.thread_id, _M.position, _M.rating, _M.feedback)
    .join(THREADS, _THREAD_IS_THERE)
    .where(_M.rating.is_not(None))
    .limit(_LIMIT)
)
_OF_THREAD: Final = _RATED.where(
    _M.thread_id == sa.bindparam("thread_id"),
    _M.id >= sa.bindparam("oldest", type_=Identifier),
    _M.position > sa.bindparam("after", type_=sa.BigInteger),
).order_by(_M.position)
_OF_ALL: Final = _RATED.order_by(_M.id)
_ASKED_FIRST: Final = (
    sa.select(ATTEMPTS.c.provider, ATTEMPTS.c.model)
    .where(ATTEMPTS.c.message_id == sa.bindparam("id", type_=Identifier), ATTEMPTS.c.purpose.is_(None))
    .order_by(ATTEMPTS.c.number)
    .limit(1)
)
_USER: Final = (
    sa.select(SESSIONS.c.user)
    .join(THREADS, sa.and_(THREADS.c.session_id == SESSIONS.c.id, THREADS.c.tenant == SESSIONS.c.tenant))
    .where(THREADS.c.id == sa.bindparam("id"))
)
_PUT: Final = sa.update(MESSAGES).where(_M.id == sa.bindparam("of_id"))


@attrs.define
class FeedbackOfMessages:
    _scope: Scope
    _locked: dict[str, StoredMessage] = attrs.field(factory=dict, init=False)
    """As they are now."""

    async def lock(self, message_id: MessageId) -> StoredMessage | None:
        key = canonical(message_id)
        if key is None:
            return None
        await self._scope.begin()
        rows = await self._scope.rows(_LOCKED, MESSAGES, {"id": key})
        if not rows:
            return None
        stored = self._locked[key] = message_of(rows[0])
        return stored

    async def put(self, message_id: MessageId, feedback: Feedback | None, *, at: datetime.datetime) -> None:
        key = canonical(message_id)
        stored = None if key is None else self._locked.get(key)
        if key is None or stored is None:
            raise RuntimeError(f"message `{message_id}` is rated without a lock: await `lock` first")
        cleaned = clean_value(feedback)
        rating, rest = (None, None) if cleaned is None else feedback_row(cleaned)
        given = {"rating": rating, "feedback": rest}
        last = await self._scope.rows(_LAST_CHANGE, FEEDBACK_CHANGES, {"id": key})
        await self._scope.change(_PUT.values(given), MESSAGES, {"of_id": key})
        change = {"message_id": key, "position": last[0]["position"] + 1, **given, "at": at}
        await self._scope.add(FEEDBACK_CHANGES, [change])
        await self._count(stored, cleaned)
        self._locked[key] = attrs.evolve(stored, feedback=cleaned)

    async def history(self, message_id: MessageId, *, limit: int) -> tuple[FeedbackChange, ...]:
        key = canonical(message_id)
        if key is None or limit <= 0:
            return ()
        rows = await self._scope.rows(
            _HISTORY, FEEDBACK_CHANGES, {"id": key, "limit": min(limit, _MAX_LIMIT)}
        )
        return tuple([_change_of(row) for row in rows])

    async def of_thread(
        self, thread_id: ThreadId, *, after: int = -1, limit: int
    ) -> tuple[RatedMessage, ...]:
        key = canonical(thread_id)
        if key is None or limit <= 0:
            return ()
        parameters = {
            "thread_id": key,
            "oldest": oldest_message(key),
            "after": after,
            "limit": min(limit, _MAX_LIMIT),
        }
        return tuple([_rated_of(row) for row in await self._scope.rows(_OF_THREAD, MESSAGES, parameters)])

    async def rated(
        self,
        *,
        after: MessageId | None = None,
        since: datetime.datetime | None = None,
        until: datetime.datetime | None = None,
        limit: int,
    ) -> tuple[RatedMessage, ...]:
        if limit <= 0:
            return ()
        select = _OF_ALL
        parameters: dict[str, Any] = {"limit": min(limit, _MAX_LIMIT)}
        if after is not None:
            select = select.where(_M.id > sa.bindparam("after", type_=Identifier))
            parameters["after"] = canonical(after) or after
        if since is not None:
            select = select.where(
                _M.id >= sa.bindparam("first", type_=Identifier),
                _M.created_at >= sa.bindparam("since", type_=Timestamp),
            )
            parameters |= {"first": first_since(since), "since": since}
        if until is not None:
            # No bound of the id: the copies of a fork bear the times of the originals, and newer ids.
            select = select.where(_M.created_at < sa.bindparam("until", type_=Timestamp))
            parameters["until"] = until
        return tuple([_rated_of(row) for row in await self._scope.rows(select, MESSAGES, parameters)])

    async def _count(self, stored: StoredMessage, feedback: Feedback | None) -> None:
        """For reports, which count the newest rating of an answer."""
        was = None if stored.feedback is None else stored.feedback.rating
        rating = None if feedback is None else feedback.rating
        if was == rating or not is_rated(stored):
            return
        found = await self._scope.rows(_USER, THREADS, {"id": stored.thread_id})
        asked = None
        if stored.model is None and stored.copied_from is None:
            first = await self._scope.rows(_ASKED_FIRST, ATTEMPTS, {"id": stored.id})
            asked = ModelRef(first[0]["provider"], first[0]["model"]) if first else None
        user = found[0]["user"] if found else None
        uses = rating_rows(stored, rating, was=was, user=user, asked=asked)
        await self._scope.add(USAGE_LOG, [{**NOTHING, **each} for each in uses])

    def unlock(self) -> None:
        """The transaction ended."""
        self._locked.clear()


def _rated_of(row: Mapping[str, Any]) -> RatedMessage:
    return RatedMessage(
        message_id=MessageId(row["id"]),
        thread_id=ThreadId(row["thread_id"]),
        position=row["position"],
        feedback=feedback_of(row["rating"], row["feedback"]),
    )


def _change_of(row: Mapping[str, Any]) -> FeedbackChange:
    return FeedbackChange(
        position=row["position"],
        feedback=None if row["rating"] is None else feedback_of(row["rating"], row["feedback"]),
        at=row["at"],
    )
