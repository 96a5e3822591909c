"""The books that are held against each other: the database's, the clients' and the provider's."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs
import psycopg
from psycopg.rows import DictRow, dict_row

from adapters.persistence import tenancy
from tests.torture.ledger import Acknowledged, Ledger
from tests.torture.upstream import Call

_SHOWN: Final = 20


@attrs.frozen(kw_only=True)
class Finding:
    """One promise, and where it was broken."""

    promise: str
    looked_at: int
    broken: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Where nothing was looked at, nothing is shown."""
        return bool(self.looked_at) and not self.broken

    @property
    def verdict(self) -> str:
        if self.broken:
            return f"BROKEN {len(self.broken):,} times"
        return "holds" if self.holds else "BROKEN: there was nothing to look at"

    def as_json(self) -> dict[str, Any]:
        return {
            "promise": self.promise,
            "holds": self.holds,
            "looked_at": self.looked_at,
            "broken": len(self.broken),
            "examples": list(self.broken[:_SHOWN]),
        }


@attrs.frozen(kw_only=True)
class Stored:
    """All that the database holds."""

    messages: Sequence[DictRow]
    """By thread and position."""
    threads: Sequence[DictRow]
    attempts: Sequence[DictRow]
    keys: Sequence[DictRow]

    @classmethod
    def read(cls, url: str) -> "Stored":
        with psycopg.connect(url, row_factory=dict_row) as connection:
            connection.execute("SELECT set_config(%s, %s, false)", (tenancy.SETTING, tenancy.ALL))

            def rows(statement: str) -> list[DictRow]:
                return connection.execute(statement).fetchall()

            return cls(
                messages=rows("SELECT * FROM messages ORDER BY thread_id, position, id"),
                threads=rows("SELECT * FROM threads"),
                attempts=rows("SELECT * FROM attempts"),
                keys=rows("SELECT * FROM idempotency_keys"),
            )


@attrs.frozen(kw_only=True)
class Books:
    stored: Stored
    ledger: Ledger
    calls: Sequence[Call]

    def answers(self) -> Iterable[DictRow]:
        """Copies aside: those are held against their originals."""
        return (
            row for row in self.stored.messages if row["role"] == "assistant" and row["copied_from"] is None
        )

    @property
    def all_acknowledged(self) -> list[Acknowledged]:
        return [*self.ledger.acknowledged, *self.ledger.remade]


def text_of(row: DictRow) -> str:
    return "".join(part["text"] for part in row["content"]["parts"])
