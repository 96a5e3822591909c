"""Removes a thread for good, with everything that belongs to it."""

from typing import Final

import sqlalchemy as sa

from adapters.persistence.identifiers import oldest_message
from adapters.persistence.scope import Scope
from adapters.persistence.tables import (
    ATTEMPTS,
    FEEDBACK_CHANGES,
    IDEMPOTENCY_KEYS,
    MESSAGES,
    THREAD_SUMMARIES,
    THREADS,
)

PORTION: Final = 2000
"""Positions a statement removes: each stays far below the limit of a statement."""

_M: Final = MESSAGES.c
_PORTION: Final = (
    _M.thread_id == sa.bindparam("of_thread"),
    _M.position >= sa.bindparam("first"),
    _M.position < sa.bindparam("end"),
    _M.id >= sa.bindparam("oldest"),
)
_IDS: Final = sa.select(_M.id).where(*_PORTION, _M.tenant == sa.bindparam("of_tenant"))
_ATTEMPTS: Final = sa.delete(ATTEMPTS).where(
    ATTEMPTS.c.message_id.in_(_IDS), ATTEMPTS.c.message_id >= sa.bindparam("oldest")
)
_CHANGES: Final = sa.delete(FEEDBACK_CHANGES).where(FEEDBACK_CHANGES.c.message_id.in_(_IDS))
_MESSAGES: Final = sa.delete(MESSAGES).where(*_PORTION)
FORGET_KEYS: Final = sa.delete(IDEMPOTENCY_KEYS).where(
    IDEMPOTENCY_KEYS.c.thread_id == sa.bindparam("of_thread")
)
_SUMMARY: Final = sa.delete(THREAD_SUMMARIES).where(THREAD_SUMMARIES.c.thread_id == sa.bindparam("of_thread"))
_THREAD: Final = sa.delete(THREADS).where(THREADS.c.id == sa.bindparam("of_thread"))


async def purge_thread(scope: Scope, thread_id: str, *, length: int) -> None:
    """
    Args:
        thread_id: canonical; of a thread that is locked, so that none of it is added meanwhile.
        length: how many messages it has had.
    """
    oldest = oldest_message(thread_id)
    for first in range(0, length, PORTION):
        portion = {"of_thread": thread_id, "first": first, "end": first + PORTION, "oldest": oldest}
        await scope.change(_ATTEMPTS, ATTEMPTS, portion)
        await scope.change(_CHANGES, FEEDBACK_CHANGES, portion)
        await scope.change(_MESSAGES, MESSAGES, portion)
    for statement, table in (
        (FORGET_KEYS, IDEMPOTENCY_KEYS),
        (_SUMMARY, THREAD_SUMMARIES),
        (_THREAD, THREADS),
    ):
        await scope.change(statement, table, {"of_thread": thread_id})
