"""`lor3 prompt show`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from domain.values import frozen
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, print_table, printable
from entrypoints.cli.prompt_file_state import FileState, file_state, source_text
from entrypoints.cli.prompt_store import lines, on_lor3, reference_to, tell_files, weights_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from application.use_cases.import_prompt_files import ImportReport
    from application.use_cases.read_prompts import PromptView
    from domain.prompt.compiled import CompiledPrompt
    from domain.prompt.reference import PromptReference
    from domain.prompt.source import PromptSource, Variable
    from domain.prompt.version import Label, Prompt, PromptVersion
    from entrypoints.application import Application


@frozen(kw_only=True)
class Shown:
    view: "PromptView"
    compiled: "CompiledPrompt | None"
    versions: "tuple[PromptVersion, ...]"
    document: str
    """As YAML."""
    report: "ImportReport | None"
    state: FileState | None
    """Of the prompt's file."""


@click.command(
    help="""Show a version of a prompt: its text, variables and fragments, who made it and why.

A name alone is what its label `production` points to, else the newest version. --yaml prints the document
that `lor3 prompt edit NAME --from-file` reads.

\b
Examples:
  lor3 prompt show support_agent
  lor3 prompt show support_agent:v3 --compiled
  lor3 prompt show support_agent@staging --json | jq -r .hash
"""
)
@click.argument("name", metavar="NAME[:VERSION|@LABEL]")
@click.option("--version", metavar="VERSION", help="This version, such as v3; or `latest`.")
@click.option("--label", metavar="LABEL", help="The version that this label points to.")
@click.option(
    "--compiled", is_flag=True, help="With all fragments in place, and every variable that is needed."
)
@click.option("--history", is_flag=True, help="List all versions, newest first.")
@click.option("--yaml", "as_yaml", is_flag=True, help="The document alone, to be edited.")
@common
@for_tenant
def show(
    name: str,
    version: str | None,
    label: str | None,
    compiled: bool,
    history: bool,
    as_yaml: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    from entrypoints.prompt_rendering import prompt_detail_json, version_json

    if as_yaml and (as_json or compiled or history):
        raise click.UsageError("--yaml prints the document alone; leave out --json, --compiled and --history")
    reference = _reference(name, version, label)
    shown = on_lor3(
        config_path, lambda application: _read(application, reference, compiled=compiled, history=history)
    )
    tell_files(shown.report, name=reference.name)
    if as_json:
        detail = {**prompt_detail_json(shown.view, shown.compiled), "file_state": shown.state}
        if history:
            detail["versions"] = [version_json(each) for each in shown.versions]
        print_json(detail)
    elif as_yaml:
        click.echo(shown.document, nl=False)
    elif history:
        _print_history(shown.view.prompt, shown.versions)
    elif shown.compiled is not None:
        _print_compiled(shown.compiled)
    else:
        _print_version(shown.view, shown.state)


def _reference(name: str, version: str | None, label: str | None) -> "PromptReference":
    """
    Raises:
        click.UsageError: the version is said twice.
        InvalidRequest: it is no reference.
    """
    from domain.prompt.reference import PromptReference

    reference = PromptReference.parse(name, path="name")
    which = version if version is not None else label
    if which is None:
        return reference
    if (version is not None and label is not None) or reference != PromptReference(name=reference.name):
        raise click.UsageError("say which version once: in the name, by --version or by --label")
    return reference_to(name, which, path="--version" if version is not None else "--label")


async def _read(
    application: "Application", reference: "PromptReference", *, compiled: bool, history: bool
) -> Shown:
    from domain.prompt.reference import PromptReference, VersionRef

    prompts = application.read_prompts
    view = await prompts.one(tenant_from(), reference)
    exact = PromptReference(name=view.version.name, version=view.version.number)
    versions: list[PromptVersion] = []
    if history:
        page = await prompts.versions(tenant_from(), reference.name)
        versions += page.items
        while page.next_below is not None:
            page = await prompts.versions(tenant_from(), reference.name, below=page.next_below)
            versions += page.items
    newest = VersionRef(view.prompt.name, view.prompt.latest)
    hashes = await prompts.hashes(tenant_from(), [newest])
    report = application.prompt_report()
    return Shown(
        view=view,
        compiled=await prompts.compiled(tenant_from(), exact) if compiled else None,
        versions=tuple(versions),
        document=application.prompt_texts.write(view.version.source),
        report=report,
        state=file_state(view.prompt, hashes.get(newest, ""), report),
    )


def _print_version(view: "PromptView", state: FileState | None) -> None:
    prompt, version = view.prompt, view.version
    _title(str(version.ref), version.source.description)
    _facts(
        [
            ("newest", f"v{prompt.latest}"),
            *((f"label {label.name}", _points(label)) for label in prompt.labels),
            ("source", source_text(prompt, state)),
            *([("assistant", prompt.assistant.id)] if prompt.assistant is not None else []),
            (
                "made",
                f"{_time(version)}{f' by {version.author}' if version.author else ''}, from {_MADE_BY[version.made_by]}",
            ),
            *([("why", version.message)] if version.message else []),
            ("hash", version.hash),
            ("etag", prompt.etag),
        ]
    )
    _print_source(version.source)
    _print_variables(version.source.variables)
    if version.pins:
        _head("Fragments")
        print_table(
            ("written", "version", "hash"), [(pin.written, pin.ref, pin.hash[:12]) for pin in version.pins]
        )


def _print_compiled(compiled: "CompiledPrompt") -> None:
    _title(f"{compiled.ref}, compiled", None)
    fragments = ", ".join(map(str, compiled.fragments))
    _facts([("hash", compiled.hash), ("fragments", fragments or "none")])
    _head("Text")
    click.echo(printable(compiled.text))
    _print_variables(compiled.variables)


def _print_history(prompt: "Prompt", versions: "Sequence[PromptVersion]") -> None:
    print_table(
        ("version", "labels", "made (UTC)", "by", "from", "why", "hash"),
        [
            (
                f"v{version.number}",
                lines(_labels_of(prompt, version.number)),
                version.created_at.strftime("%Y-%m-%d %H:%M"),
                version.author or "",
                version.made_by,
                version.message or "",
                version.hash[:12],
            )
            for version in versions
        ],
        folding=("why", "labels", "by"),
    )


def _print_source(source: "PromptSource") -> None:
    for turn in source.turns:
        _head(turn.role.capitalize() if source.is_chat else "Text")
        click.echo(printable(turn.template.removesuffix("\n")))


def _print_variables(variables: "Sequence[Variable]") -> None:
    if not variables:
        return
    _head("Variables")
    print_table(
        ("name", "type", "default", "description"),
        [
            (
                variable.name,
                f"enum: {', '.join(variable.values)}" if variable.type == "enum" else variable.type,
                "required" if variable.required else _json(variable.default),
                variable.description or "",
            )
            for variable in variables
        ],
        folding=("description", "type", "default"),
    )


def _labels_of(prompt: "Prompt", number: int) -> list[str]:
    """Of each label that points to the version, its name, and its share where that is not all."""
    found = []
    for label in prompt.labels:
        share = dict(label.weights).get(number)
        if share is not None:
            total = sum(weight for _, weight in label.weights)
            found.append(label.name if share == total else f"{label.name} {100 * share / total:.4g}%")
    return found


def _points(label: "Label") -> str:
    return f"{weights_text(label.weights)}{', protected' if label.protected else ''}"


def _title(text: str, description: str | None) -> None:
    click.echo(click.style(text, bold=True) + (f"  {printable(description)}" if description else ""))


def _facts(facts: "Sequence[tuple[str, str]]") -> None:
    width = max(len(name) for name, _ in facts)
    for name, fact in facts:
        click.echo(f"{click.style(name.ljust(width), dim=True)}  {printable(fact)}")


def _head(title: str) -> None:
    click.echo(click.style(f"\n{title}", bold=True))


def _time(version: "PromptVersion") -> str:
    return version.created_at.strftime("%Y-%m-%d %H:%M UTC")


def _json(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


_MADE_BY = {"file": "a file", "api": "the API", "cli": "the command line", "import": "an import"}
