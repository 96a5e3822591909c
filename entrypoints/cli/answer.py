"""An answer, for a person to read: itself on stdout, what is to be said of it on stderr."""

import sys
from typing import TYPE_CHECKING

import click

from entrypoints.cli.output import print_json, printable, say, unsaid, warn
from entrypoints.cli.wrapping import columns_of, prose

if TYPE_CHECKING:
    from domain.answer import ChatAnswer
    from entrypoints.settings import Settings


def write(text: str) -> None:
    click.echo(printable(text) if sys.stdout.isatty() else text, nl=False)
    sys.stdout.flush()


def close_line(shown: str) -> None:
    if shown and not shown.endswith("\n"):
        write("\n")


def print_output(answer: "ChatAnswer") -> None:
    if isinstance(answer.output, str):
        if answer.output:
            write(prose(answer.output, columns_of(sys.stdout)))
            close_line(answer.output)
    else:
        print_json(answer.output)
    print_tool_calls(answer)


def print_tool_calls(answer: "ChatAnswer") -> None:
    for call in answer.tool_calls:
        click.echo(f"{call.name}({printable(call.arguments)})")


def print_footer(answer: "ChatAnswer", settings: "Settings") -> None:
    """What there is to warn of, then model, tokens, cost and thread, on stderr."""
    from entrypoints.rendering import money

    warn(unsaid(answer.warnings, settings.warnings))
    usage = answer.usage
    about = "about " if usage.estimated else ""
    cost = money(answer.cost_usd)
    parts = [
        str(answer.model),
        f"{about}{usage.input_tokens:,} + {usage.output_tokens:,} tokens",
        "cost unknown" if cost is None else f"${cost}",
        f"thread {answer.thread_id}",
    ]
    if answer.is_replay:
        parts[-1:-1] = ["given before, so it costs nothing now"]
    if answer.context.injected:
        parts[-1:-1] = [f"{answer.context.injected:,} messages remembered"]
    if answer.prompt_version is not None:
        parts.insert(1, str(answer.prompt_version))
    if answer.finish_reason != "stop":
        parts.insert(1, f"ended by {answer.finish_reason}")
    failed = [f"{each.model} {each.outcome}" for each in answer.attempts if each.outcome != "ok"]
    if failed:
        parts.insert(1, f"after {', '.join(failed)}")
    say(" · ".join(parts), dim=True)
