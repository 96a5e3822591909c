# ruff: noqa: S608 - the statements are the tests' own
"""Rows of idempotency keys that a test can only make by hand: old ones, and such as another lor3 wrote."""

import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from adapters.persistence.idempotency import _statements
from adapters.persistence.store import create
from adapters.testing.idempotency_suite import answered_chat, claim, claimed, new_key
from application.ports.store import Store
from domain.errors import KeyTakenOver
from domain.idempotency import Answered, Claimed, InFlight, OfAnotherRequest
from tests.support.records import store_config

Execute = Callable[[str], None]
PAST = "2020-01-01T00:00:00.000000+00:00"


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = create(store_config(database_url))
    await store.start()
    yield store
    await store.aclose()


@pytest.fixture
def execute(database_url: str) -> Execute:
    """Runs a statement that both databases understand."""

    def run(statement: str) -> None:
        if database_url.startswith("sqlite"):
            with sqlite3.connect(database_url.removeprefix("sqlite:///")) as connection:
                connection.execute(statement)
            connection.close()
            return
        with psycopg.connect(database_url) as postgresql:
            postgresql.execute("SELECT set_config('lor3.tenants', '*', true)")
            postgresql.execute(statement.encode())

    return run


@pytest.mark.parametrize("answer", ["NULL", "'{'", "'{\"version\": 0}'", "'{\"version\": 99}'"])
async def test_an_answer_that_cannot_be_read_is_absent(store: Store, execute: Execute, answer: str) -> None:
    """The request is answered anew, once, and that answer is given from then on."""
    await store.journal.commit(answered_chat(await claimed(store, new_key())))
    execute(f"UPDATE idempotency_keys SET answer = {answer}")
    assert isinstance(await claim(store, new_key(fingerprint="two")), OfAnotherRequest)
    held = await claimed(store, new_key())
    assert isinstance(await claim(store, new_key()), InFlight)
    record = answered_chat(held)
    await store.journal.commit(record)

    assert record.completes is not None
    assert Answered(answer=record.completes.answer) == await claim(store, new_key())


@pytest.mark.parametrize("fingerprint", ["one", "two"])
async def test_a_key_whose_day_is_over_is_free(store: Store, execute: Execute, fingerprint: str) -> None:
    """For the same request and for another one; and its day begins again."""
    await store.journal.commit(answered_chat(await claimed(store, new_key())))
    execute(f"UPDATE idempotency_keys SET expires_at = '{PAST}', created_at = '{PAST}'")
    held = await claimed(store, new_key(fingerprint=fingerprint))
    record = answered_chat(held)
    await store.journal.commit(record)

    assert record.completes is not None
    assert Answered(answer=record.completes.answer) == await claim(store, new_key(fingerprint=fingerprint))


async def test_a_run_that_outlives_its_keys_day_can_be_overtaken(store: Store, execute: Execute) -> None:
    """Whoever claims it then is its owner."""
    held = await claimed(store, new_key())
    execute(f"UPDATE idempotency_keys SET expires_at = '{PAST}'")
    assert isinstance(await claim(store, new_key()), Claimed)

    with pytest.raises(KeyTakenOver):
        await store.journal.commit(answered_chat(held))


async def test_a_key_that_is_taken_over_keeps_its_day(store: Store, execute: Execute) -> None:
    """24 hours count from the first claim, whoever completes it."""
    await claimed(store, new_key())
    execute(
        f"UPDATE idempotency_keys SET lease_until = '{PAST}', expires_at = '2999-01-01T00:00:00.000000+00:00'"
    )
    await claimed(store, new_key())
    execute("UPDATE idempotency_keys SET key = 'kept' WHERE expires_at > '2998-01-01T00:00:00.000000+00:00'")

    assert isinstance(await claim(store, new_key("kept")), InFlight)


async def test_silent_claims_are_found_by_their_index(postgres_url: str) -> None:
    """However many keys there are, those in flight are few."""
    owner = uuid.uuid4()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SET lor3.tenants = '*'")
        connection.execute(
            "INSERT INTO idempotency_keys "
            "(tenant, key, fingerprint, state, owner, lease_until, created_at, expires_at) "
            "SELECT 'default', n::text, 'f', 'done', %s, now(), now(), now() FROM generate_series(1, 20000) n",
            (owner,),
        )
        connection.execute("VACUUM ANALYZE idempotency_keys")
        interrupt = _statements("postgresql").interrupt.compile(dialect=PGDialect_psycopg())  # type: ignore[no-untyped-call]
        explain = f"EXPLAIN {interrupt.string}".encode()
        lines = psycopg.ClientCursor(connection).execute(
            explain, {**interrupt.params, "of_tenant": "default"}
        )

        plan = "\n".join(line[0] for line in lines)
    assert "ix_idempotency_keys_in_flight" in plan
    assert "Seq Scan" not in plan
