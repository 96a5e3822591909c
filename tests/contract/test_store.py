"""The store suite on everything that claims to be a store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.in_memory.store import InMemoryStore
from adapters.persistence.store import create
from adapters.testing.prompts_to_store import Stores
from adapters.testing.store_suite import StoreSuite
from tests.support.records import store_config
from tests.support.sqlite_files import put_migrated


class TestInMemoryStore(StoreSuite):
    @pytest.fixture
    async def stores(self) -> Stores:
        first = InMemoryStore()
        return first, InMemoryStore(shelves=first.shelves)


async def _two(url: str) -> AsyncIterator[Stores]:
    stores = create(store_config(url)), create(store_config(url))
    for store in stores:
        await store.start()
    yield stores
    for store in stores:
        await store.aclose()


class TestPostgreSQLStore(StoreSuite):
    @pytest.fixture
    async def stores(self, postgres_url: str) -> AsyncIterator[Stores]:
        async for stores in _two(postgres_url):
            yield stores


class TestSQLiteStore(StoreSuite):
    @pytest.fixture
    async def stores(self, tmp_path: Path) -> AsyncIterator[Stores]:
        put_migrated(tmp_path / "lor3.db")
        async for stores in _two(f"sqlite:///{tmp_path / 'lor3.db'}"):
            yield stores
