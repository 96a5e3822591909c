"""A store on both databases, for tests that look at its tables beside it."""

from collections.abc import AsyncIterator

import pytest

from adapters.persistence.store import create
from application.ports.store import Store
from tests.support.records import store_config


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = create(store_config(url))
    await store.start()
    yield store
    await store.aclose()
