"""Writes a batch to SQLite: one transaction, in the one thread that writes."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from adapters.persistence import failures, usage_sums
from adapters.persistence.batch import Batch
from adapters.persistence.batch_writer import ClaimLost
from adapters.persistence.column_types import Timestamp
from adapters.persistence.held_file import HeldFile
from adapters.persistence.rows import Row
from adapters.persistence.sqlite_counters import COUNTER_KEY, count
from adapters.persistence.tables import ATTEMPTS, IDEMPOTENCY_KEYS, MESSAGES, SESSIONS, THREADS, USAGE_LOG
from adapters.persistence.thread_counters import ThreadKey
from adapters.persistence.trial import trial_record
from adapters.persistence.usage_log import NOTHING as NOTHING_USED
from domain.clean_text import clean
from domain.ids import MessageId
from domain.thread import ChatRecord

T = TypeVar("T")

_TRIAL_BYTES: Final = 1_000_000
"""For which there must be room before chats are taken again."""

_INSERT_SESSIONS = insert(SESSIONS).on_conflict_do_nothing()
_INSERT_THREADS = sa.insert(THREADS)
_INSERT_MESSAGES = sa.insert(MESSAGES)
_INSERT_ATTEMPTS = sa.insert(ATTEMPTS)
_INSERT_USES = sa.insert(USAGE_LOG)
_NEXT_POSITION = sa.select(THREADS.c.next_position).where(
    THREADS.c.tenant == sa.bindparam("tenant"), THREADS.c.id == sa.bindparam("id")
)
_GROW = (
    sa.update(THREADS)
    .where(THREADS.c.tenant == sa.bindparam("of_tenant"), THREADS.c.id == sa.bindparam("of_id"))
    .values(
        next_position=sa.bindparam("grown"),
        # Whatever is later: a chat may have begun before the thread was named. Of two values it is no aggregate.
        updated_at=sa.func.max(
            THREADS.c.updated_at,
            sa.func.coalesce(sa.bindparam("at", type_=Timestamp), THREADS.c.updated_at),
        ),
    )
)
_COMPLETE = (
    sa.update(IDEMPOTENCY_KEYS)
    .where(
        IDEMPOTENCY_KEYS.c.key == sa.bindparam("of_key"),
        IDEMPOTENCY_KEYS.c.tenant == sa.bindparam("of_tenant"),
        # Interrupted ones too: a run that was silent for long and whose key nobody took has its answer all the same.
        IDEMPOTENCY_KEYS.c.owner == sa.bindparam("of_owner"),
        IDEMPOTENCY_KEYS.c.state != "done",
    )
    .values(
        state="done",
        answer=sa.bindparam("given_answer"),
        message_id=sa.bindparam("of_message"),
        thread_id=sa.bindparam("of_thread"),
    )
)


@attrs.define(kw_only=True)
class SQLiteWriter:
    """The transaction takes the file's write lock when it begins, so what it reads stays true until it ends."""

    _engine: sa.Engine
    _held: HeldFile
    _thread: ThreadPoolExecutor = attrs.field(
        factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="lor3-sqlite")
    )

    async def write(self, records: Sequence[ChatRecord]) -> frozenset[ThreadKey]:
        return await self._run(lambda: self._write(Batch.of(records)))

    async def stored(self, ids: Sequence[MessageId]) -> frozenset[MessageId]:
        return await self._run(lambda: self._stored(ids))

    async def ping(self) -> None:
        await self._run(self._ping)

    async def prove(self) -> None:
        await self._run(self._try_to_write)

    def hung_up(self) -> bool:
        return self._held.is_gone()

    async def aclose(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (SQLAlchemyError, sqlite3.Error, OSError, OverflowError, TypeError) as error:
            raise failures.sqlite_failure(error) from error

    def _write(self, batch: Batch) -> frozenset[ThreadKey]:
        with self._engine.begin() as connection:
            missing = self._insert(connection, batch)
            self._held.demand()  # the last moment at which it can still be taken back
            return missing

    def _insert(self, connection: sa.Connection, batch: Batch) -> frozenset[ThreadKey]:
        missing, first = self._grow(connection, batch)
        if missing:
            batch = batch.without(missing)
        for row in batch.messages:
            if row["continues"]:
                row["position"] += first[row["tenant"], row["thread_id"]]
        for statement, rows, surplus in (
            (_INSERT_SESSIONS, batch.sessions, ()),
            (_INSERT_THREADS, batch.threads, ()),
            (_INSERT_MESSAGES, batch.messages, ("continues",)),
            (_INSERT_ATTEMPTS, batch.attempts, ("continues", "thread_id")),
        ):
            if rows:
                connection.execute(statement, [_storable(row, surplus) for row in rows])
        if batch.uses:
            surplus = "continues", "thread_id"
            connection.execute(
                _INSERT_USES, [_storable({**NOTHING_USED, **row}, surplus) for row in batch.uses]
            )
            usage_sums.add_up_when_due(connection)
        for row in batch.completions:
            _complete(connection, row)
        for row in batch.spends:
            count(connection, {name: clean(row[name]) for name in COUNTER_KEY}, row["spent_usd"])
        return missing

    def _try_to_write(self) -> None:
        with self._engine.connect() as connection:
            # A cache of few pages: what does not fit is written to the log before the end, and its space is known.
            connection.exec_driver_sql("PRAGMA cache_size = 10")
            try:
                self._insert(connection, Batch.of([trial_record()]))
                connection.exec_driver_sql("CREATE TABLE lor3_trial (filling)")
                connection.exec_driver_sql("INSERT INTO lor3_trial VALUES (zeroblob(?))", (_TRIAL_BYTES,))
            finally:
                connection.rollback()
                connection.exec_driver_sql("PRAGMA cache_size = -2000")

    def _grow(
        self, connection: sa.Connection, batch: Batch
    ) -> tuple[frozenset[ThreadKey], dict[ThreadKey, int]]:
        first: dict[ThreadKey, int] = {}
        for key, counter in batch.growth.items():
            tenant, thread_id = key
            position = connection.scalar(_NEXT_POSITION, {"tenant": tenant, "id": thread_id})
            if position is None:
                continue
            first[key] = position
            connection.execute(
                _GROW,
                {
                    "of_tenant": tenant,
                    "of_id": thread_id,
                    "grown": position + counter.count,
                    "at": counter.updated_at,
                },
            )
        return frozenset(batch.growth) - frozenset(first), first

    def _stored(self, ids: Sequence[MessageId]) -> frozenset[MessageId]:
        with self._engine.begin() as connection:
            self._held.demand()
            return frozenset(
                MessageId(message_id)
                for message_id in ids
                if connection.scalar(sa.select(MESSAGES.c.id).where(MESSAGES.c.id == message_id).limit(1))
            )

    def _ping(self) -> None:
        # Beginning takes the write lock: this fails where the file is gone, read-only or held.
        with self._engine.begin() as connection:
            self._held.take()
            self._held.demand()
            connection.scalar(sa.select(sa.func.count()).select_from(sa.text("sqlite_master")))


def _complete(connection: sa.Connection, row: Row) -> None:
    completed = connection.execute(
        _COMPLETE,
        {
            "of_key": row["key"],
            "of_tenant": row["tenant"],
            "of_owner": row["owner"],
            "given_answer": row["answer"],
            "of_message": row["message_id"],
            "of_thread": row["thread_id"],
        },
    )
    if completed.rowcount != 1:
        raise ClaimLost("an idempotency key was taken over")


def _storable(row: Row, surplus: tuple[str, ...]) -> Row:
    kept: Row = clean(row)
    for name in surplus:
        del kept[name]
    return kept
