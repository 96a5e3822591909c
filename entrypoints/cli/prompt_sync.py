"""`lor3 prompt sync`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from entrypoints.cli.options import common
from entrypoints.cli.output import print_json, printable, say
from entrypoints.cli.prompt_store import authored, on_lor3

if TYPE_CHECKING:
    from application.services.sync_text import SidesDiverged
    from application.use_cases.sync_prompt import SyncedPrompt, SyncPromptWithAssistantCommand
    from entrypoints.application import Application

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command(
    help="""Bring a prompt and its file, or an assistant, to the same text.

The side that changed since the two last agreed is taken over: a changed file or assistant becomes the next
version, a changed prompt is written into the file or the assistant. Where both changed, nothing is done: the
difference is printed, and `--prefer` says which one counts. No label is moved.

An assistant has one text of instructions: fragments are put in place, and tags such as `{{name}}` stay. OpenAI
switched its Assistants API off on 2026-08-26; `--base-url` names a server that still serves it, which gets
the key of the provider with that URL, else OPENAI_API_KEY.

\b
Examples:
  lor3 prompt sync support_agent
  lor3 prompt sync support_agent --dry-run
  lor3 prompt sync support_agent --prefer remote
  lor3 prompt sync support_agent --to openai --base-url http://127.0.0.1:8000/v1
"""
)
@click.argument("name")
@click.option(
    "--to",
    type=click.Choice(["dir", "openai"]),
    default="dir",
    show_default=True,
    help="The folder of prompt files, or an assistant.",
)
@click.option(
    "--prefer",
    type=click.Choice(["local", "remote"]),
    help="Which side counts where both changed: `local` is lor3's database.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--assistant-id", metavar="ID", help="Link the prompt to this assistant. [default: as it is linked]"
)
@click.option(
    "--model",
    metavar="MODEL",
    help="For an assistant that has to be made. [default: the primary model, if it is of that server]",
)
@click.option(
    "--base-url",
    metavar="URL",
    help="The server of the assistants. [default: the openai provider's, else $OPENAI_BASE_URL]",
)
@authored
@common
def sync(
    name: str,
    to: Literal["dir", "openai"],
    prefer: Literal["local", "remote"] | None,
    dry_run: bool,
    assistant_id: str | None,
    model: str | None,
    base_url: str | None,
    author: str | None,
    message: str | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    from application.services.sync_text import SidesDiverged
    from application.use_cases.sync_prompt import SyncPromptWithAssistantCommand
    from domain.prompt.reference import prompt_name

    if to == "dir" and (assistant_id is not None or model is not None or base_url is not None):
        raise click.UsageError("--assistant-id, --model and --base-url are for `--to openai`")
    command = SyncPromptWithAssistantCommand(
        name=prompt_name(name),
        prefer=prefer,
        author=author,
        message=message,
        dry_run=dry_run,
        assistant_id=assistant_id,
        model=model,
        base_url=base_url,
    )

    async def run(application: "Application") -> "SyncedPrompt":
        if to == "dir":
            return await application.prompt_transfer().sync_with_file.execute(command)
        return await _with_assistant(application, command, base_url)

    try:
        # Reading the whole folder first would decide about this file before the command could.
        synced = on_lor3(config_path, run, import_files=False)
    except SidesDiverged as error:
        print_difference(error, name=name, as_json=as_json)
        raise
    _print(synced, is_file=to == "dir", dry_run=dry_run, as_json=as_json)


async def _with_assistant(
    application: "Application", command: "SyncPromptWithAssistantCommand", base_url: str | None
) -> "SyncedPrompt":
    import attrs

    from entrypoints.assistants_server import assistants_server, default_model
    from entrypoints.bootstrap import open_assistants

    server = assistants_server(application.settings, base_url=base_url, environ=os.environ)
    if command.model is None:
        command = attrs.evolve(command, model=default_model(application.settings, server))
    assistants = open_assistants(server)
    try:
        return await application.prompt_transfer().sync_with_assistant(assistants).execute(command)
    finally:
        await assistants.aclose()


def print_difference(error: "SidesDiverged", *, name: str, as_json: bool) -> None:
    """What separates the two sides, on stdout; the error itself goes to stderr as any other."""
    if as_json:
        print_json({"outcome": "diverged", "name": name, "diff": error.diff})
        return
    for index, line in enumerate(error.diff.splitlines()):
        colour = None if index < 2 else _COLOURS.get(line[:1])
        click.echo(click.style(printable(line), fg=colour, bold=index < 2))


def _print(synced: "SyncedPrompt", *, is_file: bool, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "outcome": synced.outcome,
                "name": synced.ref.name,
                "version": f"v{synced.ref.number}",
                "where": synced.where,
                "notes": list(synced.notes),
                "dry_run": dry_run,
            }
        )
        return
    ref, where = str(synced.ref), printable(synced.where)
    there = where if is_file else f"the assistant {where}"
    done, would = {
        "unchanged": (f"{ref} and {there} say the same", f"nothing to do: {ref} and {there} say the same"),
        "pulled": (f"made {ref} of {there}", f"would make {ref} of {there}"),
        "pushed": (f"wrote {ref} into {there}", f"would write {ref} into {there}"),
        "created": (
            f"wrote {ref} into {there}, which is new",
            f"would write {ref} into {where}, a new file" if is_file else f"would make an assistant of {ref}",
        ),
    }[synced.outcome]
    click.echo(would if dry_run else done)
    for note in synced.notes:
        say(printable(note))
