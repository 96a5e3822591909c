"""Rows of months gone by, put in without lor3."""

import datetime
import random
import uuid
from typing import Any

import sqlalchemy as sa

from adapters.persistence import tenancy
from adapters.persistence.engine import Database
from adapters.persistence.tables import ATTEMPTS, FEEDBACK_CHANGES, MESSAGES, SESSIONS, THREADS
from tests.support.records import store_config

_CHANCE = random.Random(7)  # noqa: S311 - ids that differ, no more


def id_at(moment: datetime.datetime) -> str:
    """A UUIDv7 (RFC 9562, section 5.7) of that time."""
    value = int(moment.timestamp() * 1000) << 80 | _CHANCE.getrandbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62))


class Past:
    """A database to which threads of any age are added. `close` it."""

    def __init__(self, url: str) -> None:
        self.database = Database.of(store_config(url))
        self._engine = self.database.open_for_migration()

    def close(self) -> None:
        self._engine.dispose()

    def run(self, statement: str, **parameters: Any) -> list[Any]:
        """All tenants' rows of a query; nothing of a command."""
        with self._engine.begin() as connection:
            self._see_all(connection)
            result = connection.execute(sa.text(statement), parameters)
            return [tuple(row) if len(row) > 1 else row[0] for row in result] if result.returns_rows else []

    def thread(
        self,
        *moments: datetime.datetime,
        tenant: str = "default",
        deleted_at: datetime.datetime | None = None,
        begun: datetime.datetime | None = None,
        ids: tuple[str, ...] = (),
    ) -> str:
        """A thread in a session of its own, with one message, attempt and change of feedback at each moment."""
        began = begun or moments[0]
        session_id, thread_id = id_at(began), id_at(began)
        message_ids = ids or tuple(id_at(moment) for moment in moments)
        with self._engine.begin() as connection:
            self._see_all(connection)
            connection.execute(
                sa.insert(SESSIONS), {"tenant": tenant, "id": session_id, "user": "ada", "created_at": began}
            )
            connection.execute(
                sa.insert(THREADS),
                {
                    "tenant": tenant,
                    "id": thread_id,
                    "session_id": session_id,
                    "next_position": len(moments),
                    "created_at": began,
                    "updated_at": moments[-1] if moments else began,
                    "deleted_at": deleted_at,
                },
            )
            for position, (message_id, moment) in enumerate(zip(message_ids, moments, strict=True)):
                row = {"tenant": tenant, "thread_id": thread_id, "position": position, "role": "user"}
                row |= {"id": message_id, "content": {"parts": []}, "status": "complete", "pinned": False}
                connection.execute(sa.insert(MESSAGES), row | {"created_at": moment})
                attempt = {"tenant": tenant, "message_id": message_id, "number": 0, "provider": "demo"}
                attempt |= {"model": "demo", "outcome": "ok", "started_at": moment, "latency_ms": 1}
                attempt |= dict.fromkeys(
                    ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens"), 0
                )
                attempt |= {"reasoning_tokens": 0, "usage_estimated": False}
                connection.execute(sa.insert(ATTEMPTS), attempt)
                change = {"tenant": tenant, "message_id": message_id, "position": 1, "rating": "thumbs_up"}
                connection.execute(sa.insert(FEEDBACK_CHANGES), change | {"at": moment})
        return thread_id

    def count(self, table: str) -> int:
        (found,) = self.run(f"SELECT count(*) FROM {table}")  # noqa: S608 - a table's name
        return int(found)

    def counts(self) -> dict[str, int]:
        """Rows of each table of conversations."""
        tables = ("sessions", "threads", "messages", "attempts", "feedback_changes", "idempotency_keys")
        return {table: self.count(table) for table in tables}

    def _see_all(self, connection: sa.Connection) -> None:
        if self.database.kind == "postgresql":
            connection.exec_driver_sql(tenancy.set_local(tenancy.ALL))
