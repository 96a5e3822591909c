"""`lor3 thread rename`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.identifiers import check_thread_id, existing_thread_id
from entrypoints.cli.on_threads import on_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, printable

if TYPE_CHECKING:
    from domain.thread import Thread
    from entrypoints.application import Application


@click.command(
    help="""Give a thread a title, and tags in place of those it has. What is left out stays.

\b
Examples:
  lor3 thread rename 01890a5d-ac96 --title "Why the sky is blue" --tag physics --tag draft
  lor3 thread rename 01890a5d-ac96 --no-tags
"""
)
@click.argument("thread", metavar="THREAD_ID")
@click.option("--title", metavar="TEXT", help="Its title.")
@click.option("--no-title", is_flag=True, help="Take its title away.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag; may be given again.")
@click.option("--no-tags", is_flag=True, help="Take its tags away.")
@common
@for_tenant
def rename(
    thread: str,
    title: str | None,
    no_title: bool,
    tags: tuple[str, ...],
    no_tags: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    from entrypoints.thread_rendering import thread_json

    if title is not None and no_title:
        raise click.UsageError("give --title or --no-title, not both")
    if tags and no_tags:
        raise click.UsageError("give --tag or --no-tags, not both")
    if title is None and not (no_title or tags or no_tags):
        raise click.UsageError("say what to change: --title, --no-title, --tag or --no-tags")
    check_thread_id(thread, path="THREAD_ID")

    async def run(application: "Application") -> "Thread":
        from application.use_cases.change_thread import ChangeThreadCommand

        return await application.change_thread.execute(
            ChangeThreadCommand(
                tenant=tenant_from(),
                thread_id=await existing_thread_id(application, thread, path="THREAD_ID"),
                title=title,
                clear_title=no_title,
                tags=tags if tags or no_tags else None,
            )
        )

    changed = on_threads(config_path, run)
    if as_json:
        print_json(thread_json(changed))
    else:
        words = [
            printable(changed.title) if changed.title else "untitled",
            *(f"#{printable(tag)}" for tag in changed.tags),
        ]
        click.echo(f"{changed.id} is {' '.join(words)}")
