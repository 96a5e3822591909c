"""`lor3 db`: the database's schema, and what it holds."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.main import LazyGroup
from entrypoints.cli.options import common, settings_from
from entrypoints.cli.output import emit, say, warn

if TYPE_CHECKING:
    from application.ports.maintenance import PartitionState, TableRights
    from application.ports.store import SchemaState, UpgradePlan
    from entrypoints.settings import Settings

db = LazyGroup(
    name="db",
    help="""Migrate, check and prune the database.

\b
Examples:
  lor3 db upgrade
  lor3 db current --json
  lor3 db check
  lor3 db prune --dry-run
""",
    lazy={
        "upgrade": ("entrypoints.cli.db:upgrade", "Bring the schema up to date."),
        "current": ("entrypoints.cli.db:current", "Show the schema's revision."),
        "check": ("entrypoints.cli.db:check", "Exit 1 unless chats can be stored."),
        "prune": ("entrypoints.cli.db_prune:prune", "Remove what is old."),
    },
)


@click.command(
    help="""Bring the schema up to date.

Several machines may run it at once: they take turns. Whether lor3 may serve meanwhile depends on the revisions: it
says beforehand where chats would have to wait because a large table is locked, and where replicas of an older lor3
would not get on with the new schema, and asks; where there is nobody to ask, --yes is needed. Without a word it is
safe while lor3 serves. On PostgreSQL it also makes the partitions that are missing.

\b
Example:
  lor3 db upgrade
"""
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask, whatever it means for chats.")
@common
def upgrade(yes: bool, config_path: Path | None, as_json: bool) -> int:
    settings = settings_from(config_path)
    if not yes:
        plan = asyncio.run(_plan(settings))
        if plan.warning is not None and not _is_wanted(plan.warning):
            return 1
    applied, state = asyncio.run(_upgrade(settings))
    emit(
        {"applied": list(applied), "current": state.current, "head": state.head},
        as_json=as_json,
        columns=("what", "revision"),
        rows=[*(("applied", revision) for revision in applied), ("current", state.current)],
    )
    return 0


@click.command(
    help="""Show the schema's revision and the newest one that this lor3 knows.

\b
Example:
  lor3 db current --json
"""
)
@common
def current(config_path: Path | None, as_json: bool) -> None:
    state, partitions = asyncio.run(_schema(settings_from(config_path)))
    emit(
        {
            "current": state.current,
            "head": state.head,
            "up_to_date": state.is_current,
            "partitions": _partitions_json(partitions),
        },
        as_json=as_json,
        columns=("what", "revision"),
        rows=[("current", state.current), ("head", state.head), *_partition_rows(partitions)],
    )


@click.command(
    help="""Exit 1 unless the database answers and its schema is up to date.

On PostgreSQL also unless the role may store chats. Warns where it lacks another right, where months are missing that
messages are divided into, and where a partition lacks row security, with what mends it.

\b
Example:
  lor3 db check && lor3 serve
"""
)
@common
def check(config_path: Path | None, as_json: bool) -> int:
    settings = settings_from(config_path)
    problem, state, partitions, rights = asyncio.run(_check(settings))
    if problem is None and state is not None and not state.is_current:
        problem = _behind(state, settings)
    if problem is None and rights is not None and rights.for_chats:
        grants = "; ".join(rights.for_chats)
        problem = f"the database's role may not store chats; as the owner of the tables: {grants}"
    emit(
        {
            "ok": problem is None,
            "problem": problem,
            "current": state.current if state else None,
            "head": state.head if state else None,
            "partitions": _partitions_json(partitions),
            "lacking_rights": [*rights.for_chats, *rights.others] if rights else [],
        },
        as_json=as_json,
        columns=("database",),
        rows=[(problem or "ok",)],
    )
    if partitions is not None and partitions.missing:
        names = ", ".join(partitions.missing)
        warn([f"there are no partitions {names}: run `lor3 db upgrade` as the role that owns the tables"])
    if partitions is not None and partitions.unsecured:
        names = ", ".join(partitions.unsecured)
        warn([f"no row security on {names}: run `lor3 db upgrade` as the role that owns them"])
    if rights is not None and rights.others and state is not None and state.is_current:
        grants = "; ".join(rights.others)
        warn(
            [
                f"the database's role lacks rights, so not all of lor3 works; as the owner of the tables: {grants}"
            ]
        )
    return 0 if problem is None else 1


def _behind(state: "SchemaState", settings: "Settings") -> str:
    if state.current is not None:
        return f"the schema is at {state.current}, not at {state.head}: run `lor3 db upgrade`"
    if settings.database.url.reveal().startswith("sqlite"):
        return "there is no database yet: `lor3 serve` or `lor3 db upgrade` makes it"
    return "the database has no schema: run `lor3 db upgrade`"


def _is_wanted(warning: str) -> bool:
    """
    Raises:
        click.UsageError: there is nobody to ask.
    """
    say(warning)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("there is nobody to ask whether that may be now; add --yes")
    return click.confirm("Migrate now?", err=True)


def _partitions_json(partitions: "PartitionState | None") -> dict[str, object] | None:
    if partitions is None:
        return None
    reach = partitions.reach
    return {
        "reach": reach and reach.isoformat().replace("+00:00", "Z"),
        "missing": list(partitions.missing),
        "unsecured": list(partitions.unsecured),
        "in_default": partitions.in_default,
    }


def _partition_rows(partitions: "PartitionState | None") -> list[tuple[str, str]]:
    if partitions is None:
        return []
    reach = partitions.reach
    return [("partitions until", f"{reach:%Y-%m-%d}" if reach else "nowhere")]


async def _plan(settings: "Settings") -> "UpgradePlan":
    from entrypoints.bootstrap import open_store

    store = open_store(settings)
    try:
        return await store.upgrade_plan()
    finally:
        await store.aclose()


async def _upgrade(settings: "Settings") -> "tuple[tuple[str, ...], SchemaState]":
    from entrypoints.bootstrap import open_store

    store = open_store(settings)
    try:
        return await store.upgrade(), await store.schema()
    finally:
        await store.aclose()


async def _schema(settings: "Settings") -> "tuple[SchemaState, PartitionState | None]":
    from entrypoints.bootstrap import open_store

    store = open_store(settings)
    try:
        return await store.schema(), await store.maintenance.partitions()
    finally:
        await store.aclose()


async def _check(
    settings: "Settings",
) -> "tuple[str | None, SchemaState | None, PartitionState | None, TableRights | None]":
    from domain.errors import StorageUnavailable
    from entrypoints.bootstrap import open_store

    store = open_store(settings)
    try:
        state, maintenance = await store.schema(), store.maintenance
        return None, state, await maintenance.partitions(), await maintenance.lacking_rights()
    except StorageUnavailable as error:
        return error.detail, None, None, None
    finally:
        await store.aclose()
