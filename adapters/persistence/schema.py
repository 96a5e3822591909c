"""Where the schema stands, and how it is brought to the head.

alembic is imported only to migrate: knowing the state must not cost its import at every start.
"""

import ast
import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from adapters.persistence import tenancy
from adapters.persistence.engine import Database
from application.ports.store import UpgradePlan
from domain.errors import ConfigurationError, Fault, StorageUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

_REVISION: Final = re.compile(r"""^((?:down_)?revision) = (?:"([^"]+)"|None)$""", re.MULTILINE)

# Never counted is -1, before version 14 no pages; then a row takes 250 bytes or more.
_ROWS: Final = sa.text(
    "SELECT CASE WHEN reltuples < 0 OR reltuples = 0 AND relpages = 0 THEN pg_relation_size(oid) / 250.0 "
    "ELSE reltuples END FROM pg_class WHERE oid = to_regclass(:name)"
)
_HAS_ROWS: Final = "SELECT EXISTS (SELECT FROM sessions) OR EXISTS (SELECT FROM threads)"

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


def plan(connection: sa.Connection, migrations_path: str, revisions: Sequence[str]) -> UpgradePlan:
    """What these revisions, oldest first, mean for who uses the database meanwhile, as their files say it.

    `locks` names tables of PostgreSQL that nobody else can use while their rows are read; `breaks_older` says why
    replicas of code before the revision do not get on with PostgreSQL after it, and what to do.
    """
    if connection.dialect.name != "postgresql" or not revisions:
        return UpgradePlan(revisions=tuple(revisions))
    said = {revision: _declarations(migrations_path, revision) for revision in revisions}
    tables = {table for each in said.values() for table in each.get("locks", ())}
    rows = {table: connection.scalar(_ROWS, {"name": table}) for table in sorted(tables)}
    breaks = {
        revision: str(each["breaks_older"]) for revision, each in said.items() if "breaks_older" in each
    }
    return UpgradePlan(
        revisions=tuple(revisions),
        locked={table: round(count) for table, count in rows.items() if count is not None},
        breaks_older=breaks if breaks and _has_rows(connection) else {},
    )


def _declarations(migrations_path: str, revision: str) -> dict[str, Any]:
    """The plain values that a revision's file gives to names, read without running it."""
    for path in (Path(migrations_path) / "versions").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if dict(_REVISION.findall(text)).get("revision") == revision:
            return {
                statement.targets[0].id: ast.literal_eval(statement.value)
                for statement in ast.parse(text).body
                if isinstance(statement, ast.Assign)
                and isinstance(statement.targets[0], ast.Name)
                and statement.targets[0].id in ("locks", "breaks_older")
            }
    return {}


def _has_rows(connection: sa.Connection) -> bool:
    """Whether somebody has used the database. One without conversations has no replicas that could break."""
    if not sa.inspect(connection).has_table("sessions"):
        return False
    # The pool's connections commit each statement by themselves.
    connection.exec_driver_sql(f"BEGIN; {tenancy.set_local(tenancy.ALL)}")
    try:
        return bool(connection.exec_driver_sql(_HAS_ROWS).scalar())
    finally:
        connection.exec_driver_sql("ROLLBACK")


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
