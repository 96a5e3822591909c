"""All the ports that one database serves, as a store plugin provides them."""

from typing import Protocol

import attrs

from application.ports.chat_journal import ChatJournal
from application.ports.conversation_reader import ConversationReader
from application.ports.maintenance import Maintenance
from application.ports.unit_of_work import UnitOfWorkFactory
from domain.secret import Secret


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
class SchemaState:
    """Where a database stands against the code."""

    current: str | None
    """The revision in the database; None for an empty one."""
    head: str
    """The newest revision the code knows."""

    @property
    def is_current(self) -> bool:
        return self.current == self.head


class Store(Protocol):
    """One database."""

    @property
    def journal(self) -> ChatJournal: ...

    @property
    def unit_of_work(self) -> UnitOfWorkFactory: ...

    @property
    def conversations(self) -> ConversationReader: ...

    @property
    def maintenance(self) -> Maintenance: ...

    async def start(self) -> None:
        """Opens the pool, migrates where that is allowed and starts the commit queue.

        Never fails because the database is away: `check` says so, and it is tried again.
        """

    async def check(self) -> str | None:
        """None when chats can be stored now, else the reason in a few words, without the URL. ≤ 1 s."""

    async def schema(self) -> SchemaState: ...

    async def upgrade(self) -> tuple[str, ...]:
        """Migrates to the head under an advisory lock; returns the revisions applied, oldest first."""

    async def aclose(self) -> None:
        """Commits what is queued, then closes the pool."""


class StoreFactory(Protocol):
    """What an entry point of the group `lor3.stores` points at; its name is the URL's scheme."""

    def __call__(self, config: StoreConfig) -> Store: ...
