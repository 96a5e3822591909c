"""`lor3 db prune`."""

import asyncio
import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.asking import check_can_ask
from entrypoints.cli.options import common, settings_from
from entrypoints.cli.output import emit

if TYPE_CHECKING:
    from application.ports.maintenance import PruneReport
    from application.use_cases.prune_store import PruneStore
    from entrypoints.settings import Settings


@click.command(
    help="""Remove what is old, as `retention` of the settings says.

Deleted threads whose time is over, old messages with the threads and sessions that are left without any, and expired
idempotency keys. `lor3 serve` does the same each day. Safe while lor3 serves. On PostgreSQL messages go by months.
With --messages-older-than it says what would go and asks first on a terminal; elsewhere --yes is needed.

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
    help="In place of retention.messages_days: 90d, 12w, a day such as 2026-01-31, or a time. At least a day ago.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@common
def prune(
    dry_run: bool, messages_older_than: str | None, yes: bool, config_path: Path | None, as_json: bool
) -> int:
    settings = settings_from(config_path)
    report = asyncio.run(_prune(settings, dry_run=dry_run, messages_older_than=messages_older_than, yes=yes))
    if report is None:
        return 1
    counts: dict[str, int] = {
        "messages": report.messages,
        "threads": report.threads,
        "sessions": report.sessions,
        "keys": report.keys,
    }
    emit(
        {
            "dry_run": dry_run,
            "partitions": list(report.partitions),
            **counts,
            "messages_estimated": report.is_estimated,
        },
        as_json=as_json,
        columns=("would go" if dry_run else "went", "how many"),
        rows=[
            *((name, "whole") for name in report.partitions),
            *(
                (name, f"about {count}" if name == "messages" and report.is_estimated else count)
                for name, count in counts.items()
            ),
        ],
    )
    return 0


async def _prune(
    settings: "Settings", *, dry_run: bool, messages_older_than: str | None, yes: bool
) -> "PruneReport | None":
    """None where somebody was asked, and would rather not."""
    from application.use_cases.prune_store import PruneStoreCommand
    from entrypoints.bootstrap import open_store
    from entrypoints.container import Container

    container = Container()
    container.settings.override(settings)
    if messages_older_than is not None:  # before anything is opened
        _moment(messages_older_than, now=container.clock().now())
    store = open_store(settings)
    container.store.override(store)
    try:
        prune_store: PruneStore = container.prune_store()
        # Counted by the clock of the database: that of this host may go wrong.
        before = None
        if messages_older_than is not None:
            before = _age(messages_older_than, now=await prune_store.now())
            check_can_ask(yes or dry_run)
        if before is not None and not (yes or dry_run):
            foretold = await prune_store.execute(PruneStoreCommand(messages_before=before, dry_run=True))
            if not click.confirm(_question(foretold, before), err=True):
                return None
        return await prune_store.execute(PruneStoreCommand(messages_before=before, dry_run=dry_run))
    finally:
        await store.aclose()


def _moment(text: str, *, now: datetime.datetime) -> datetime.datetime:
    """
    Raises:
        InvalidRequest: it is no time.
    """
    from entrypoints.cli.moments import moment_from

    return moment_from(text, now=now, path="--messages-older-than")


def _age(text: str, *, now: datetime.datetime) -> datetime.datetime:
    """
    Raises:
        InvalidRequest: it is no time.
        click.UsageError: it is not long enough ago.
    """
    from application.ports.maintenance import YOUNGEST_MESSAGES

    before = _moment(text, now=now)
    if before > now - YOUNGEST_MESSAGES:
        raise click.UsageError(
            f"--messages-older-than {text} is not a day ago yet ({before:%Y-%m-%d %H:%M} UTC; the database's clock "
            f"says {now:%Y-%m-%d %H:%M}), so messages of today would go; write how long ago, such as 90d, or a day "
            "that is past"
        )
    return before


def _question(foretold: "PruneReport", before: datetime.datetime) -> str:
    about = "about " if foretold.is_estimated else ""
    what = [
        f"{about}{_many(foretold.messages, 'message')}",
        _many(foretold.threads, "thread"),
        _many(foretold.sessions, "session"),
    ]
    if foretold.keys:
        what.append(_many(foretold.keys, "expired key"))
    return (
        f"Messages from before {before:%Y-%m-%d %H:%M} UTC, and what retention lets go: remove {', '.join(what)} "
        "for good?"
    )


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
