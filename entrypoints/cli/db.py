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
    from application.ports.maintenance import PartitionState
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

Safe to run while lor3 serves, and by several machines at once: they take turns. Says beforehand where chats would
have to wait because a large table is locked, and asks; where there is nobody to ask, --yes is needed. On PostgreSQL
it also makes the partitions of the months to come.

\b
Example:
  lor3 db upgrade
"""
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask, however long chats have to wait.")
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

Also says how far the months reach that messages are divided into, and warns where some are missing.

\b
Example:
  lor3 db check && lor3 serve
"""
)
@common
def check(config_path: Path | None, as_json: bool) -> int:
    settings = settings_from(config_path)
    problem, state, partitions = asyncio.run(_check(settings))
    if problem is None and state is not None and not state.is_current:
        problem = _behind(state, settings)
    emit(
        {
            "ok": problem is None,
            "problem": problem,
            "current": state.current if state else None,
            "head": state.head if state else None,
            "partitions": _partitions_json(partitions),
        },
        as_json=as_json,
        columns=("database",),
        rows=[(problem or "ok",)],
    )
    if partitions is not None and partitions.missing:
        names = ", ".join(partitions.missing)
        warn([f"there are no partitions {names}: run `lor3 db upgrade` as the role that owns the tables"])
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


async def _check(settings: "Settings") -> "tuple[str | None, SchemaState | None, PartitionState | None]":
    from domain.errors import StorageUnavailable
    from entrypoints.bootstrap import open_store

    store = open_store(settings)
    try:
        return None, await store.schema(), await store.maintenance.partitions()
    except StorageUnavailable as error:
        return error.detail, None, None
    finally:
        await store.aclose()
