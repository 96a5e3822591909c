"""`lor3 prompt diff`."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, printable, say
from entrypoints.cli.prompt_store import on_lor3, reference_to

if TYPE_CHECKING:
    from application.use_cases.read_prompts import PromptView
    from domain.prompt.reference import PromptReference, VersionRef
    from entrypoints.application import Application

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_LISTED: Final = 10
"""Versions that are named to one who compared one with itself."""


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
@for_tenant
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
    ((old, old_text), (new, new_text)), numbers = on_lor3(
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
        say(_same(old, numbers) if old == new else f"{old} and {new} say the same")
    for line in lines:
        head = line.startswith(("---", "+++")) and line in lines[:2]
        click.echo(click.style(printable(line), fg=None if head else _COLOURS.get(line[:1]), bold=head))


async def _texts(
    application: "Application", references: "tuple[PromptReference, PromptReference]", *, compiled: bool
) -> "tuple[list[tuple[VersionRef, str]], list[int]]":
    """Each version and its text; and the numbers of the versions that there are, newest first."""
    from domain.prompt.reference import PromptReference

    texts: list[tuple[VersionRef, str]] = []
    for reference in references:
        view = await application.read_prompts.one(tenant_from(), reference)
        ref = view.version.ref
        if compiled:
            exact = PromptReference(name=ref.name, version=ref.number)
            texts.append((ref, (await application.read_prompts.compiled(tenant_from(), exact)).text))
        else:
            texts.append((ref, _document(application, view)))
    listed = await application.read_prompts.history(tenant_from(), references[0].name, limit=_LISTED)
    return texts, [outline.ref.number for outline in listed]


def _same(ref: "VersionRef", numbers: Sequence[int]) -> str:
    """What to say to one who compared a version with itself."""
    others = [number for number in numbers if number != ref.number]
    if not others:
        return (
            f"{ref} is the only version, so there is nothing to compare yet; to make another:\n"
            f"  lor3 prompt edit {ref.name}"
        )
    listed = ", ".join(f"v{number}" for number in others)
    older, newer = sorted((others[0], ref.number))
    return (
        f"both are {ref}; to compare with it there {'is' if len(others) == 1 else 'are'} {listed}, such as:\n"
        f"  lor3 prompt diff {ref.name} v{older} v{newer}"
    )


def _document(application: "Application", view: "PromptView") -> str:
    """With the fragments' versions at its end: they may be all that differs."""
    version = view.version
    told = "".join(f"#   {pin.written} → {pin.ref} ({pin.hash[:12]})\n" for pin in version.pins)
    return application.prompt_texts.write(version.source) + (f"# fragments:\n{told}" if told else "")
