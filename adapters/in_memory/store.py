"""A store without a database, for tests: yours as much as ours."""

import attrs

from adapters.in_memory.budget_ledger import InMemoryBudgetLedger
from adapters.in_memory.chat_journal import InMemoryChatJournal
from adapters.in_memory.conversation_reader import InMemoryConversationReader
from adapters.in_memory.key_store import InMemoryKeyStore
from adapters.in_memory.maintenance import InMemoryMaintenance
from adapters.in_memory.shelves import Shelves
from adapters.in_memory.unit_of_work import every_tenant_factory, unit_of_work_factory
from application.ports.budget_ledger import BudgetLedger
from application.ports.chat_journal import ChatJournal
from application.ports.conversation_reader import ConversationReader
from application.ports.every_tenant import EveryTenantFactory
from application.ports.key_store import KeyStore
from application.ports.maintenance import Maintenance
from application.ports.store import SchemaState, Store, StoreConfig, UpgradePlan
from application.ports.unit_of_work import UnitOfWorkFactory
from domain.values import frozen

_REVISION = "in-memory"


@frozen(kw_only=True)
class InMemoryStore:
    """Passes the suite that the real stores pass. Two stores over the same `shelves` are two replicas."""

    shelves: Shelves = attrs.field(factory=Shelves)

    @property
    def journal(self) -> ChatJournal:
        return InMemoryChatJournal(shelves=self.shelves)

    @property
    def unit_of_work(self) -> UnitOfWorkFactory:
        return unit_of_work_factory(self.shelves)

    @property
    def every_tenant(self) -> EveryTenantFactory:
        return every_tenant_factory(self.shelves)

    @property
    def conversations(self) -> ConversationReader:
        return InMemoryConversationReader(shelves=self.shelves)

    @property
    def budgets(self) -> BudgetLedger:
        return InMemoryBudgetLedger(shelves=self.shelves)

    @property
    def maintenance(self) -> Maintenance:
        return InMemoryMaintenance(shelves=self.shelves)

    @property
    def keys(self) -> KeyStore:
        return InMemoryKeyStore(shelves=self.shelves)

    async def start(self) -> None:
        """There is nothing to open."""

    async def check(self) -> str | None:
        return None if self.shelves.available else "the in-memory store was made unavailable by its test"

    async def schema(self) -> SchemaState:
        self.shelves.demand()
        return SchemaState(current=_REVISION, head=_REVISION)

    async def upgrade_plan(self) -> UpgradePlan:
        self.shelves.demand()
        return UpgradePlan()

    async def upgrade(self) -> tuple[str, ...]:
        self.shelves.demand()
        return ()

    async def aclose(self) -> None:
        """There is nothing to close."""


def create(config: StoreConfig) -> Store:
    """A `StoreFactory`: the configuration has nothing that matters here."""
    return InMemoryStore()
