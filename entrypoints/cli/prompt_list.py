"""`lor3 prompt list`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from domain.values import frozen
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, print_table, say
from entrypoints.cli.prompt_file_state import FileState, file_state, source_text
from entrypoints.cli.prompt_store import lines, on_lor3, served_text, tell_files, weights_text

if TYPE_CHECKING:
    from application.use_cases.import_prompt_files import ImportReport
    from application.use_cases.read_prompts import PromptEntry
    from domain.prompt.reference import PromptName
    from domain.prompt.version import Label, Prompt
    from entrypoints.application import Application


@frozen(kw_only=True)
class _Listed:
    views: "list[PromptEntry]"
    states: "dict[PromptName, FileState | None]"
    report: "ImportReport | None"


@click.command(
    "list",
    help="""List every prompt: its newest version, what its bare name means, its labels and where it comes from.

`*` marks a protected label. A file that does not hold the newest version is `behind`, one that is not there any
more `gone`. What is wrong with a file is said on stderr.

\b
Examples:
  lor3 prompt list
  lor3 prompt list --json | jq -r '.items[].name'
""",
)
@common
@for_tenant
def list_prompts(config_path: Path | None, as_json: bool) -> None:
    from entrypoints.prompt_rendering import prompt_json

    listed = on_lor3(config_path, _read)
    views, states = listed.views, listed.states
    tell_files(listed.report)
    if as_json:
        print_json(
            {"items": [{**prompt_json(view), "file_state": states[view.prompt.name]} for view in views]}
        )
        return
    if not views:
        say("there is no prompt yet; `lor3 prompt edit NAME` makes one, and so does a file in config/prompts")
        return
    print_table(
        ("name", "latest", "serves", "labels", "source", "updated"),
        [_row(view.prompt, states[view.prompt.name]) for view in views],
        folding=("labels", "serves", "source", "name"),
    )


def _label(label: "Label") -> str:
    return f"{label.name}{'*' if label.protected else ''} {weights_text(label.weights)}"


def _row(prompt: "Prompt", state: FileState | None) -> tuple[str, ...]:
    return (
        prompt.name,
        f"v{prompt.latest}",
        served_text(prompt),
        lines([_label(label) for label in prompt.labels]),
        source_text(prompt, state),
        prompt.updated_at.strftime("%Y-%m-%d" if sys.stdout.isatty() else "%Y-%m-%d %H:%M"),
    )


async def _read(application: "Application") -> _Listed:
    from domain.prompt.reference import VersionRef

    views: list[PromptEntry] = []
    page = await application.read_prompts.page(tenant_from())
    views += page.items
    while page.next_after is not None:
        page = await application.read_prompts.page(tenant_from(), after=page.next_after)
        views += page.items
    report = application.prompt_report()
    newest = {view.version.ref: view.version.hash for view in views}
    # Where the bare name means an older version, the newest has to be read as well.
    missing = [
        ref
        for view in views
        if view.prompt.file is not None
        and (ref := VersionRef(view.prompt.name, view.prompt.latest)) not in newest
    ]
    newest |= await application.read_prompts.hashes(tenant_from(), missing)
    states = {
        view.prompt.name: file_state(
            view.prompt, newest.get(VersionRef(view.prompt.name, view.prompt.latest), ""), report
        )
        for view in views
    }
    return _Listed(views=views, states=states, report=report)
