"""Row security on PostgreSQL: what a query that forgot its tenant can reach."""

import datetime
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from adapters.persistence import tenancy
from adapters.persistence.store import create
from adapters.persistence.tables import METADATA
from domain.ids import Tenant
from tests.support.months import Past
from tests.support.records import new_chat, store_config

_NOW = datetime.datetime.now(datetime.UTC)
_ACME, _GLOBEX = Tenant("acme"), Tenant("globex")
_TABLES = sorted(name for name, table in METADATA.tables.items() if "tenant" in table.c)
_PROMPTS = (
    "INSERT INTO prompts (tenant, name, latest, next_number, revision, labels, created_at, updated_at) "
    "VALUES (:tenant, 'hello', 1, 2, 1, '{}', now(), now())",
    "INSERT INTO prompt_versions (tenant, name, number, hash, template, declares, pins, made_by, created_at) "
    "VALUES (:tenant, 'hello', 1, 'h', '{}', false, '[]', 'api', now())",
    "INSERT INTO prompt_pins (tenant, pinned_name, pinned_number, name, number) "
    "VALUES (:tenant, 'hello', 1, 'hello', 1)",
    "INSERT INTO prompt_label_moves (tenant, name, label, position, weights, moved_at) "
    "VALUES (:tenant, 'hello', 'stable', 1, '{}', now())",
    "INSERT INTO thread_summaries (tenant, thread_id, up_to, text, provider, model, created_at) "
    "SELECT tenant, id, 0, 'text', 'demo', 'demo', now() FROM threads WHERE tenant = :tenant",
    "INSERT INTO thread_tags (tenant, thread_id, tag) SELECT tenant, id, 't' FROM threads WHERE tenant = :tenant",
    "INSERT INTO idempotency_keys (tenant, key, fingerprint, state, owner, lease_until, created_at, expires_at) "
    "SELECT tenant, 'k', 'f', 'done', id, now(), now(), now() FROM threads WHERE tenant = :tenant",
    "INSERT INTO api_keys (tenant, id, name, hash, public_key, hint, scopes, models, limits, budgets, account, "
    "created_at, changed_at) SELECT tenant, id, 'web', id::text, '', '', '[]', '[]', '{}', '[]', id, now(), now() "
    "FROM threads WHERE tenant = :tenant",
    "INSERT INTO client_chats (tenant, id, thread_id, created_at, updated_at) "
    "SELECT tenant, 'chat', id, now(), now() FROM threads WHERE tenant = :tenant",
    "INSERT INTO anomalies (tenant, id, at, dimension, name, measure, value, usual, score) "
    "SELECT tenant, id, now(), 'model', 'm', 'tokens', 1, 1, 1 FROM threads WHERE tenant = :tenant",
    "INSERT INTO budget_counters (tenant, subject, subject_id, period, starts_at, spent_usd) "
    "VALUES (:tenant, 'user', 'ann', 'day', now(), 1)",
    "INSERT INTO budget_holds (tenant, subject, subject_id, period, starts_at, holder, amount_usd, lease_until) "
    "SELECT tenant, 'user', 'ann', 'day', now(), id, 1, now() FROM threads WHERE tenant = :tenant",
)

_USE_COLUMNS = [
    column.name for column in METADATA.tables["usage_log"].columns if column.name not in ("tenant", "at")
]
_USE_VALUES = ", ".join(
    "''" if str(METADATA.tables["usage_log"].c[name].type) == "TEXT" else "0" for name in _USE_COLUMNS
)
_USE_NAMES = ", ".join(f'"{name}"' for name in _USE_COLUMNS)
_USES = tuple(
    f"INSERT INTO {table} (tenant, {', '.join(times)}, {_USE_NAMES}) "  # noqa: S608 - names of tables
    f"VALUES (:tenant, {', '.join('now()' for _ in times)}, {_USE_VALUES})"
    for table, times in (
        ("usage_log", ("at",)),
        ("usage_hours", ("start", "last_at")),
        ("usage_days", ("start", "last_at")),
    )
)


@pytest.fixture
def filled(postgres_url: str) -> str:
    """A database in which both tenants have a row in every table, and its owner's URL."""
    past = Past(postgres_url)
    for tenant in (_ACME, _GLOBEX):
        past.thread(_NOW, tenant=tenant)
        for statement in (*_PROMPTS, *_USES):
            past.run(statement, tenant=tenant)
    past.close()
    return postgres_url


