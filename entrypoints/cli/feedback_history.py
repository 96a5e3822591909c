"""`lor3 feedback history`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.conversation import feedback_text, fit, rating_cells, when
from entrypoints.cli.identifiers import message_id
from entrypoints.cli.on_threads import reading_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from domain.feedback import FeedbackChange


@click.command(
    help="""Show how an answer was rated, again and again: newest first, with what was taken back.

\b
Examples:
  lor3 feedback history 01890a5d-b1c0-7d2e-8f3a-5c0f7e2b9a41
  lor3 feedback history 01890a5d-b1c0-7d2e-8f3a-5c0f7e2b9a41 --json | jq '.history[].feedback.rating'
"""
)
@click.argument("message", metavar="MESSAGE_ID")
@common
@for_tenant
def history(message: str, config_path: Path | None, as_json: bool) -> None:
    from entrypoints.feedback_rendering import message_feedback_json

    answer = message_id(message, path="MESSAGE_ID")
    found = reading_threads(
        config_path, lambda application: application.read_feedback.of_message(tenant_from(), answer)
    )
    if as_json:
        print_json(message_feedback_json(found))
    elif not found.history:
        say("nobody rated it yet; `lor3 feedback rate MESSAGE_ID` does")
    elif sys.stdout.isatty():
        for change in found.history:
            click.echo(fit(_told(change)))
    else:
        print_table((), [_row(change) for change in found.history])


def _told(change: "FeedbackChange") -> str:
    if change.feedback is None:
        return f"taken back on {when(change.at)}"
    return feedback_text(change.feedback)


def _row(change: "FeedbackChange") -> tuple[object, ...]:
    """As `lor3 feedback show` has it, without where the message is."""
    from entrypoints.prompt_rendering import time_text

    if change.feedback is None:
        return (None, None, time_text(change.at), None, "")
    return rating_cells(change.feedback)
