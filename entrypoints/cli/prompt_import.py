"""`lor3 prompt import`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, printable, say
from entrypoints.cli.prompt_store import authored, on_lor3
from entrypoints.cli.prompt_sync import print_difference

if TYPE_CHECKING:
    from application.use_cases.import_prompt import (
        ImportAssistantCommand,
        ImportDocumentCommand,
        ImportedVersion,
    )
    from entrypoints.application import Application


@click.command(
    name="import",
    help="""Bring a prompt here from a file of another tool, or from an assistant.

Files: dotprompt (`.prompt`), Langfuse's JSON, an assistant's JSON as `GET /v1/assistants/{id}` gave it, and
lor3's own YAML and JSON. What a prompt has no place for, such as the model, is named on stderr; what lor3 has
no equivalent of, such as a helper, is refused with its line. Importing the same thing again makes nothing, and
no label is moved.

OpenAI switched its Assistants API off on 2026-08-26; `--base-url` names a server that still serves it, which
gets the key of the provider with that URL, else OPENAI_API_KEY.

\b
Examples:
  lor3 prompt import --from-file support.prompt
  lor3 prompt import --from-file langfuse.json --name support_agent
  lor3 prompt import --from-file assistant.json --variables
  lor3 prompt import --from-assistant-id asst_abc123 --base-url http://127.0.0.1:8000/v1
""",
)
@click.option("--from-file", "file", type=click.Path(path_type=Path), metavar="PATH", help="The file.")
@click.option("--from-assistant-id", "assistant_id", metavar="ID", help="The assistant, such as asst_abc123.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["auto", "lor3", "dotprompt", "langfuse", "assistant"]),
    default="auto",
    show_default=True,
    help="What the file is.",
)
@click.option("--name", metavar="NAME", help="The prompt's name. [default: made of the original's]")
@click.option(
    "--variables",
    is_flag=True,
    help="In an assistant's instructions `{{name}}` is a variable; else it stays text.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be made, and make nothing.")
@click.option(
    "--base-url",
    metavar="URL",
    help="The server of the assistants. [default: the openai provider's, else $OPENAI_BASE_URL]",
)
@authored
@common
@for_tenant
def import_prompt(
    file: Path | None,
    assistant_id: str | None,
    format_: Literal["auto", "lor3", "dotprompt", "langfuse", "assistant"],
    name: str | None,
    variables: bool,
    dry_run: bool,
    base_url: str | None,
    author: str | None,
    message: str | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    from application.services.sync_text import SidesDiverged
    from application.use_cases.import_prompt import ImportAssistantCommand, ImportDocumentCommand
    from domain.prompt.reference import prompt_name

    if (file is None) == (assistant_id is None):
        raise click.UsageError("say where from: --from-file PATH or --from-assistant-id ID")
    if assistant_id is not None and format_ != "auto":
        raise click.UsageError("--format is for --from-file")
    if file is not None and base_url is not None:
        raise click.UsageError("--base-url is for --from-assistant-id")
    named = None if name is None else prompt_name(name)
    command: ImportDocumentCommand | ImportAssistantCommand
    if file is not None:
        command = ImportDocumentCommand(
            tenant=tenant_from(),
            path=str(file),
            format=format_,
            name=named,
            variables=variables,
            author=author,
            message=message,
            dry_run=dry_run,
        )
    else:
        command = ImportAssistantCommand(
            tenant=tenant_from(),
            assistant_id=str(assistant_id),
            base_url=base_url,
            name=named,
            variables=variables,
            author=author,
            message=message,
            dry_run=dry_run,
        )
    try:
        imported = on_lor3(config_path, lambda application: _import(application, command, base_url))
    except SidesDiverged as error:
        print_difference(error, name=named or "", as_json=as_json)
        raise
    _print(imported, dry_run=dry_run, as_json=as_json)


async def _import(
    application: "Application",
    command: "ImportDocumentCommand | ImportAssistantCommand",
    base_url: str | None,
) -> "ImportedVersion":
    from application.use_cases.import_prompt import ImportDocumentCommand
    from entrypoints.assistants_server import assistants_server
    from entrypoints.bootstrap import open_assistants

    if isinstance(command, ImportDocumentCommand):
        return await application.prompt_transfer().import_document.execute(command)
    assistants = open_assistants(
        assistants_server(application.settings, base_url=base_url, environ=os.environ)
    )
    try:
        return await application.prompt_transfer().import_assistant(assistants).execute(command)
    finally:
        await assistants.aclose()


def _print(imported: "ImportedVersion", *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "name": imported.ref.name,
                "version": f"v{imported.ref.number}",
                "created": imported.created,
                "notes": list(imported.notes),
                "dry_run": dry_run,
            }
        )
        return
    if not imported.created:
        click.echo(f"nothing new: {imported.ref} has it already")
        return
    click.echo(f"{'would make' if dry_run else 'made'} {imported.ref}")
    for note in imported.notes:
        say(f"note: {printable(note)}")
