"""All the ports that one database serves, as a store plugin provides them."""

from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from application.ports.budget_ledger import BudgetLedger
from application.ports.chat_journal import ChatJournal
from application.ports.conversation_reader import ConversationReader
from application.ports.every_tenant import EveryTenantFactory
from application.ports.key_store import KeyStore
from application.ports.maintenance import Maintenance
from application.ports.unit_of_work import UnitOfWorkFactory
from domain.secret import Secret
from domain.values import frozen

LONG_S: Final = 2.0
"""Chats that have to wait longer for a migration are worth a word beforehand."""
LOCKED_S_PER_ROW: Final = 10e-6
"""Reading a row of messages and putting it into five indexes, on a slow disk."""


@frozen(kw_only=True)
class StoreConfig:
    """`database` of the settings."""

    url: Secret
    """An SQLAlchemy URL without a driver (`postgresql://…`, `sqlite:///lor3.db`); may hold a password."""
    pool_size: int = 5
    statement_timeout_s: float = 2.0
    acquire_timeout_s: float = 1.0
    auto_migrate: bool = False
    """SQLite always migrates itself at start."""
    migrations_path: str


@frozen(kw_only=True)
class SchemaState:
    """Where a database stands against the code."""

    current: str | None
    """The revision in the database; None for an empty one."""
    head: str
    """The newest revision the code knows."""

    @property
    def is_current(self) -> bool:
        return self.current == self.head


@frozen(kw_only=True)
class UpgradePlan:
    """What bringing the schema to the head would mean."""

    revisions: tuple[str, ...] = ()
    """Oldest first; none where there is nothing to do."""
    locked: Mapping[str, int] = attrs.field(factory=dict)
    """Tables that nobody can use while all their rows are read, and how many these are, estimated."""
    breaks_older: Mapping[str, str] = attrs.field(factory=dict)
    """By revision, why replicas of an older lor3 do not get on with it, and what to do; none where nobody has used
    the database yet."""

    @property
    def takes_s(self) -> float:
        """How long chats would wait, roughly."""
        return sum(self.locked.values()) * LOCKED_S_PER_ROW

    @property
    def warning(self) -> str | None:
        """What whoever uses the database now would notice, for the operator; None where nobody would."""
        said = [f"revision {revision}: {why}" for revision, why in self.breaks_older.items()]
        if self.takes_s >= LONG_S:
            tables = " and ".join(f"`{table}` (about {rows:,} rows)" for table, rows in self.locked.items())
            said.append(
                f"{tables} will be locked while every row is read: chats wait for about {self.takes_s:,.0f} s"
            )
        return "\n".join(said) or None


class Store(Protocol):
    """One database."""

    @property
    def journal(self) -> ChatJournal: ...

    @property
    def unit_of_work(self) -> UnitOfWorkFactory: ...

    @property
    def every_tenant(self) -> EveryTenantFactory: ...

    @property
    def conversations(self) -> ConversationReader: ...

    @property
    def budgets(self) -> BudgetLedger: ...

    @property
    def maintenance(self) -> Maintenance: ...

    @property
    def keys(self) -> KeyStore: ...

    async def start(self) -> None:
        """Opens the pool, migrates where that is allowed and starts the commit queue.

        Never fails because the database is away: `check` says so, and it is tried again.
        """

    async def check(self) -> str | None:
        """None when chats can be stored now, else the reason in a few words, without the URL. ≤ 1 s."""

    async def schema(self) -> SchemaState: ...

    async def upgrade_plan(self) -> UpgradePlan:
        """What `upgrade` would do now.

        Raises:
            StorageUnavailable: the database is away or refuses.
        """

    async def upgrade(self) -> tuple[str, ...]:
        """Migrates to the head under an advisory lock; returns the revisions applied, oldest first."""

    async def aclose(self) -> None:
        """Commits what is queued, then closes the pool."""


class StoreFactory(Protocol):
    """What an entry point of the group `lor3.stores` points at; its name is the URL's scheme."""

    def __call__(self, config: StoreConfig) -> Store: ...
