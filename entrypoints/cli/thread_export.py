"""`lor3 thread export`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast, get_args

import click

from domain.values import frozen
from entrypoints.cli.choices import one_of
from entrypoints.cli.identifiers import check_thread_id, existing_thread_id
from entrypoints.cli.on_threads import reading_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import ascii_controls, print_json, printable, say
from entrypoints.cli.output_file import check_writable, written_to

if TYPE_CHECKING:
    from entrypoints.reading import Reading
    from entrypoints.thread_export import ExportFormat

_ENDINGS: Final = {".json": "json"}


@frozen(kw_only=True)
class _Written:
    thread: str
    messages: int


@click.command(
    help="""Write a whole conversation: as Markdown for people, as JSON for programs.

\b
Examples:
  lor3 thread export 01890a5d-ac96 > talk.md
  lor3 thread export 01890a5d-ac96 --output talk.json
  lor3 thread export 01890a5d-ac96 --format json | jq '.messages[].content'
"""
)
@click.argument("thread", metavar="THREAD_ID")
@click.option(
    "--format",
    "format_name",
    metavar="FORMAT",
    help="markdown or json. [default: json for --json and for a FILE.json, else markdown]",
)
@click.option(
    "--output", "-o", metavar="FILE", type=click.Path(path_type=Path), help="Write it to this file."
)
@common
@for_tenant
def export(
    thread: str, format_name: str | None, output: Path | None, config_path: Path | None, as_json: bool
) -> None:
    from entrypoints.thread_export import ExportFormat

    to_file = output is not None and str(output) != "-"
    if format_name is not None:
        chosen = one_of(format_name, get_args(ExportFormat), path="--format")
    elif to_file:
        chosen = _ENDINGS.get(output.suffix.lower(), "markdown") if output is not None else "markdown"
    else:
        chosen = "json" if as_json else "markdown"
    if as_json and chosen != "json" and not to_file:
        raise click.UsageError(
            "--json prints JSON; leave out --format markdown, or name a file with --output"
        )
    check_thread_id(thread, path="THREAD_ID")
    check_writable(output)

    done = reading_threads(
        config_path, lambda application: _write(application, thread, cast("ExportFormat", chosen), output)
    )
    if not to_file:
        return
    if as_json:
        print_json({"thread_id": done.thread, "messages": done.messages, "output": str(output)})
    else:
        say(f"{done.messages:,} message{'' if done.messages == 1 else 's'} in {output}", dim=True)


async def _write(
    application: "Reading",
    text: str,
    chosen: "ExportFormat",
    output: Path | None,
) -> _Written:
    from entrypoints.thread_export import export_pieces

    thread_id = await existing_thread_id(application, text, path="THREAD_ID")
    found = await application.export_thread.open(tenant_from(), thread_id)
    with written_to(output) as stream:
        is_seen = stream is sys.stdout and sys.stdout.isatty()
        async for piece in export_pieces(found, chosen):
            told = piece.decode()
            stream.write(_on_terminal(told, chosen) if is_seen else told)
    return _Written(thread=thread_id, messages=found.thread.length)


def _on_terminal(piece: str, chosen: "ExportFormat") -> str:
    return ascii_controls(piece) if chosen == "json" else printable(piece)
