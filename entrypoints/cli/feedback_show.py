"""`lor3 feedback show`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.conversation import feedback_text, fit, rating_cells
from entrypoints.cli.identifiers import check_thread_id, existing_thread_id
from entrypoints.cli.on_threads import reading_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.feedback import RatedMessage
    from entrypoints.reading import Reading


@click.command(
    help="""Show the ratings of a thread's answers, in the order of the answers.

\b
Examples:
  lor3 feedback show 01890a5d-ac96
  lor3 feedback show 01890a5d-ac96 --json | jq '.items[].rating'
"""
)
@click.argument("thread", metavar="THREAD_ID")
@common
@for_tenant
def show(thread: str, config_path: Path | None, as_json: bool) -> None:
    from entrypoints.feedback_rendering import rated_json

    check_thread_id(thread, path="THREAD_ID")
    rated = reading_threads(config_path, lambda application: _read(application, thread))
    if as_json:
        print_json({"items": [rated_json(each) for each in rated]})
    elif not rated:
        say("nobody rated an answer of this thread yet; `lor3 feedback rate MESSAGE_ID` does")
    elif sys.stdout.isatty():
        _print(rated)
    else:
        print_table((), [_row(each) for each in rated])


def _print(rated: "Sequence[RatedMessage]") -> None:
    for number, each in enumerate(rated):
        if number:
            click.echo()
        click.echo(f"{click.style(f'#{each.position}', bold=True)} {click.style(each.message_id, dim=True)}")
        click.echo(fit(feedback_text(each.feedback)))


def _row(each: "RatedMessage") -> tuple[object, ...]:
    return (each.message_id, each.position, *rating_cells(each.feedback))


async def _read(application: "Reading", thread: str) -> "list[RatedMessage]":

    thread_id = await existing_thread_id(application, thread, path="THREAD_ID")
    page = await application.read_feedback.of_thread(tenant_from(), thread_id)
    rated = [*page.items]
    while page.next_after is not None:
        page = await application.read_feedback.of_thread(tenant_from(), thread_id, after=page.next_after)
        rated += page.items
    return rated
