"""The options of commands that have an answer made: `lor3 run` and `lor3 thread regenerate`."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from entrypoints.cli.ask import Ask, key_text, memory_mode, read_schema
from entrypoints.cli.variables import texts_from, variable_options

if TYPE_CHECKING:
    from entrypoints.settings import Settings

_F = TypeVar("_F", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option(
        "--model", metavar="MODEL", help="provider:model or an alias. [default: the configured primary]"
    ),
    click.option(
        "--system",
        metavar="REFERENCE",
        help="A prompt: name, name:v3 or name@label. [default: as configured]",
    ),
    variable_options,
    click.option(
        "--format", "output_format", metavar="NAME", help="raw, markdown or json. [default: as configured]"
    ),
    click.option(
        "--schema",
        "schema_path",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A JSON Schema that the answer must fit; implies --format json.",
    ),
    click.option(
        "--context-depth",
        type=click.IntRange(0, 200),
        help="How many of the thread's messages to inject. [default: as configured]",
    ),
    click.option(
        "--memory",
        metavar="MODE",
        help="window, or summary: also what was before those, in short. [default: as configured]",
    ),
    click.option(
        "--idempotency-key",
        metavar="KEY",
        help="Run again with the same key within a day, it gives the same answer and costs nothing.",
    ),
    click.option("--max-tokens", type=click.IntRange(1), help="The longest answer, in tokens."),
    click.option("--temperature", type=click.FloatRange(0, 2), help="Sampling temperature."),
    click.option(
        "--stream/--no-stream",
        default=None,
        help="Print while it grows; not with --json. [default: on a terminal]",
    ),
)
"""In the order of the help."""


def answer_options(command: _F) -> _F:
    """Adds them; `ask_from` reads what they gave."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def ask_from(
    options: Mapping[str, Any],
    *,
    as_json: bool,
    prompt: str | None = None,
    thread: str | None = None,
    session: str | None = None,
    user: str | None = None,
    regenerates: str | None = None,
) -> Ask:
    """
    Args:
        options: what click read of `answer_options`, by parameter.

    Raises:
        click.UsageError, Misused: an option has a value that it can't have, or two do not go together.
    """
    stream, schema, output_format = options["stream"], options["schema_path"], options["output_format"]
    if as_json and stream:
        raise click.UsageError("--json prints one whole object; leave out --stream")
    if schema is not None and output_format not in {None, "json"}:
        raise click.UsageError("--schema goes with --format json")
    memory, key = options["memory"], options["idempotency_key"]
    return Ask(
        prompt=prompt,
        system=options["system"],
        variables=texts_from(options["variables"], options["variable_files"]),
        model=options["model"],
        format="json" if schema else output_format,
        schema=read_schema(schema) if schema else None,
        thread=thread,
        session=session,
        user=user,
        regenerates=regenerates,
        context_depth=options["context_depth"],
        memory=memory_mode(memory) if memory is not None else None,
        idempotency_key=key_text(key) if key is not None else None,
        max_tokens=options["max_tokens"],
        temperature=options["temperature"],
        stream=sys.stdout.isatty() and not as_json if stream is None else stream,
    )


def check_variables(ask: Ask, settings: "Settings") -> None:
    """
    Raises:
        click.UsageError: there are variables, and no prompt that they could fill in.
    """
    if ask.variables and (ask.system or settings.chat.system_prompt) is None:
        raise click.UsageError("--var fills in a prompt; name one with --system")
