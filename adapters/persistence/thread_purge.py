"""Removes a thread for good, with everything that belongs to it."""

from typing import Final

import sqlalchemy as sa

from adapters.persistence.among import among
from adapters.persistence.identifiers import oldest_message
from adapters.persistence.scope import Scope
from adapters.persistence.tables import (
    ATTEMPTS,
    BUDGET_COUNTERS,
    BUDGET_HOLDS,
    CLIENT_CHATS,
    FEEDBACK_CHANGES,
    IDEMPOTENCY_KEYS,
    MESSAGES,
    THREAD_SUMMARIES,
    THREADS,
)

PORTION: Final = 2000
"""Positions a statement removes: each stays far below the limit of a statement."""

_M: Final = MESSAGES.c
_IDS: Final = sa.select(_M.id).where(
    _M.thread_id == sa.bindparam("of_thread"),
    _M.position >= sa.bindparam("first"),
    _M.position < sa.bindparam("end"),
    _M.id >= sa.bindparam("oldest"),
)
_OF_MESSAGES: Final = (
    (MESSAGES, _M.id),
    (ATTEMPTS, ATTEMPTS.c.message_id),
    (FEEDBACK_CHANGES, FEEDBACK_CHANGES.c.message_id),
)
FORGET_KEYS: Final = sa.delete(IDEMPOTENCY_KEYS).where(
    IDEMPOTENCY_KEYS.c.thread_id == sa.bindparam("of_thread")
)
_CHATS: Final = sa.delete(CLIENT_CHATS).where(CLIENT_CHATS.c.thread_id == sa.bindparam("of_thread"))
_SUMMARY: Final = sa.delete(THREAD_SUMMARIES).where(THREAD_SUMMARIES.c.thread_id == sa.bindparam("of_thread"))
# What is held of them by a process that does not know yet is asked for in vain: the counter begins with nothing again.
_COUNTERS, _HOLDS = (
    sa.delete(table).where(table.c.subject_id == sa.bindparam("of_subject"), table.c.subject == "thread")
    for table in (BUDGET_COUNTERS, BUDGET_HOLDS)
)
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
        ids = [row["id"] for row in await scope.rows(_IDS, MESSAGES, portion)]
        if not ids:
            continue
        # Messages first: whoever rates one of them holds its row, and has written the history when that is let go.
        for table, column in _OF_MESSAGES:
            await scope.change(sa.delete(table).where(among(scope.database, column, ids)), table, {})
    for statement, table in (
        (FORGET_KEYS, IDEMPOTENCY_KEYS),
        (_SUMMARY, THREAD_SUMMARIES),
        (_CHATS, CLIENT_CHATS),
        (_THREAD, THREADS),
    ):
        await scope.change(statement, table, {"of_thread": thread_id})
    # In this order: whoever writes a hold has locked its counter.
    for statement, table in ((_COUNTERS, BUDGET_COUNTERS), (_HOLDS, BUDGET_HOLDS)):
        await scope.change(statement, table, {"of_subject": thread_id})
