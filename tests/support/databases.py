"""Databases for tests on one PostgreSQL: copied from a template, and used again where a test left only rows.

To make one takes ten times as long as to empty one.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs
import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

# Every change of a table, column, index, policy, privilege, function or setting writes a row of a catalogue,
# whose xmin is then another. What ANALYZE found counts too: plans depend on it.
_SHAPE: Final = """
SELECT jsonb_agg(shape ORDER BY shape) FROM (
  SELECT jsonb_build_array('class', oid, xmin::text, relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT jsonb_build_array('attribute', count(*), max(xmin::text::bigint)) FROM pg_attribute
  UNION ALL SELECT jsonb_build_array('constraint', count(*), max(xmin::text::bigint)) FROM pg_constraint
  UNION ALL SELECT jsonb_build_array('trigger', count(*), max(xmin::text::bigint)) FROM pg_trigger
  UNION ALL SELECT jsonb_build_array('policy', count(*), max(xmin::text::bigint)) FROM pg_policy
  UNION ALL SELECT jsonb_build_array('function', count(*), max(xmin::text::bigint)) FROM pg_proc
  UNION ALL SELECT jsonb_build_array('type', count(*), max(xmin::text::bigint)) FROM pg_type
  UNION ALL SELECT jsonb_build_array('schema', count(*), max(xmin::text::bigint)) FROM pg_namespace
  UNION ALL SELECT jsonb_build_array('inherits', count(*), max(xmin::text::bigint)) FROM pg_inherits
  UNION ALL SELECT jsonb_build_array('extension', count(*), max(xmin::text::bigint)) FROM pg_extension
  UNION ALL SELECT jsonb_build_array('privilege', count(*), max(xmin::text::bigint)) FROM pg_default_acl
  UNION ALL SELECT jsonb_build_array('setting', count(*), max(xmin::text::bigint)) FROM pg_db_role_setting
  UNION ALL SELECT jsonb_build_array('statistic', count(*), max(xmin::text::bigint)) FROM pg_statistic
  UNION ALL SELECT jsonb_build_array('database', xmin::text) FROM pg_database WHERE datname = current_database()
) AS shapes (shape)
"""
_FILLED: Final = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0 ORDER BY relname
"""
"""By what is on the disk: row security can't hide it."""


def administer(url: str, command: str, *names: str) -> None:
    statement = sql.SQL(command).format(*map(sql.Identifier, names))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def new_name() -> str:
    return f"lor3_test_{uuid.uuid4().hex}"


def database_url(admin_url: str, name: str, owner: str) -> str:
    url = make_url(admin_url).set(database=name, username=owner, password="lor3")
    return url.render_as_string(hide_password=False)


@attrs.frozen
class _Idle:
    """A database without rows of tests, and what it looked like."""

    name: str
    shape: Any
    kept: dict[str, Any]
    """What is in the tables that the template has filled."""


@attrs.define
class Databases:
    """Copies of a template, for one test at a time each."""

    _admin_url: str
    _template: str
    _owner: str
    _idle: list[_Idle] = attrs.field(factory=list)

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The owner's URL of a database that nobody can tell from a new copy of the template."""
        lent = self._idle.pop() if self._idle else self._new()
        yield database_url(self._admin_url, lent.name, self._owner)
        emptied = self._emptied(lent)
        if emptied is None:
            administer(self._admin_url, "DROP DATABASE {} WITH (FORCE)", lent.name)
        else:
            self._idle.append(emptied)

    def close(self) -> None:
        for each in self._idle:
            administer(self._admin_url, "DROP DATABASE {} WITH (FORCE)", each.name)

    def _new(self) -> _Idle:
        name = new_name()
        administer(
            self._admin_url, "CREATE DATABASE {} OWNER {} TEMPLATE {}", name, self._owner, self._template
        )
        with self._connected(name) as connection:
            filled = [table for (table,) in connection.execute(_FILLED)]
            return _Idle(name, _shape(connection), {table: _content(connection, table) for table in filled})

    def _emptied(self, lent: _Idle) -> _Idle | None:
        """Without the rows of the test; None where it changed more than rows."""
        with self._connected(lent.name) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if _shape(connection) != lent.shape:
                return None
            if any(_content(connection, table) != content for table, content in lent.kept.items()):
                return None
            filled = [table for (table,) in connection.execute(_FILLED) if table not in lent.kept]
            if filled:
                names = sql.SQL(", ").join(map(sql.Identifier, filled))
                # Those that refer to them are truncated along, as they must be, even where they hold nothing.
                connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))
            return attrs.evolve(lent, shape=_shape(connection))

    @contextmanager
    def _connected(self, name: str) -> Iterator[psycopg.Connection[Any]]:
        url = make_url(self._admin_url).set(database=name).render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection


def _shape(connection: psycopg.Connection[Any]) -> Any:
    row = connection.execute(_SHAPE).fetchone()
    assert row is not None
    return row[0]


def _content(connection: psycopg.Connection[Any], table: str) -> Any:
    return connection.execute(
        sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(table))
    ).fetchall()
