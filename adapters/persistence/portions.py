"""Long work on a database that serves, cut into transactions that hold no lock for long."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import sqlalchemy as sa

from adapters.persistence import failures, tenancy
from adapters.persistence.engine import Database
from adapters.persistence.retention import BEGINNING, Key
from domain.errors import StorageUnavailable
from domain.values import frozen

T = TypeVar("T")

_LOCK_KEY: Final = 0x6C6F7234
"""An advisory lock: portions of several replicas take turns."""
_LOCK_WAIT: Final = "250ms"
"""For a table: whoever waits for one makes every chat after it wait too."""
_TRIES: Final = 20
_BETWEEN_TRIES_S: Final = 0.5
_NOT_NOW: Final = frozenset(("55P03", "40P01"))
_FORBIDDEN: Final = "42501"
_ROWS: Final = {"postgresql": 2000, "sqlite": 200}


@frozen(kw_only=True)
class Portions:
    """Each is a transaction in a thread: a cancellation ends the work after the one that is under way."""

    _database: Database
    _engine: sa.Engine

    @property
    def rows(self) -> int:
        """How many rows one removes, so that a writer waits for milliseconds."""
        return _ROWS[self._database.kind]

    async def run(
        self, work: Callable[[sa.Connection], T], *, doing: str = "delete", command: str = "lor3 db prune"
    ) -> T:
        """Tried again while somebody is in the way.

        Args:
            doing: what a role may lack the right to.
            command: what somebody who has it runs.

        Raises:
            StorageUnavailable: the database is away or refuses, or somebody was in the way for 10 s.
        """
        for tried in range(1, _TRIES + 1):
            try:
                return await asyncio.to_thread(self._transaction, work)
            except failures.FAILURES as error:
                if _code(error) not in _NOT_NOW or tried == _TRIES:
                    raise self._explained(error, doing, command) from error
            await asyncio.sleep(_BETWEEN_TRIES_S)
        raise AssertionError

    async def repeat(self, portion: Callable[[sa.Connection], int]) -> int:
        """Until it finds nothing more; how many it found."""
        count = 0
        while found := await self.run(portion):
            count += found
        return count

    async def walk(
        self,
        find: Callable[[sa.Connection, str], list[Key]],
        delete: Callable[[sa.Connection, list[Key]], int],
    ) -> int:
        """Through everything once, by id; how many it deleted."""
        count, after = 0, BEGINNING

        def portion(connection: sa.Connection) -> tuple[int, str | None]:
            found = find(connection, after)
            return (delete(connection, found), found[-1][0]) if found else (0, None)

        while True:
            gone, last = await self.run(portion)
            count += gone
            if last is None:
                return count
            after = last

    def _transaction(self, work: Callable[[sa.Connection], T]) -> T:
        with self._engine.begin() as connection:
            if self._database.kind == "postgresql":
                for statement in (
                    "SET LOCAL statement_timeout = 0",
                    "SET LOCAL lock_timeout = 0",
                    tenancy.set_local(tenancy.ALL),
                    f"SELECT pg_advisory_xact_lock({_LOCK_KEY})",
                    f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'",
                ):
                    connection.exec_driver_sql(statement)
            return work(connection)

    def _explained(self, error: BaseException, doing: str, command: str) -> StorageUnavailable:
        code = _code(error)
        if code == _FORBIDDEN:
            return StorageUnavailable(
                f"the database's role may not {doing}: run `{command}` as the role that owns the tables"
            )
        if code in _NOT_NOW:
            return StorageUnavailable(
                "long transactions hold the tables: end them, or try again at a quieter time"
            )
        return StorageUnavailable(f"{failures.failure_of(error).reason} ({self._database.place})")


def _code(error: BaseException) -> str | None:
    return getattr(getattr(error, "orig", error), "sqlstate", None)
