"""Reports may take longer than what a chat waits for."""

from typing import Any

import pytest
import sqlalchemy as sa

from adapters.persistence.store import create
from adapters.persistence.tables import SESSIONS
from domain.errors import StorageUnavailable
from domain.ids import DEFAULT_TENANT
from tests.support.records import new_chat, store_config

_SLOW = sa.select(sa.cast(sa.func.pg_sleep(0.6), sa.Text)).select_from(SESSIONS)


async def test_allowed_statement_takes_its_time_and_the_next_transaction_does_not(
    postgres_url: str,
) -> None:
    """The limit goes with the transaction, so a pooled connection keeps nothing of it."""
    store = create(store_config(postgres_url, statement_timeout_s=0.3, pool_size=1))
    await store.start()
    await store.journal.commit(new_chat())
    try:
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            scope: Any = work.usage._scope  # type: ignore[attr-defined]  # of the SQL store
            await scope.allow(5.0)
            assert len(await scope.rows(_SLOW, SESSIONS, {})) == 1
        for _ in range(2):  # on each connection of the pool
            async with store.unit_of_work(DEFAULT_TENANT) as work:
                scope = work.usage._scope  # type: ignore[attr-defined]  # as above
                with pytest.raises(StorageUnavailable):
                    await scope.rows(_SLOW, SESSIONS, {})
    finally:
        await store.aclose()
