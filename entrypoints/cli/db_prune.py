"""`lor3 db prune`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.options import common, settings_from
from entrypoints.cli.output import emit

if TYPE_CHECKING:
    from application.ports.maintenance import PruneReport
    from entrypoints.settings import Settings


@click.command(
    help="""Remove what is old, as `retention` of the settings says.

Deleted threads whose time is over, old messages with the threads and sessions that are left without any, and expired
idempotency keys. `lor3 serve` does the same each day. Safe while lor3 serves. On PostgreSQL messages go by months.

\b
Examples:
  lor3 db prune --dry-run
  lor3 db prune --messages-older-than 90d
"""
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option(
    "--messages-older-than",
    metavar="WHEN",
    help="In place of retention.messages_days: 90d, 12w, a day such as 2026-01-31, or a time.",
)
@common
def prune(dry_run: bool, messages_older_than: str | None, config_path: Path | None, as_json: bool) -> None:
    report = asyncio.run(
        _prune(settings_from(config_path), dry_run=dry_run, messages_older_than=messages_older_than)
    )
    counts = {
        "messages": report.messages,
        "threads": report.threads,
        "sessions": report.sessions,
        "keys": report.keys,
    }
    emit(
        {"dry_run": dry_run, "partitions": list(report.partitions), **counts},
        as_json=as_json,
        columns=("would go" if dry_run else "went", "how many"),
        rows=[*((name, "whole") for name in report.partitions), *counts.items()],
    )


async def _prune(settings: "Settings", *, dry_run: bool, messages_older_than: str | None) -> "PruneReport":
    from application.use_cases.prune_store import PruneStoreCommand
    from entrypoints.bootstrap import open_store
    from entrypoints.cli.moments import moment_from
    from entrypoints.container import Container

    container = Container()
    container.settings.override(settings)
    before = messages_older_than and moment_from(
        messages_older_than, now=container.clock().now(), path="--messages-older-than"
    )
    store = open_store(settings)
    container.store.override(store)
    try:
        command = PruneStoreCommand(messages_before=before or None, dry_run=dry_run)
        report: PruneReport = await container.prune_store().execute(command)
        return report
    finally:
        await store.aclose()
