"""`lor3 prompt diff`."""

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.options import common
from entrypoints.cli.output import print_json, printable, say
from entrypoints.cli.prompt_store import on_lor3, reference_to

if TYPE_CHECKING:
    from application.use_cases.read_prompts import PromptView
    from domain.prompt.reference import PromptReference, VersionRef
    from entrypoints.application import Application

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command(
    help="""Compare two versions of a prompt, as a unified diff of their documents.

Each is a version or a label. Without the second it is the newest version; without both, what the bare name
means is compared with the newest. Exits 0 whether they differ or not.

\b
Examples:
  lor3 prompt diff support_agent v2 v3
  lor3 prompt diff support_agent production staging --compiled
"""
)
@click.argument("name")
@click.argument("before", required=False, metavar="[VERSION|LABEL]")
@click.argument("after", required=False, metavar="[VERSION|LABEL]")
@click.option("--compiled", is_flag=True, help="Compare the texts with all fragments in place.")
@common
def diff(
    name: str,
    before: str | None,
    after: str | None,
    compiled: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    from domain.prompt.reference import LATEST, PromptReference

    named = PromptReference.parse(name, path="name")
    if named != PromptReference(name=named.name):  # `support_agent:v1 v2`: the first is in the name
        if after is not None:
            raise click.UsageError("say each version once: NAME v2 v3, or NAME:v2 v3")
        before, after = name, before
    references = (reference_to(named.name, before), reference_to(named.name, after or LATEST))
    (old, old_text), (new, new_text) = on_lor3(
        config_path, lambda application: _texts(application, references, compiled=compiled)
    )
    lines = [
        line.rstrip("\n")
        for line in difflib.unified_diff(
            old_text.splitlines(), new_text.splitlines(), fromfile=str(old), tofile=str(new), lineterm=""
        )
    ]
    if as_json:
        print_json({"from": str(old), "to": str(new), "compiled": compiled, "diff": "\n".join(lines)})
        return
    if not lines:
        say(f"{old} is {new}" if old == new else f"{old} and {new} are the same")
    for line in lines:
        head = line.startswith(("---", "+++")) and line in lines[:2]
        click.echo(click.style(printable(line), fg=None if head else _COLOURS.get(line[:1]), bold=head))


async def _texts(
    application: "Application", references: "tuple[PromptReference, PromptReference]", *, compiled: bool
) -> "list[tuple[VersionRef, str]]":
    from domain.ids import DEFAULT_TENANT
    from domain.prompt.reference import PromptReference

    texts: list[tuple[VersionRef, str]] = []
    for reference in references:
        view = await application.read_prompts.one(DEFAULT_TENANT, reference)
        ref = view.version.ref
        if compiled:
            exact = PromptReference(name=ref.name, version=ref.number)
            texts.append((ref, (await application.read_prompts.compiled(DEFAULT_TENANT, exact)).text))
        else:
            texts.append((ref, _document(application, view)))
    return texts


def _document(application: "Application", view: "PromptView") -> str:
    """With the fragments' versions at its end: they may be all that differs."""
    version = view.version
    told = "".join(f"#   {pin.written} → {pin.ref} ({pin.hash[:12]})\n" for pin in version.pins)
    return application.prompt_texts.write(version.source) + (f"# fragments:\n{told}" if told else "")
