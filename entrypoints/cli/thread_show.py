"""`lor3 thread show`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from domain.values import frozen
from entrypoints.cli.conversation import print_messages, print_thread
from entrypoints.cli.identifiers import check_thread_id, existing_thread_id
from entrypoints.cli.on_threads import reading_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, say

if TYPE_CHECKING:
    from domain.thread import Session, StoredMessage, Thread
    from entrypoints.reading import Reading


@frozen(kw_only=True)
class _Shown:
    thread: "Thread"
    session: "Session"
    messages: "tuple[StoredMessage, ...]"


@click.command(
    help="""Show a conversation: who said what and when, which model and prompt answered, what it cost, what became
of an answer that is not complete, ratings and pins.

\b
Examples:
  lor3 thread show 01890a5d-ac96
  lor3 thread show 01890a5d-ac96 --last 2
  lor3 thread show 01890a5d-ac96 --json | jq -r '.items[-1].id'
"""
)
@click.argument("thread", metavar="THREAD_ID")
@click.option(
    "--last", type=click.IntRange(0), default=20, show_default=True, help="How many messages to show at most."
)
@common
@for_tenant
def show(thread: str, last: int, config_path: Path | None, as_json: bool) -> None:
    from entrypoints.thread_rendering import stored_message_json, thread_json

    check_thread_id(thread, path="THREAD_ID")
    shown = reading_threads(config_path, lambda application: _read(application, thread, last=last))
    if as_json:
        print_json(
            {
                **thread_json(shown.thread),
                "user": shown.session.user,
                "items": [stored_message_json(each) for each in shown.messages],
            }
        )
        return
    print_thread(shown.thread, shown.session, shown=len(shown.messages))
    print_messages(shown.messages)
    if 0 < len(shown.messages) < shown.thread.length:
        say(f"\n--last {shown.thread.length} shows all; `lor3 thread export` writes them to a file", dim=True)


async def _read(application: "Reading", text: str, *, last: int) -> _Shown:

    reading = application.read_threads
    thread = await reading.thread(
        tenant_from(), await existing_thread_id(application, text, path="THREAD_ID")
    )
    session = await reading.session(tenant_from(), thread.session_id)
    messages: list[StoredMessage] = []
    # What is said after the thread was read is left out, so that its length and what is shown agree.
    beyond: int | None = thread.length
    while beyond is not None and len(messages) < last:
        page = await reading.messages(
            tenant_from(), thread.id, beyond=beyond, limit=min(100, last - len(messages)), newest_first=True
        )
        messages += page.items
        beyond = page.next_position
    return _Shown(thread=thread, session=session, messages=tuple(reversed(messages)))
