"""The store on PostgreSQL and SQLite."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import attrs

from adapters.persistence import failures, rights, schema
from adapters.persistence.async_engine import AsyncConnection, AsyncEngine
from adapters.persistence.batch_writer import (
    BatchFailure,
    BatchWriter,
    ConnectionLost,
    SchemaBehind,
    StoreRefused,
)
from adapters.persistence.commit_queue import CommitQueue
from adapters.persistence.departures import Departures
from adapters.persistence.engine import Database
from adapters.persistence.held_file import FILE_GONE
from adapters.persistence.key_store import SQLKeyStore
from adapters.persistence.maintenance import SQLMaintenance
from adapters.persistence.readiness import Readiness
from adapters.persistence.unit_of_work import every_tenant_factory, unit_of_work_factory
from application.ports.budget_ledger import BudgetLedger
from application.ports.chat_journal import ChatJournal
from application.ports.conversation_reader import ConversationReader
from application.ports.every_tenant import EveryTenantFactory
from application.ports.key_store import KeyStore
from application.ports.maintenance import Maintenance
from application.ports.store import SchemaState, Store, StoreConfig, UpgradePlan
from application.ports.unit_of_work import UnitOfWorkFactory
from domain.errors import StorageUnavailable

if TYPE_CHECKING:
    from adapters.persistence.pooled_exchange import PooledExchange
    from adapters.persistence.postgresql_budget_ledger import PostgreSQLBudgetLedger
    from adapters.persistence.postgresql_conversation_reader import PostgreSQLConversationReader
    from adapters.persistence.sqlite_budget_ledger import SQLiteBudgetLedger
    from adapters.persistence.sqlite_conversation_reader import SQLiteConversationReader
    from adapters.persistence.usage_adder import UsageAdder

_LOGGER: Final = logging.getLogger("lor3.store")

WRITERS: Final = 3
"""Batches that PostgreSQL may have in flight; at most half of the pool, the rest is for reads."""
_NOT_UPGRADED: Final = {
    failures.FORBIDDEN: "the database's role may not change the tables: run `lor3 db upgrade` as the role that owns "
    "them",
    failures.LOCK_NOT_AVAILABLE: "nothing was changed, as long transactions (or another `lor3 db upgrade`) hold the "
    "tables: end them, or try again at a quieter time",
    "42P07": "nothing was changed, as something else has the name of a table or an index to be made: use a database "
    "or schema of lor3's own, or rename it",
}
CHECK_LIMIT_S: Final = 0.9
_ROUND_TRIP_S: Final = 1.0
"""On top of the server's own limit, before a silent server counts as gone."""


def create(config: StoreConfig) -> Store:
    """The entry point of the group `lor3.stores`. No I/O.

    Raises:
        ConfigurationError: the URL can't be used; the message says why without showing it.
    """
    database = Database.of(config)
    revisions = schema.revisions(config.migrations_path)
    return SQLStore(database=database, revisions=revisions, head=schema.head(revisions))


