"""What the commands print: results to stdout, all else to stderr; rich for a person, plain for a pipe."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from domain.errors import LorError


def print_json(value: object) -> None:
    """One JSON document on stdout: indented on a terminal, on one line in a pipe."""
    click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A rich table on a terminal; in a pipe a line a row, separated by tabs, without a head."""
    if sys.stdout.isatty():
        from rich.box import SIMPLE_HEAD
        from rich.table import Column, Table
        from rich.text import Text

        # Folded: rich would cut a path or a name off, which nobody could then copy.
        heads = [Column(column, overflow="fold") for column in columns]
        table = Table(*heads, box=SIMPLE_HEAD, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(_cell(cell)) for cell in row))
        console().print(table)
        return
    for row in rows:
        click.echo("\t".join(_cell(cell).replace("\t", " ").replace("\n", " ") for cell in row))


def console(*, stderr: bool = False) -> "Console":
    """A rich console; no markup and no guessing at what to highlight."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=stderr)


def say(text: str, *, dim: bool = False) -> None:
    """A line for a person, on stderr; dim where that is a terminal."""
    click.echo(click.style(text, dim=True) if dim else text, err=True)


def warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        click.echo(click.style("warning: ", fg="yellow") + printable(warning), err=True)


def unsaid(warnings: Sequence[str], said: Sequence[str]) -> list[str]:
    """Those of an answer's `warnings` whose fact was not `said` of the settings already.

    The same thing is told with another remedy: that a model was switched off, that a provider has no key.
    """
    facts = {warning: warning.partition(";")[0] for warning in warnings}
    facts = {warning: fact.partition(" was passed over: ")[2] or fact for warning, fact in facts.items()}
    return [warning for warning, fact in facts.items() if not any(fact in other for other in said)]


def print_error(error: "LorError", *, as_json: bool) -> None:
    """The error on stderr: a paragraph with every fault, or the problem object that HTTP would answer."""
    if as_json:
        from entrypoints.http.problems import problem_json

        problem = dict(problem_json(error, request_id=""))
        del problem["request_id"]  # there is no log of requests to look it up in
        click.echo(json.dumps(problem, ensure_ascii=False), err=True)
        return
    faults = getattr(error, "faults", ())
    head = click.style("error: ", fg="red", bold=True)
    if len(faults) > 1:
        lines = [
            f"  {fault.path}: {fault.message}" if fault.path else f"  {fault.message}" for fault in faults
        ]
        click.echo(f"{head}{len(faults)} things are wrong", err=True)
        # A fault may have more lines, such as the one it is on with a caret beneath: they stay below each other.
        click.echo("\n".join(printable(line).replace("\n", "\n    ") for line in lines), err=True)
    else:
        click.echo(head + printable(error.detail), err=True)


def print_failure(message: str, *, code: str, as_json: bool) -> None:
    """A failure that is none of the product's own errors, in the same two shapes."""
    if as_json:
        click.echo(json.dumps({"code": code, "detail": message}, ensure_ascii=False), err=True)
    else:
        click.echo(click.style("error: ", fg="red", bold=True) + printable(message), err=True)


def printable(text: str) -> str:
    """`text` without control characters: a terminal would obey them."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)


def _cell(value: object) -> str:
    if value is None:
        return "–" if sys.stdout.isatty() else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return printable(str(value))


def emit(value: Any, *, as_json: bool, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """`value` as JSON, or `rows` as a table."""
    if as_json:
        print_json(value)
    else:
        print_table(columns, rows)
