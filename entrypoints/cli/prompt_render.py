"""`lor3 prompt render`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import print_json, printable
from entrypoints.cli.prompt_store import footnote, on_lor3
from entrypoints.cli.variables import texts_from, typed, variable_options

if TYPE_CHECKING:
    from domain.prompt.compiled import RenderedPrompt
    from entrypoints.application import Application


@click.command(
    help="""Fill in a prompt's variables and print the text. No model is asked, nothing is stored.

\b
Examples:
  lor3 prompt render support_agent --var name=Ada --var tags='["vip"]'
  lor3 prompt render rag_summary@staging --var-file document=report.md --json
"""
)
@click.argument("reference", metavar="NAME[:VERSION|@LABEL]")
@variable_options
@click.option(
    "--key",
    default="",
    metavar="TEXT",
    help="Who sees it, such as a thread's id: chooses among the versions of a rollout.",
)
@common
@for_tenant
def render(
    reference: str,
    variables: tuple[str, ...],
    variable_files: tuple[str, ...],
    key: str,
    config_path: Path | None,
    as_json: bool,
) -> None:
    from entrypoints.prompt_rendering import rendered_json

    texts = texts_from(variables, variable_files)

    async def run(application: "Application") -> "RenderedPrompt":
        from application.use_cases.render_prompt import RenderPromptCommand
        from domain.prompt.reference import PromptReference

        named = PromptReference.parse(reference, path="name")
        declared = (await application.read_prompts.compiled(tenant_from(), named)).variables if texts else ()
        given = typed(texts, declared)
        with given.hinting():
            return await application.render_prompt.execute(
                RenderPromptCommand(tenant=tenant_from(), reference=named, variables=given.values, key=key)
            )

    rendered = on_lor3(config_path, run)
    if as_json:
        print_json(rendered_json(rendered))
        return
    _print(rendered)
    footnote(
        str(rendered.ref),
        *([f"with {', '.join(map(str, rendered.fragments))}"] if rendered.fragments else []),
        f"hash {rendered.hash[:12]}",
    )


def _print(rendered: "RenderedPrompt") -> None:
    """The system text alone as it is, or each turn under its role."""
    from entrypoints.prompt_rendering import rendered_text

    person = sys.stdout.isatty()
    if not person or not rendered.turns:
        text = rendered_text(rendered)
        click.echo(printable(text) if person else text, nl=not text.endswith("\n"))
        return
    turns = [("system", rendered.system)] if rendered.system is not None else []
    turns += [(turn.role, turn.text) for turn in rendered.turns]
    for index, (role, text) in enumerate(turns):
        click.echo(click.style(f"{chr(10) if index else ''}{role}", bold=True))
        click.echo(printable(text or ""))
