"""`lor3 db`: the database's schema."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.main import LazyGroup
from entrypoints.cli.options import common, settings_from
from entrypoints.cli.output import emit

if TYPE_CHECKING:
    from application.ports.store import SchemaState
    from entrypoints.settings import Settings

db = LazyGroup(
    name="db",
    help="""Migrate and check the database.

\b
Examples:
  lor3 db upgrade
  lor3 db current --json
  lor3 db check
""",
    lazy={
        "upgrade": ("entrypoints.cli.db:upgrade", "Bring the schema up to date."),
        "current": ("entrypoints.cli.db:current", "Show the schema's revision."),
        "check": ("entrypoints.cli.db:check", "Exit 1 unless chats can be stored."),
    },
)


@click.command(
    help="""Bring the schema up to date.

Safe to run while lor3 serves, and by several machines at once: they take turns.

\b
Example:
  lor3 db upgrade
"""
)
@common
def upgrade(config_path: Path | None, as_json: bool) -> None:
    applied, state = asyncio.run(_upgrade(settings_from(config_path)))
    emit(
        {"applied": list(applied), "current": state.current, "head": state.head},
        as_json=as_json,
        columns=("what", "revision"),
        rows=[*(("applied", revision) for revision in applied), ("current", state.current)],
    )


@click.command(
    help="""Show the schema's revision and the newest one that this lor3 knows.

\b
Example:
  lor3 db current --json
"""
)
@common
def current(config_path: Path | None, as_json: bool) -> None:
    state = asyncio.run(_schema(settings_from(config_path)))
    emit(
        {"current": state.current, "head": state.head, "up_to_date": state.is_current},
        as_json=as_json,
        columns=("what", "revision"),
        rows=[("current", state.current), ("head", state.head)],
    )


@click.command(
    help="""Exit 1 unless the database answers and its schema is up to date.

\b
Example:
  lor3 db check && lor3 serve
"""
)
@common
def check(config_path: Path | None, as_json: bool) -> int:
    settings = settings_from(config_path)
    problem, state = asyncio.run(_check(settings))
    if problem is None and state is not None and not state.is_current:
        problem = _behind(state, settings)
    emit(
        {
            "ok": problem is None,
            "problem": problem,
            "current": state.current if state else None,
            "head": state.head if state else None,
        },
        as_json=as_json,
        columns=("database",),
        rows=[(problem or "ok",)],
    )
    return 0 if problem is None else 1


def _behind(state: "SchemaState", settings: "Settings") -> str:
    if state.current is not None:
        return f"the schema is at {state.current}, not at {state.head}: run `lor3 db upgrade`"
    if settings.database.url.reveal().startswith("sqlite"):
        return "there is no database yet: `lor3 serve` or `lor3 db upgrade` makes it"
    return "the database has no schema: run `lor3 db upgrade`"


async def _upgrade(settings: "Settings") -> "tuple[tuple[str, ...], SchemaState]":
    from entrypoints.bootstrap import open_store

    store = open_store(settings)
    try:
        return await store.upgrade(), await store.schema()
    finally:
        await store.aclose()


async def _schema(settings: "Settings") -> "SchemaState":
    from entrypoints.bootstrap import open_store

    store = open_store(settings)
    try:
        return await store.schema()
    finally:
        await store.aclose()


async def _check(settings: "Settings") -> "tuple[str | None, SchemaState | None]":
    from domain.errors import StorageUnavailable
    from entrypoints.bootstrap import open_store

    store = open_store(settings)
    try:
        return None, await store.schema()
    except StorageUnavailable as error:
        return error.detail, None
    finally:
        await store.aclose()
