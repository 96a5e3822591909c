"""`lor3 thread delete`."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.asking import check_can_ask
from entrypoints.cli.identifiers import check_thread_id, existing_thread_id
from entrypoints.cli.on_threads import on_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, printable, say
from entrypoints.cli.wrapping import fitted, stderr_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from domain.ids import ThreadId
    from domain.thread import Thread
    from entrypoints.application import Application

_CHOICE: Final = " [y/N]: "
"""What click puts behind a question."""


@click.command(
    help="""Delete threads with all their messages. They are absent at once, and removed by retention later.

With --purge they are removed now and for good, also those that were deleted before. Where one of them is
absent, nothing is deleted. Asks first on a terminal; elsewhere --yes is needed.

\b
Examples:
  lor3 thread delete 01890a5d-ac96
  lor3 thread delete 01890a5d-ac96-774b-bcce-b302099a8057 --purge --yes
"""
)
@click.argument("threads", nargs=-1, required=True, metavar="THREAD_ID...")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--purge", is_flag=True, help="Remove them for good.")
@common
@for_tenant
def delete(threads: tuple[str, ...], yes: bool, purge: bool, config_path: Path | None, as_json: bool) -> int:
    for thread in threads:
        check_thread_id(thread, path="THREAD_ID")
    check_can_ask(yes)
    if not yes:
        named = on_threads(config_path, lambda application: _named(application, threads, purge=purge))
        columns = stderr_columns()
        room = None if columns is None else columns - len(_CHOICE)
        if not click.confirm(fitted(_question(named, purge=purge), room), err=True):
            say("kept")
            return 1

    async def run(application: "Application") -> "list[ThreadId]":
        from application.use_cases.delete_thread import DeleteThreadCommand

        named = await _named(application, threads, purge=purge)
        for thread_id in named:
            await application.delete_thread.execute(
                DeleteThreadCommand(tenant=tenant_from(), thread_id=thread_id, purge=purge)
            )
        return list(named)

    gone = on_threads(config_path, run)
    if as_json:
        print_json({"deleted": gone, "purged": purge})
        return 0
    for thread_id in gone:
        click.echo(f"{'purged' if purge else 'deleted'} {thread_id}")
    return 0


async def _named(
    application: "Application", threads: "Sequence[str]", *, purge: bool
) -> "dict[ThreadId, Thread | None]":
    """Each once, those first of which nobody can say whether they are there: None stands for one deleted before.

    Raises:
        NotFound: there is no such thread; nothing was deleted.
    """
    from domain.errors import NotFound

    named: dict[ThreadId, Thread | None] = {}
    for text in threads:
        thread_id = await existing_thread_id(application, text, path="THREAD_ID")
        try:
            named[thread_id] = await application.read_threads.thread(tenant_from(), thread_id)
        except NotFound:
            if not purge:
                raise
            named[thread_id] = None
    return dict(sorted(named.items(), key=lambda item: item[1] is not None))


def _question(named: "Mapping[ThreadId, Thread | None]", *, purge: bool) -> str:
    what = [f"{thread_id}{_told(thread)}" for thread_id, thread in named.items()]
    if len(what) == 1:
        return f"Remove {what[0]} for good?" if purge else f"Delete {what[0]}?"
    head = f"Remove these {len(what)} threads for good?" if purge else f"Delete these {len(what)} threads?"
    return "\n".join([*(f"  {each}" for each in what), head])


def _told(thread: "Thread | None") -> str:
    if thread is None:
        return ", deleted before"
    title = f" “{printable(thread.title)}”" if thread.title else ""
    return f"{title} with {thread.length:,} message{'' if thread.length == 1 else 's'}"
