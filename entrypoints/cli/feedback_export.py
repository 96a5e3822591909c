"""`lor3 feedback export`."""

import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from entrypoints.cli.feedback_rate import rating_from
from entrypoints.cli.moments import moment_from
from entrypoints.cli.on_threads import reading_threads
from entrypoints.cli.options import common, for_tenant, tenant_from
from entrypoints.cli.output import ascii_controls, print_json, printable, say
from entrypoints.cli.output_file import check_writable, written_to

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from application.use_cases.export_rated import ExportRatedCommand, RatedConversation
    from domain.model import ModelRef
    from entrypoints.reading import Reading


@click.command(
    help="""Write rated answers as JSONL, each with the conversation that led to it, for tuning or evaluation.

A line has `messages` as OpenAI's fine-tuning reads them, rating, score, comment, tags, model, prompt_version and
ids. Ratings compare by their scores from 0 to 1: a thumb is 1 or 0, n of 5 is (n - 1) / 4, so --min-rating 4 takes
thumbs_up too. --since and --until are about when the answer was made.

\b
Examples:
  lor3 feedback export --output rated.jsonl
  lor3 feedback export --since 30d --min-rating 4 --prompt support_agent | jq -c '{messages}'
  lor3 feedback export --max-rating thumbs_down --prompt support_agent:v3
"""
)
@click.option(
    "--min-rating", metavar="RATING", help="thumbs_up, thumbs_down, or 1 to 5: those as good or better."
)
@click.option("--max-rating", metavar="RATING", help="Those as bad or worse.")
@click.option("--since", metavar="WHEN", help="How long ago, such as 30d; a day or a time.")
@click.option("--until", metavar="WHEN", help="The same, exclusive.")
@click.option("--prompt", metavar="REFERENCE", help="Answers with this prompt: name, name:v3 or name@label.")
@click.option("--model", metavar="MODEL", help="Answers of this model: provider:model or an alias.")
@click.option(
    "--output", "-o", metavar="FILE", type=click.Path(path_type=Path), help="Write it to this file."
)
@common
@for_tenant
def export(
    min_rating: str | None,
    max_rating: str | None,
    since: str | None,
    until: str | None,
    prompt: str | None,
    model: str | None,
    output: Path | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    from domain.prompt.reference import PromptReference
    from entrypoints.cli.misuse import as_misuse

    at_least = None if min_rating is None else rating_from(min_rating, path="--min-rating")
    at_most = None if max_rating is None else rating_from(max_rating, path="--max-rating")
    with as_misuse():
        reference = None if prompt is None else PromptReference.parse(prompt, path="--prompt")
    check_writable(output)

    async def run(application: "Reading") -> int:
        from application.use_cases.export_rated import ExportRatedCommand

        now = application.clock.now()
        command = ExportRatedCommand(
            tenant=tenant_from(),
            at_least=at_least,
            at_most=at_most,
            since=None if since is None else moment_from(since, now=now, path="--since"),
            until=None if until is None else moment_from(until, now=now, path="--until"),
            prompt=reference,
            model=None if model is None else _model(application, model),
        )
        return await _write(application, command, output, as_document=as_json and output is None)

    written = reading_threads(config_path, run)
    if output is not None and as_json:
        print_json({"written": written, "output": str(output)})
    elif output is not None and written:
        say(f"{written:,} rated answer{'' if written == 1 else 's'} in {output}", dim=True)
    if not written:
        conditions = {
            "--min-rating": min_rating,
            "--max-rating": max_rating,
            "--since": since,
            "--until": until,
            "--prompt": prompt,
            "--model": model,
        }
        asked = [f"{name} {printable(given)}" for name, given in conditions.items() if given is not None]
        say(f"no rated answer matches {' '.join(asked)}" if asked else "no whole answer is rated yet")


async def _write(
    application: "Reading", command: "ExportRatedCommand", output: Path | None, *, as_document: bool
) -> int:
    """How many were written: a line each, or all in one document."""
    from entrypoints.feedback_rendering import rated_conversation_json
    from entrypoints.rendering import to_json_line

    written = 0
    found = cast("AsyncGenerator[RatedConversation]", application.export_rated.execute(command))
    if as_document:
        async with aclosing(found):
            items = [rated_conversation_json(each) async for each in found]
        print_json({"items": items})
        return len(items)
    with written_to(output) as stream:
        is_seen = stream is sys.stdout and sys.stdout.isatty()
        async with aclosing(found):
            async for each in found:
                line = to_json_line(rated_conversation_json(each)).decode()
                stream.write(ascii_controls(line) if is_seen else line)
                written += 1
    return written


def _model(application: "Reading", name: str) -> "ModelRef":
    from domain.model import ModelRef

    return application.settings.catalogue.aliases.get(name) or ModelRef.parse(name)
