"""Where the schema stands, and how it is brought to the head.

alembic is imported only to migrate: knowing the state must not cost its import at every start.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from adapters.persistence import tenancy
from adapters.persistence.engine import Database
from domain.errors import ConfigurationError, Fault, StorageUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

_REVISION: Final = re.compile(r"""^((?:down_)?revision) = (?:"([^"]+)"|None)$""", re.MULTILINE)

_LOCKS: Final = re.compile(r"^locks = \(([^)]*)\)$", re.MULTILINE)
_NAME: Final = re.compile(r'"(\w+)"')
_ROWS: Final = sa.text("SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = to_regclass(:name)")

_LOCK_KEY: Final = 0x6C6F7233
"""`lor3` in ASCII: the advisory lock that all replicas share."""
_LOCK_WAIT: Final = "60s"
"""For another replica's migration to end."""
_TABLE_LOCK_WAIT: Final = "5s"
"""For a table: past it the migration gives up rather than make every chat queue up behind it."""

_CURRENT: Final = sa.text("SELECT version_num FROM alembic_version")


def revisions(migrations_path: str) -> Mapping[str, str | None]:
    """Every revision the code knows, with the one before it, read off the files."""
    known: dict[str, str | None] = {}
    for path in sorted((Path(migrations_path) / "versions").glob("*.py")):
        found = dict(_REVISION.findall(path.read_text(encoding="utf-8")))
        if "revision" in found:
            known[found["revision"]] = found.get("down_revision") or None
    return known


def head(known: Mapping[str, str | None]) -> str:
    """The newest of the revisions.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    heads = set(known) - set(known.values())
    if len(heads) != 1:
        found = ", ".join(sorted(heads)) or "none"
        raise ConfigurationError.of(
            Fault(path="", message=f"the migrations have no single head ({found}); reinstall lor3")
        )
    return heads.pop()


def pending(known: Mapping[str, str | None], now: str | None) -> tuple[str, ...]:
    """The revisions between the database's and the newest one, oldest first; none where it is unknown."""
    ahead: list[str] = []
    revision: str | None = head(known)
    while revision is not None and revision != now:
        ahead.append(revision)
        revision = known[revision]
    return tuple(reversed(ahead)) if revision == now else ()


def locked_rows(connection: sa.Connection, migrations_path: str, revisions: Sequence[str]) -> dict[str, int]:
    """Tables of PostgreSQL that nobody else can use while these revisions read their rows: how many, estimated."""
    if connection.dialect.name != "postgresql":
        return {}
    tables: set[str] = set()
    for path in (Path(migrations_path) / "versions").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        found, locks = dict(_REVISION.findall(text)), _LOCKS.search(text)
        if found.get("revision") in revisions and locks:
            tables.update(_NAME.findall(locks[1]))
    rows = {table: connection.scalar(_ROWS, {"name": table}) for table in sorted(tables)}
    return {table: round(count) for table, count in rows.items() if count is not None}


def current(connection: sa.Connection) -> str | None:
    """The database's revision; None where there is no schema yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(_CURRENT)
    return revision


def upgrade(database: Database) -> tuple[str, ...]:
    """Migrates to the head in one transaction, alone; returns the revisions applied, oldest first. Blocks.

    Raises:
        StorageUnavailable: the schema is newer than this code.
        sqlalchemy.exc.SQLAlchemyError: as the driver says; nothing was changed.
    """
    return _migrate(database, "upgrade", "heads")


def downgrade(database: Database, revision: str) -> tuple[str, ...]:
    """Takes the schema back to `revision` (`base`: to nothing), with the data of what goes. Blocks."""
    return _migrate(database, "downgrade", revision)


def _migrate(database: Database, command: str, target: str) -> tuple[str, ...]:
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = _config(database.config.migrations_path)
    scripts = ScriptDirectory.from_config(config)
    applied: list[str] = []

    def steps(revision: object, context: object) -> object:
        # What `alembic upgrade` does itself; the list is the only way to learn which revisions ran.
        moves = (
            scripts._upgrade_revs(target, revision)  # type: ignore[arg-type]  # noqa: SLF001 - see above
            if command == "upgrade"
            else scripts._downgrade_revs(target, revision)  # type: ignore[arg-type]  # noqa: SLF001 - see above
        )
        applied.extend(str(move.revision.revision) for move in moves)
        return moves

    engine = database.open_for_migration()
    try:
        with engine.begin() as connection:
            if database.kind == "postgresql":
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_TABLE_LOCK_WAIT}'")
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # where the role has one
                connection.exec_driver_sql(tenancy.set_local(tenancy.ALL))
            now = current(connection)
            if now is not None and now not in revisions(database.config.migrations_path):
                raise StorageUnavailable(
                    f"the schema is at {now}, which this lor3 does not know: install a newer lor3"
                )
            config.attributes["connection"] = connection
            with EnvironmentContext(config, scripts, fn=steps, destination_rev=target):
                scripts.run_env()
    finally:
        with contextlib.suppress(sa.exc.SQLAlchemyError):
            engine.dispose()
    return tuple(applied)


def _config(migrations_path: str) -> "Config":
    from alembic.config import Config

    config = Config()
    # ConfigParser interpolates `%`, which a path may hold.
    config.set_main_option("script_location", migrations_path.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
