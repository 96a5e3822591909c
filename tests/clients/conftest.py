"""One lor3 for all tests of a module, or two."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.client_servers import Place, Replicas, client_place, client_replicas
from tests.support.databases import Databases


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with client_place(tmp_path_factory.mktemp("clients")) as running:
        yield running


@pytest.fixture(scope="module")
def shared_database_url(postgres_databases: Databases) -> Iterator[str]:
    with postgres_databases.fresh() as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replicas(
    tmp_path_factory: pytest.TempPathFactory, shared_database_url: str, _redis_server_url: str
) -> AsyncIterator[Replicas]:
    async with client_replicas(
        tmp_path_factory.mktemp("clients"), database_url=shared_database_url, redis_url=_redis_server_url
    ) as running:
        yield running
