"""`lor3 prompt list`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.options import common
from entrypoints.cli.output import print_json, print_table, say
from entrypoints.cli.prompt_store import lines, on_lor3, served_text, tell_files, weights_text

if TYPE_CHECKING:
    from application.use_cases.import_prompt_files import ImportReport
    from application.use_cases.read_prompts import PromptView
    from domain.prompt.version import Label, Prompt
    from entrypoints.application import Application


@click.command(
    "list",
    help="""List every prompt: its newest version, what its bare name means, its labels and where it comes from.

`*` marks a protected label. What is wrong with a file is said on stderr.

\b
Examples:
  lor3 prompt list
  lor3 prompt list --json | jq -r '.items[].name'
""",
)
@common
def list_prompts(config_path: Path | None, as_json: bool) -> None:
    from entrypoints.prompt_rendering import prompt_json

    views, report = on_lor3(config_path, _read)
    tell_files(report)
    if as_json:
        print_json({"items": [prompt_json(view) for view in views]})
        return
    if not views:
        say("there is no prompt yet; `lor3 prompt edit NAME` makes one, and so does a file in config/prompts")
        return
    print_table(
        ("name", "latest", "serves", "labels", "source", "updated"),
        [_row(view.prompt) for view in views],
    )


def _label(label: "Label") -> str:
    return f"{label.name}{'*' if label.protected else ''} {weights_text(label.weights)}"


def _row(prompt: "Prompt") -> tuple[str, ...]:
    return (
        prompt.name,
        f"v{prompt.latest}",
        served_text(prompt),
        lines([_label(label) for label in prompt.labels]),
        "database" if prompt.file is None else prompt.file.path,
        prompt.updated_at.strftime("%Y-%m-%d" if sys.stdout.isatty() else "%Y-%m-%d %H:%M"),
    )


async def _read(application: "Application") -> "tuple[list[PromptView], ImportReport | None]":
    from domain.ids import DEFAULT_TENANT

    views: list[PromptView] = []
    page = await application.read_prompts.page(DEFAULT_TENANT)
    views += page.items
    while page.next_after is not None:
        page = await application.read_prompts.page(DEFAULT_TENANT, after=page.next_after)
        views += page.items
    return views, application.prompt_report()
