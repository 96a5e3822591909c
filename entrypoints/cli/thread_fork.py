"""`lor3 thread fork`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.identifiers import check_thread_id, existing_thread_id, message_id
from entrypoints.cli.on_threads import on_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, say

if TYPE_CHECKING:
    from domain.thread import Thread
    from entrypoints.application import Application


@click.command(
    help="""Begin a new thread as a copy of another one, up to a message and with it. Prints its id.

The copies cost nothing and have no ratings: those stay where they were given.

\b
Example:
  lor3 thread fork 01890a5d-ac96 --at 01890a5d-b1c0-7d2e-8f3a-5c0f7e2b9a41 --title "Another ending"
"""
)
@click.argument("thread", metavar="THREAD_ID")
@click.option("--at", required=True, metavar="MESSAGE_ID", help="The last message that both threads have.")
@click.option("--title", metavar="TEXT", help="The new thread's. [default: as the other's]")
@common
@for_tenant
def fork(thread: str, at: str, title: str | None, config_path: Path | None, as_json: bool) -> None:
    from entrypoints.thread_rendering import thread_json

    last = message_id(at, path="--at")
    check_thread_id(thread, path="THREAD_ID")

    async def run(application: "Application") -> "Thread":
        from application.use_cases.fork_thread import ForkThreadCommand

        return await application.fork_thread.execute(
            ForkThreadCommand(
                tenant=tenant_from(),
                thread_id=await existing_thread_id(application, thread, path="THREAD_ID"),
                message_id=last,
                title=title,
            )
        )

    made = on_threads(config_path, run)
    if as_json:
        print_json(thread_json(made))
        return
    click.echo(made.id)
    say(f'{made.length:,} messages copied; go on with: lor3 run --thread {made.id} "…"', dim=True)