@attrs.define(kw_only=True)
class SQLStore:
    """Pool, commit queue and schema of one database. `start` before anything else."""

    _database: Database
    _revisions: Mapping[str, str | None]
    _head: str
    _engine: AsyncEngine | None = None
    _queue: CommitQueue = attrs.field(init=False)
    _departures: Departures = attrs.field(factory=Departures, init=False)
    _unit_of_work: UnitOfWorkFactory = attrs.field(init=False)
    _maintenance: SQLMaintenance = attrs.field(init=False)
    _conversations: "PostgreSQLConversationReader | SQLiteConversationReader" = attrs.field(init=False)
    _budgets: "PostgreSQLBudgetLedger | SQLiteBudgetLedger" = attrs.field(init=False)
    _usage: "UsageAdder | None" = attrs.field(init=False)
    _checks: "set[asyncio.Task[SchemaState]]" = attrs.field(factory=set)

    def __attrs_post_init__(self) -> None:
        self._queue = CommitQueue(
            writers=self._writers(),
            check=self._demand_schema,
            readiness=Readiness(place=self._database.place),
        )
        self._unit_of_work = unit_of_work_factory(
            self._pool,
            statement_timeout_s=self._database.config.statement_timeout_s,
            departures=self._departures,
        )
        self._maintenance = SQLMaintenance(database=self._database)
        self._conversations = self._reader()
        self._budgets = self._ledger()
        self._usage = self._adder()

    @property
    def journal(self) -> ChatJournal:
        return self._queue

    @property
    def conversations(self) -> ConversationReader:
        return self._conversations

    @property
    def budgets(self) -> BudgetLedger:
        return self._budgets

    @property
    def maintenance(self) -> Maintenance:
        return self._maintenance

    @property
    def keys(self) -> KeyStore:
        return SQLKeyStore(database=self._database, engine=self._pool, departures=self._departures)

    @property
    def every_tenant(self) -> EveryTenantFactory:
        return every_tenant_factory(
            self._pool,
            statement_timeout_s=self._database.config.statement_timeout_s,
            departures=self._departures,
        )

    @property
    def unit_of_work(self) -> UnitOfWorkFactory:
        return self._unit_of_work

    async def start(self) -> None:
        if self._database.kind == "sqlite" or self._database.config.auto_migrate:
            try:
                if self._is_behind(await self.schema()):
                    if (warning := (await self.upgrade_plan()).warning) is not None:
                        # There is nobody to ask: `auto_migrate` said yes beforehand.
                        _LOGGER.warning("migrating now: %s", warning)
                    await self.upgrade()
            except StorageUnavailable:
                pass  # `check` says so, and readiness stays off until an operator or the database acts
        await self._queue.probe()
        self._queue.start()
        if self._usage is not None:
            self._usage.start()

    async def check(self) -> str | None:
        # A task of its own: cancelling a query on a frozen server takes psycopg longer than the limit here.
        task = asyncio.create_task(self._schema())
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)
        done, _ = await asyncio.wait((task,), timeout=CHECK_LIMIT_S)
        if not done:
            task.cancel()
            return failures.SILENT
        try:
            state = task.result()
        except BatchFailure as failure:
            return failure.reason
        if self._is_behind(state):
            return _schema_problem(state)
        return None if self._queue.is_ready else self._queue.failure

    async def schema(self) -> SchemaState:
        try:
            return await self._schema()
        except BatchFailure as failure:
            raise self._explained(failure) from failure

    async def upgrade_plan(self) -> UpgradePlan:
        try:
            if self._database.is_missing():
                return UpgradePlan(revisions=schema.pending(self._revisions, None))
            async with self._pool().connect() as connection:
                now = await _current(connection)
                ahead = schema.pending(self._revisions, now)
                path = self._database.config.migrations_path
                return await connection.run_sync(lambda sync: schema.plan(sync, path, ahead))
        except failures.FAILURES as error:
            raise self._not_upgraded(error) from error

    async def upgrade(self) -> tuple[str, ...]:
        try:
            self._database.demand_folder()
            applied = await asyncio.to_thread(schema.upgrade, self._database)
        except BatchFailure as failure:
            raise self._explained(failure) from failure
        except failures.FAILURES as error:
            raise self._not_upgraded(error) from error
        await self._maintenance.prepare(most_moved=None)
        return applied

    async def aclose(self) -> None:
        await self._queue.aclose()
        for task in self._checks:
            task.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)
        if self._usage is not None:
            await self._usage.aclose()
        await self._departures.aclose()
        await self._conversations.aclose()
        await self._budgets.aclose()
        if self._engine is not None:
            await self._engine.dispose()

    async def _schema(self) -> SchemaState:
        self._demand_same_file()
        if self._database.is_missing():  # opening the file would make it
            return SchemaState(current=None, head=self._head)
        try:
            async with self._pool().connect() as connection:
                revision = await _current(connection)
        except failures.FAILURES as error:
            raise failures.failure_of(error) from error
        return SchemaState(current=revision, head=self._head)

    def _demand_same_file(self) -> None:
        if self._database.held.is_gone():
            raise ConnectionLost(FILE_GONE)

    async def _demand_schema(self) -> None:
        state = await self._schema()
        if self._is_behind(state):
            raise SchemaBehind(_schema_problem(state))
        if self._database.kind == "postgresql":
            await self._demand_rights()

    async def _demand_rights(self) -> None:
        try:
            async with self._pool().connect() as connection:
                lacking = await connection.run_sync(rights.lacking)
        except failures.FAILURES as error:
            raise failures.failure_of(error) from error
        if lacking.for_chats:
            grants = "; ".join(lacking.for_chats)
            raise StoreRefused(
                f"the database's role may not store chats; as the owner of the tables: {grants}"
            )

    def _explained(self, failure: BatchFailure) -> StorageUnavailable:
        """For an operator, who also wants to know which database it is about."""
        return StorageUnavailable(f"{failure.reason} ({self._database.place})")

    def _not_upgraded(self, error: BaseException) -> StorageUnavailable:
        """In the words of a migration: those of a chat would mislead."""
        code = getattr(getattr(error, "orig", error), "sqlstate", None)
        reason = _NOT_UPGRADED.get(code or "")
        if reason is None:
            return self._explained(failures.failure_of(error))
        return StorageUnavailable(f"{reason} ({self._database.place})")

    def _is_behind(self, state: SchemaState) -> bool:
        # A revision that this code does not know is a newer one: while replicas are replaced one by one, the old
        # ones go on serving on the schema of the new. A revision on which they can't says so in `breaks_older`, and
        # whoever migrates is told before.
        return not state.is_current and (state.current is None or state.current in self._revisions)

    def _pool(self) -> AsyncEngine:
        if self._engine is None:
            self._engine = self._database.open()
        return self._engine

    def _exchange(self) -> "PooledExchange":
        from adapters.persistence.pooled_exchange import PooledExchange

        limit_s = self._database.config.statement_timeout_s + _ROUND_TRIP_S
        return PooledExchange(engine=self._pool, limit_s=limit_s)

    def _reader(self) -> "PostgreSQLConversationReader | SQLiteConversationReader":
        if self._database.kind == "sqlite":
            from adapters.persistence.sqlite_conversation_reader import SQLiteConversationReader

            return SQLiteConversationReader(engine=self._pool)
        from adapters.persistence.postgresql_conversation_reader import PostgreSQLConversationReader

        return PostgreSQLConversationReader(exchange=self._exchange())

    def _adder(self) -> "UsageAdder | None":
        if self._database.kind == "sqlite":
            return None
        from adapters.persistence.usage_adder import UsageAdder

        return UsageAdder(exchange=self._exchange())

    def _ledger(self) -> "PostgreSQLBudgetLedger | SQLiteBudgetLedger":
        if self._database.kind == "sqlite":
            from adapters.persistence.sqlite_budget_ledger import SQLiteBudgetLedger

            return SQLiteBudgetLedger(open=self._database.open_for_writing)
        from adapters.persistence.postgresql_budget_ledger import PostgreSQLBudgetLedger

        return PostgreSQLBudgetLedger(exchange=self._exchange())

    def _writers(self) -> tuple[BatchWriter, ...]:
        # Only the writer of this database is imported: each brings its dialect, 1 to 3 MB.
        if self._database.kind == "sqlite":
            from adapters.persistence.sqlite_writer import SQLiteWriter

            engine = self._database.open_for_writing(checkout=False)
            return (SQLiteWriter(engine=engine, held=self._database.held),)
        from adapters.persistence.postgresql_writer import PostgreSQLWriter

        config = self._database.config
        return tuple(
            PostgreSQLWriter(engine=self._pool(), limit_s=config.statement_timeout_s + _ROUND_TRIP_S)
            for _ in range(max(1, min(WRITERS, config.pool_size // 2)))
        )


def _schema_problem(state: SchemaState) -> str:
    if state.current is None:
        return failures.NO_SCHEMA
    return f"the database's schema is at {state.current}, not at {state.head}: run `lor3 db upgrade`"


async def _current(connection: AsyncConnection) -> str | None:
    return await connection.run_sync(lambda sync: schema.current(sync))
