"""What an operator is told who points lor3 at a database that is not there, or not ready."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from adapters.persistence.store import create
from domain.errors import ConfigurationError, StorageUnavailable
from tests.support.records import store_config
from tests.support.servers import PostgreSQLServer, free_port


@pytest.fixture(scope="module")
def strict_server() -> Iterator[PostgreSQLServer]:
    """Asks `ada` for a password, shuts `bob` out; `group` may not log in."""
    server = PostgreSQLServer(fsync="off")
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE ada LOGIN PASSWORD 'right'")
        connection.execute("CREATE ROLE bob LOGIN")
        connection.execute("CREATE ROLE crew")
        row = connection.execute("SHOW hba_file").fetchone()
        assert row is not None
        rules = Path(row[0])
        rules.write_text(
            "host all ada 127.0.0.1/32 scram-sha-256\nhost all bob 127.0.0.1/32 reject\n" + rules.read_text()
        )
        connection.execute("SELECT pg_reload_conf()")
    yield server
    server.close()


@pytest.mark.parametrize(
    ("change", "said", "place"),
    [
        ({"database": "nope"}, "does not exist: create it", "database `nope` at `127.0.0.1:"),
        ({"username": "nobody"}, "refuses the user or password of database.url", "as `nobody`"),
        ({"username": "ada", "password": "wr0ng"}, "refuses the user or password", "as `ada`"),
        ({"username": "ada"}, "refuses the user or password", "as `ada`"),
        ({"username": "bob"}, "pg_hba.conf does not let", "as `bob`"),
        ({"username": "crew"}, "give its role LOGIN", "as `crew`"),
        ({"port": 0}, "no server answers at the host and port of database.url", "at `127.0.0.1:"),
        (
            {"host": "no-such-host.invalid"},
            "the host of database.url is unknown",
            "at `no-such-host.invalid:",
        ),
        ({"query": {"sslmode": "require"}}, "do not agree on TLS", "at `127.0.0.1:"),
        ({"query": {"sslmode": "bogus"}}, "a parameter that is not one of PostgreSQL's", "at `127.0.0.1:"),
        ({"query": {"bogus": "1"}}, "a parameter that is not one of PostgreSQL's", "at `127.0.0.1:"),
        ({"host": None, "query": {"host": "/nowhere"}}, "no server answers at the socket", "`postgres`"),
    ],
)
async def test_postgresql_out_of_reach(
    strict_server: PostgreSQLServer, change: dict[str, object], said: str, place: str
) -> None:
    """Fault and remedy, to the operator with the place; to others without; the password to nobody."""
    if change.get("port") == 0:
        change = {"port": free_port()}
    url = make_url(strict_server.url()).set(**change)  # type: ignore[arg-type] # a few of its parts
    store = create(store_config(url.render_as_string(hide_password=False)))
    await store.start()
    reason = await store.check() or ""
    told = store.journal.reason or ""
    with pytest.raises(StorageUnavailable) as caught:
        await store.schema()
    with pytest.raises(StorageUnavailable) as upgrading:
        await store.upgrade()
    await store.aclose()

    assert said in reason
    assert said in caught.value.detail
    assert place in caught.value.detail
    assert caught.value.detail == upgrading.value.detail
    assert told == "the database is away; try again in a moment"
    for text in (reason, told):
        for secret in ("127.0.0.1", "nobody", "ada", "nope", "invalid"):
            assert secret not in text
    assert "wr0ng" not in caught.value.detail


async def test_full_server_is_said(strict_server: PostgreSQLServer) -> None:
    """No connection slot left."""
    with psycopg.connect(strict_server.url(), autocommit=True) as connection:
        connection.execute("ALTER ROLE ada PASSWORD 'right' CONNECTION LIMIT 0")
    url = make_url(strict_server.url()).set(username="ada", password="right")
    store = create(store_config(url.render_as_string(hide_password=False)))
    await store.start()

    assert "no free connection" in (await store.check() or "")
    await store.aclose()


@pytest.mark.parametrize(
    "url", ["postgresql://", "postgresql:///", "postgres://ada@host", "postgresql://host/"]
)
def test_url_without_a_database_is_refused(url: str) -> None:
    """Rather than let the client library guess one from the name of the user."""
    with pytest.raises(ConfigurationError, match="names no database"):
        create(store_config(url))


async def test_sqlite_is_not_made_by_looking(tmp_path: Path) -> None:
    """Asking for the schema leaves no file; an upgrade makes one."""
    path = tmp_path / "lor3.db"
    store = create(store_config(f"sqlite:///{path}"))

    assert (await store.schema()).current is None
    assert not path.exists()
    await store.upgrade()
    assert path.exists()
    assert (await store.schema()).is_current
    await store.aclose()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing/lor3.db", "the folder of the database file does not exist: make it"),
        ("folder", "can't be opened"),
        ("text", "is no SQLite database"),
    ],
)
async def test_sqlite_out_of_reach(tmp_path: Path, name: str, said: str) -> None:
    """The operator is told which file, others are not."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("dear diary " * 100)
    store = create(store_config(f"sqlite:///{tmp_path / name}"))
    with pytest.raises(StorageUnavailable) as caught:
        await store.schema()
    with pytest.raises(StorageUnavailable) as upgrading:
        await store.upgrade()
    await store.start()
    reason = await store.check() or ""
    await store.aclose()

    assert said in caught.value.detail
    assert str(tmp_path / name) in caught.value.detail
    assert caught.value.detail == upgrading.value.detail
    assert said in reason
    assert str(tmp_path) not in reason
