"""One tenant's view of the database: the one place where queries get their tenant."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import sqlalchemy as sa

from adapters.persistence.rows import Row
from adapters.persistence.transaction import Transaction
from domain.clean_text import clean_value
from domain.ids import Tenant
from domain.values import frozen

_LOCK: Final = sa.select(
    # From left to right. Transaction-bound both, so that a pooler may hand the connection on after it.
    sa.func.set_config("lock_timeout", sa.bindparam("limit", type_=sa.Text), True),
    # As text: the function itself returns void.
    sa.cast(sa.func.pg_advisory_xact_lock(sa.bindparam("key", type_=sa.BigInteger)), sa.Text),
)


@frozen
class Scope:
    """A transaction that sees one tenant: row security holds it to that, and so does each query's own WHERE."""

    _transaction: Transaction
    tenant: Tenant

    @property
    def database(self) -> str:
        """`postgresql` or `sqlite`."""
        return self._transaction.database

    async def rows(
        self, select: sa.Select[Any], table: sa.FromClause, parameters: Mapping[str, Any]
    ) -> list[Row]:
        await self._transaction.see(self.tenant)
        result = await self._transaction.execute(
            select.where(table.c.tenant == sa.bindparam("tenant")), self._bound(parameters)
        )
        return [dict(row) for row in result.mappings()]

    @property
    def is_of_every_tenant(self) -> bool:
        return False

    async def add(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Inserts rows that name no tenant."""
        await self._transaction.begin(self.tenant)
        await self._transaction.execute(sa.insert(table), [{**row, "tenant": self.tenant} for row in rows])

    async def insert_selected(self, statement: sa.Insert, parameters: Mapping[str, Any]) -> None:
        """An INSERT … SELECT of rows whose tenant is the parameter `of_tenant`."""
        await self._transaction.begin(self.tenant)
        await self._transaction.execute(statement, self._bound(parameters, tenant="of_tenant"))

    async def change(
        self, statement: sa.Update | sa.Delete, table: sa.Table, parameters: Mapping[str, Any]
    ) -> int:
        """How many rows it changed."""
        await self._transaction.begin(self.tenant)
        result = await self._transaction.execute(
            statement.where(table.c.tenant == sa.bindparam("of_tenant")),
            self._bound(parameters, tenant="of_tenant"),
        )
        return result.rowcount

    async def upsert(self, statement: sa.Insert, parameters: Mapping[str, Any]) -> list[Row]:
        """What an insert returns whose tenant is the parameter `of_tenant`, and that may change the row it meets."""
        await self._transaction.begin(self.tenant)
        result = await self._transaction.execute(statement, self._bound(parameters, tenant="of_tenant"))
        return [dict(row) for row in result.mappings()]

    async def begin(self) -> None:
        await self._transaction.begin(self.tenant)

    async def allow(self, limit_s: float) -> None:
        """Statements may take so long from here on, where they might not else."""
        await self._transaction.see(self.tenant)
        await self._transaction.allow(limit_s)

    async def lock(self, what: str) -> None:
        """Waits until nobody else of this tenant holds `what`, and holds it until the transaction ends.

        `what` need not exist. SQLite has one lock for all: whoever writes holds it from the beginning.

        Raises:
            StorageUnavailable: it stayed held for as long as a statement may take.
        """
        await self._transaction.begin(self.tenant)
        if self._transaction.database != "postgresql":
            return
        digest = hashlib.blake2b(f"{self.tenant}\0{what}".encode(), digest_size=8).digest()
        # A little less than the statement's own limit, so that the error says what it was that took so long.
        limit_ms = max(1, round(self._transaction.statement_timeout_s * 900))
        await self._transaction.execute(
            _LOCK, {"limit": str(limit_ms), "key": int.from_bytes(digest, "big", signed=True)}
        )

    def _bound(self, parameters: Mapping[str, Any], *, tenant: str = "tenant") -> dict[str, Any]:
        # What was cleaned when it was stored must be cleaned to be found.
        return {**clean_value(parameters), tenant: self.tenant}


@frozen
class EveryTenantScope(Scope):
    """A transaction that sees the rows of all tenants, and writes none: for whoever runs lor3, never for a caller."""

    tenant: Tenant = attrs.field(default=Tenant(""), init=False)

    @property
    def is_of_every_tenant(self) -> bool:
        return True

    async def rows(
        self, select: sa.Select[Any], table: sa.FromClause, parameters: Mapping[str, Any]
    ) -> list[Row]:
        await self._transaction.see(None)
        result = await self._transaction.execute(select, clean_value(dict(parameters)))
        return [dict(row) for row in result.mappings()]

    async def allow(self, limit_s: float) -> None:
        await self._transaction.see(None)
        await self._transaction.allow(limit_s)
