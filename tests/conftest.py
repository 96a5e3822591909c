"""Servers of our own for every test that asks for one, and no network but loopback.

`LOR3_TEST_DATABASE_URL` and `LOR3_TEST_REDIS_URL` point the same tests at yours: a PostgreSQL whose user may
create databases and roles, and a Redis whose database may be flushed.
"""

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from adapters.persistence import schema
from adapters.persistence.engine import Database
from tests.support.databases import Databases, administer, database_url, new_name
from tests.support.records import store_config
from tests.support.servers import PostgreSQLServer, RedisServer

settings.register_profile(
    "lor3", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # how long an example takes is the machine's affair
settings.load_profile("lor3")


@pytest.fixture(scope="session")
def postgres_admin_url() -> Iterator[str]:
    """A PostgreSQL on which databases may be made."""
    given = os.environ.get("LOR3_TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Our own holds nothing worth a sync; those tests that need durability start their own.
    server = PostgreSQLServer(fsync="off")
    try:
        yield server.url()
    finally:
        server.close()


@pytest.fixture(scope="session")
def _postgres_owner(postgres_admin_url: str) -> Iterator[str]:
    """A role that owns the databases of tests and is no superuser: row security does not bind those."""
    name = new_name()
    administer(postgres_admin_url, "CREATE ROLE {} LOGIN PASSWORD 'lor3'", name)
    administer(postgres_admin_url, "GRANT {} TO CURRENT_USER", name)
    yield name
    administer(postgres_admin_url, "DROP ROLE {}", name)


@pytest.fixture(scope="session")
def _postgres_template(postgres_admin_url: str, _postgres_owner: str) -> Iterator[str]:
    name = new_name()
    administer(postgres_admin_url, "CREATE DATABASE {} OWNER {}", name, _postgres_owner)
    schema.upgrade(Database.of(store_config(database_url(postgres_admin_url, name, _postgres_owner))))
    yield name
    administer(postgres_admin_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="session")
def postgres_databases(
    postgres_admin_url: str, _postgres_template: str, _postgres_owner: str
) -> Iterator[Databases]:
    """Lends fresh, migrated databases, for longer than a test where one asks it."""
    databases = Databases(postgres_admin_url, _postgres_template, _postgres_owner)
    yield databases
    databases.close()


@pytest.fixture
def postgres_url(postgres_databases: Databases) -> Iterator[str]:
    """A fresh, migrated database, as its owner sees it."""
    with postgres_databases.fresh() as url:
        yield url


@pytest.fixture
def empty_postgres_url(postgres_admin_url: str, _postgres_owner: str) -> Iterator[str]:
    """A fresh database without a schema, as its owner sees it."""
    name = new_name()
    administer(postgres_admin_url, "CREATE DATABASE {} OWNER {}", name, _postgres_owner)
    yield database_url(postgres_admin_url, name, _postgres_owner)
    administer(postgres_admin_url, "DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'lor3.db'}"


@pytest.fixture(scope="session")
def _redis_server_url() -> Iterator[str]:
    given = os.environ.get("LOR3_TEST_REDIS_URL")
    if given:
        yield given
        return
    server = RedisServer()
    try:
        yield server.url
    finally:
        server.close()


@pytest.fixture
def redis_url(_redis_server_url: str) -> str:
    """An empty Redis."""
    import redis

    with redis.Redis.from_url(_redis_server_url) as client:
        client.flushdb()
    return _redis_server_url


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses every address but loopback, and every name but `localhost`."""
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _refuse_outside(self.family, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_outside(self.family, address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        _refuse_host(host)
        return getaddrinfo(host, *rest, **named)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)


def _refuse_outside(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6):
        _refuse_host(address[0])


def _refuse_host(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        if ipaddress.ip_address(name).is_loopback or ipaddress.ip_address(name).is_unspecified:
            return
    except ValueError:
        pass  # a name, and not a local one
    raise ConnectionRefusedError(f"tests may not reach `{name}`: only loopback")