@pytest.fixture
def connection(filled: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(filled, autocommit=True) as opened:
        yield opened


def _partitions(connection: "psycopg.Connection[Any]") -> list[str]:
    found = connection.execute("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
    return sorted(name for (name,) in found)


def _run(connection: "psycopg.Connection[Any]", statement: str, table: str) -> "psycopg.Cursor[Any]":
    return connection.execute(sql.SQL(statement).format(sql.Identifier(table)))


def _tenants(connection: "psycopg.Connection[Any]", table: str) -> list[str]:
    return [tenant for (tenant,) in _run(connection, "SELECT tenant FROM {} ORDER BY 1", table)]


def test_role_of_these_tests_is_bound(connection: "psycopg.Connection[Any]") -> None:
    """It owns every table, and is no superuser: else nothing here would prove anything."""
    role = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    owner = "SELECT pg_get_userbyid(relowner) = current_user FROM pg_class WHERE relname = 'messages'"

    assert [(False,), (True,)] == [connection.execute(role).fetchone(), connection.execute(owner).fetchone()]


def test_every_table_and_partition_is_secured(connection: "psycopg.Connection[Any]") -> None:
    """Also those that a later revision adds."""
    secured = connection.execute(
        "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity ORDER BY 1"
    )

    assert sorted((*_TABLES, *_partitions(connection))) == sorted(name for (name,) in secured)


def test_without_the_setting_there_is_nothing(connection: "psycopg.Connection[Any]") -> None:
    """Neither before a transaction has set it nor after the one that did."""
    for table in (*_TABLES, *_partitions(connection)):
        assert _tenants(connection, table) == []
    with connection.transaction():
        connection.execute(tenancy.set_local(tenancy.ALL))
        for table in _TABLES:
            assert _tenants(connection, table) == [_ACME, _GLOBEX]
    for table in _TABLES:
        assert _tenants(connection, table) == []
        assert _run(connection, "DELETE FROM {}", table).rowcount == 0


def test_with_one_tenant_nothing_of_another_is_read_changed_or_deleted(
    connection: "psycopg.Connection[Any]",
) -> None:
    """By statements without a WHERE, table by table."""
    for table in (*_TABLES, *_partitions(connection)):
        with connection.transaction(force_rollback=True):
            connection.execute(tenancy.set_local(_ACME))
            found = _tenants(connection, table)
            assert found in ([_ACME], []) if table not in _TABLES else found == [_ACME]
            assert _run(connection, "UPDATE {} SET tenant = tenant", table).rowcount == len(found)
            assert _run(connection, "DELETE FROM {}", table).rowcount == len(found)
            connection.execute(tenancy.set_local(_GLOBEX))
            if table in _TABLES:
                assert _tenants(connection, table) == [_GLOBEX]


def test_nothing_can_be_written_for_another_tenant(connection: "psycopg.Connection[Any]") -> None:
    """Neither as a new row nor by giving one away."""
    for table in _TABLES:
        for statement in (
            "UPDATE {} SET tenant = 'globex'",
            'INSERT INTO {} SELECT (jsonb_populate_record(t, \'{{"tenant": "globex"}}\')).* FROM {} t',
        ):
            composed = sql.SQL(statement).format(*[sql.Identifier(table)] * statement.count("{}"))
            with connection.transaction(force_rollback=True):
                connection.execute(tenancy.set_local(_ACME))
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(composed)


async def test_store_keeps_tenants_apart_whatever_they_are_called(postgres_url: str) -> None:
    """A name like the setting's own signs means that tenant alone."""
    names = [Tenant(name) for name in ("*", "", "a'b", "a\\", "100%", "%s", 'x"y', "Ünï", "a,b", "--", " *")]
    store = create(store_config(postgres_url))
    await store.start()
    chats = [new_chat(tenant=name) for name in names]
    for chat in chats:
        await store.journal.commit(chat)
    for mine in names:
        async with store.unit_of_work(mine) as work:
            seen = [chat.thread.tenant for chat in chats if await work.threads.get(chat.thread.id)]
        assert seen == [mine]
    await store.aclose()


async def test_tenant_that_no_setting_can_name_is_refused(postgres_url: str) -> None:
    """U+001F parts the names, and no text of PostgreSQL holds U+0000."""
    store = create(store_config(postgres_url))
    await store.start()
    for name in ("a\x1fb", "a\0b"):
        with pytest.raises(ValueError, match="choose another name"):
            async with store.unit_of_work(Tenant(name)) as work:
                await work.sessions.list(limit=1)
    await store.aclose()
