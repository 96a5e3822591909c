"""A fault upstream and a way to start a gateway before it."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.support.fault_upstream.server import FaultUpstream, fault_upstream
from tests.support.gateway import Gateway, gateway, migrate

StartGateway: TypeAlias = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest.fixture
async def upstream() -> AsyncIterator[FaultUpstream]:
    async with fault_upstream() as running:
        yield running


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows: copying it is ten times faster than migrating anew."""
    path = tmp_path_factory.mktemp("migrated") / "gateway.db"

    asyncio.run(migrate(path))
    return path


@pytest.fixture
def start(
    upstream: FaultUpstream,
    empty_database: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> StartGateway:
    """Starts a gateway with the given settings; see `tests/support/gateway.py`."""
    caplog.set_level("DEBUG")
    caplog.set_level("INFO", "aiosqlite")  # it tells of every cursor
    shutil.copy(empty_database, tmp_path / "gateway.db")

    def read_logs() -> str:
        return caplog.text + "".join(capfd.readouterr())

    def start_gateway(**settings: Any) -> AbstractAsyncContextManager[Gateway]:
        return gateway(upstream, tmp_path, read_logs, **settings)

    return start_gateway
