"""One lor3 for all tests of a module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.client_servers import Place, client_place


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with client_place(tmp_path_factory.mktemp("clients")) as running:
        yield running
