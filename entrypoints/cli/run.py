"""`lor3 run`: one chat from the command line, by the same path as `POST /chat`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from entrypoints.cli.answer_options import answer_options, ask_from, check_variables
from entrypoints.cli.ask import Ask, user_name
from entrypoints.cli.identifiers import check_thread_id, session_id
from entrypoints.cli.options import common, for_tenant, quiet, settings_from, untold_files
from entrypoints.cli.output import print_json, unsaid, warn
from entrypoints.cli.prompt_text import prompt_from
from entrypoints.cli.sending import own_words, prepared, send_and_print

if TYPE_CHECKING:
    from domain.explanation import Explanation
    from entrypoints.settings import Settings


@click.command(
    help="""Answer one prompt, and store the answer as the server would.

The answer goes to stdout, everything else to stderr. A terminal sees it as it grows. What is piped in is the
prompt; with words or --prompt too, it follows them after a blank line.

\b
Examples:
  lor3 run --prompt "Why is the sky blue?"
  git diff | lor3 run "Summarise this diff" --model claude:opus --format markdown
  lor3 run --prompt "Three colours" --schema colours.json --json
  lor3 run "Where is my parcel?" --system support_agent:v3 --var name=Ada
  lor3 run --thread 01890a5d-ac96 "And in winter?" --context-depth 5
"""
)
@click.argument("words", nargs=-1, metavar="[PROMPT]")
@click.option("--prompt", help="The prompt; - reads it from stdin.")
@click.option("--thread", metavar="ID", help="Continue this thread; the beginning of its id will do.")
@click.option("--session", metavar="ID", help="Begin the thread in this session.")
@click.option("--user", metavar="USER", help="For whom, as your own system calls them.")
@answer_options
@click.option("--explain", is_flag=True, help="Show what would be sent, and send nothing.")
@common
@for_tenant
def run(
    words: tuple[str, ...],
    prompt: str | None,
    thread: str | None,
    session: str | None,
    user: str | None,
    explain: bool,
    config_path: Path | None,
    as_json: bool,
    **options: Any,
) -> int:
    ask = ask_from(
        options,
        as_json=as_json,
        prompt=prompt_from(prompt, words),
        thread=check_thread_id(thread, path="--thread") if thread is not None else None,
        session=session_id(session, path="--session") if session is not None else None,
        user=user_name(user) if user is not None else None,
    )
    settings = quiet(settings_from(config_path))
    check_variables(ask, settings)
    warn(settings.warnings)
    if not explain:
        return send_and_print(settings, ask, as_json=as_json)
    with untold_files(settings):
        explanation = asyncio.run(_explain(settings, ask))
    _print_explanation(explanation, settings, as_json=as_json)
    return 0


async def _explain(settings: "Settings", ask: Ask) -> "Explanation":
    from entrypoints.bootstrap import running

    async with running(settings) as application:
        command, given = await prepared(application, ask)
        with own_words(ask), given.hinting():
            return await application.explain_chat.execute(command)


def _print_explanation(explanation: "Explanation", settings: "Settings", *, as_json: bool) -> None:
    warn(unsaid(explanation.warnings, settings.warnings))
    if as_json:
        from entrypoints.rendering import explanation_json

        print_json(explanation_json(explanation))
    else:
        from entrypoints.cli.explanation import print_explanation

        print_explanation(explanation)
