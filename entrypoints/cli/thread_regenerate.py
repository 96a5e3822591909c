"""`lor3 thread regenerate`."""

from pathlib import Path
from typing import Any

import click

from entrypoints.cli.answer_options import answer_options, ask_from, check_variables
from entrypoints.cli.identifiers import message_id
from entrypoints.cli.options import common, for_tenant, quiet, settings_from
from entrypoints.cli.output import warn
from entrypoints.cli.sending import send_and_print


@click.command(
    help="""Have the last answer of a thread made once more, with other options or the same.

The new answer is stored behind the old one, and what the thread remembers is the new one. A turn at the end that
nobody answered, as a fork may have, is answered in the same way. The answer goes to stdout, everything else to stderr.

\b
Examples:
  lor3 thread regenerate 01890a5d-b1c0-7d2e-8f3a-5c0f7e2b9a41
  lor3 thread regenerate 01890a5d-b1c0-7d2e-8f3a-5c0f7e2b9a41 --model claude:opus --format markdown
"""
)
@click.argument("message", metavar="MESSAGE_ID")
@answer_options
@common
@for_tenant
def regenerate(message: str, config_path: Path | None, as_json: bool, **options: Any) -> int:
    answer = message_id(message, path="MESSAGE_ID")
    ask = ask_from(options, as_json=as_json, regenerates=answer)
    settings = quiet(settings_from(config_path))
    check_variables(ask, settings)
    warn(settings.warnings)
    return send_and_print(settings, ask, as_json=as_json)
