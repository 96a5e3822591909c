"""`lor3 prompt delete`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, printable, say
from entrypoints.cli.prompt_store import etags, matching, on_lor3, reference_to

if TYPE_CHECKING:
    from domain.prompt.reference import VersionRef
    from entrypoints.application import Application


@click.command(
    help="""Delete a version that no chat used, no label points to and no other prompt includes.

The prompt goes with its last version. Asks first on a terminal; elsewhere --yes is needed.

\b
Example:
  lor3 prompt delete support_agent v2 --yes
"""
)
@click.argument("name")
@click.argument("version", required=False, metavar="VERSION")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@matching
@common
@for_tenant
def delete(
    name: str, version: str | None, yes: bool, if_match: str | None, config_path: Path | None, as_json: bool
) -> int:
    from domain.prompt.reference import VersionRef

    reference = reference_to(name, name if version is None and ":" in name else version)
    if reference.version is None:
        wrong = "say which version" if version is None else f"`{version}` is no version"
        raise click.UsageError(f"{wrong}, such as: lor3 prompt delete {reference.name} v2")
    ref = VersionRef(reference.name, reference.version)
    if not yes:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise click.UsageError("there is nobody to ask; add --yes")
        last = on_lor3(config_path, lambda application: _is_last(application, ref))
        what = f"{ref}, the last version, and the prompt with it" if last else str(ref)
        if not click.confirm(f"Delete {what}?", err=True):
            say("kept")
            return 1

    async def run(application: "Application") -> str | None:
        from application.use_cases.delete_prompt_version import DeletePromptVersionCommand

        path = await _file_of_the_last(application, ref)
        await application.delete_prompt_version.execute(
            DeletePromptVersionCommand(tenant=tenant_from(), ref=ref, if_match=etags(if_match))
        )
        return path

    path = on_lor3(config_path, run)
    if as_json:
        print_json({"deleted": str(ref)})
    else:
        click.echo(f"deleted {ref}")
    if path is not None:
        say(f"{printable(path)} will bring `{ref.name}` back when the files are read again; remove it too")
    return 0


async def _file_of_the_last(application: "Application", ref: "VersionRef") -> str | None:
    """The file that the folder still has of a prompt that goes with this version; None where it stays or has none.

    Raises:
        NotFound: there is no such version.
    """
    from domain.prompt.reference import PromptReference

    view = await application.read_prompts.entry(
        tenant_from(), PromptReference(name=ref.name, version=ref.number)
    )
    if not await _is_last(application, ref):
        return None
    report, link = application.prompt_report(), view.prompt.file
    if report is None:
        return None
    diverged = next((each.path for each in report.diverged if each.name == ref.name), None)
    if link is None or any(each.name == ref.name for each in report.gone):
        return diverged
    return link.path


async def _is_last(application: "Application", ref: "VersionRef") -> bool:
    """
    Raises:
        NotFound: there is no such version.
    """
    from domain.prompt.reference import PromptReference

    await application.read_prompts.entry(tenant_from(), PromptReference(name=ref.name, version=ref.number))
    return len(await application.read_prompts.history(tenant_from(), ref.name, limit=2)) == 1
