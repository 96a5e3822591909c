"""How a unit of work begins and ends on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from adapters.persistence.store import SQLStore, create
from adapters.persistence.transaction import Transaction
from domain.errors import StorageUnavailable
from domain.ids import DEFAULT_TENANT
from tests.support.records import new_chat, store_config


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[SQLStore]:
    opened = create(store_config(postgres_url, pool_size=2))
    assert isinstance(opened, SQLStore)
    await opened.start()
    yield opened
    await opened.aclose()


async def test_tenant_is_told_with_the_transaction_s_beginning(store: SQLStore) -> None:
    """No round trip more; and a reader is not kept by the rollback, which gives the connection back all the same."""
    chat = new_chat()
    await store.journal.commit(chat)
    sent: list[str] = []

    def keep(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    sa.event.listen(store._pool().sync_engine, "before_cursor_execute", keep)
    for _ in range(20):
        async with store.unit_of_work(DEFAULT_TENANT) as work:
            assert await work.sessions.get(chat.session.id) is not None
        assert sent[0] == "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lor3.tenants = E'default'"
        assert "ROLLBACK" not in sent
        await store._departures.aclose()
        assert "ROLLBACK" == sent[-1]
        assert 3 == len(sent)
        sent.clear()


async def test_read_after_one_that_failed_begins_anew(store: SQLStore) -> None:
    """What was written would be lost; what was only read is not."""
    connection = store._pool().connect()
    await connection.start()
    transaction = Transaction(connection=connection, statement_timeout_s=2, limit_s=3)
    for _ in range(2):
        await transaction.see(DEFAULT_TENANT)
        with pytest.raises(StorageUnavailable):
            await transaction.execute(sa.select(sa.literal_column("1 / 0")), {})
    await transaction.begin(DEFAULT_TENANT)
    told = await transaction.execute(sa.select(sa.func.current_setting("lor3.tenants")), {})

    assert [DEFAULT_TENANT] == list(told.scalars())
    await transaction.leave()
