"""What the commands print: results to stdout, all else to stderr; rich for a person, plain for a pipe."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from entrypoints.cli.wrapping import (
    BITS,
    PARTS,
    WORDS,
    column_widths,
    fitted,
    folded,
    longest_line,
    longest_piece,
    stderr_columns,
)

if TYPE_CHECKING:
    from rich.console import Console

    from domain.errors import LorError


def print_json(value: object) -> None:
    """One JSON document on stdout: indented on a terminal, on one line in a pipe."""
    if sys.stdout.isatty():
        click.echo(ascii_controls(json.dumps(value, indent=2, ensure_ascii=False)))
    else:
        click.echo(json.dumps(value, ensure_ascii=False))


def ascii_controls(document: str) -> str:
    """The same JSON without a character that a terminal would obey: JSON writes those below U+0020 as escapes by
    itself, but neither U+009B nor what turns the direction of a text."""
    if document.isprintable():
        return document
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in document
    )


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, folding: Sequence[str] = ()
) -> None:
    """A rich table on a terminal; in a pipe a line a row, separated by tabs, without a head.

    Args:
        folding: the columns that become narrower on a narrow terminal, the first to do so at the front; the others
            stay whole while these can fold between words.
    """
    cells = [[_cell(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw_table(columns, cells, folding)
        return
    for row in cells:
        click.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))


def _draw_table(columns: Sequence[str], rows: Sequence[Sequence[str]], folding: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Column, Table
    from rich.text import Text

    screen = console()
    stacks = [[head, *(row[at] for row in rows)] for at, head in enumerate(columns)]
    natural = [max(longest_line(cell, cell_len) for cell in stack) for stack in stacks]
    order = [columns.index(name) for name in folding]
    # Rich's box has two edges and a line between columns, all of them blank here; and a blank before that line.
    room = screen.width - 2 * len(columns)
    widths: list[int] | None = None
    for pieces in (WORDS, PARTS, BITS):
        least = [max(longest_piece(cell, cell_len, pieces) for cell in stack) for stack in stacks]
        widths = column_widths(natural, least, order, room)
        if widths is not None:
            rows = [
                [folded(cell, widths[at], cell_len, pieces) for at, cell in enumerate(row)] for row in rows
            ]
            break
    # Folded: rich would cut a path or a name off, which nobody could then copy.
    heads = [
        Column(name, overflow="fold", width=None if widths is None else widths[at])
        for at, name in enumerate(columns)
    ]
    table = Table(*heads, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*map(Text, row))
    screen.print(table)


def console(*, stderr: bool = False) -> "Console":
    """A rich console; no markup and no guessing at what to highlight."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=stderr)


def say(text: str, *, dim: bool = False) -> None:
    """A line for a person, on stderr; dim where that is a terminal."""
    text = fitted(text, stderr_columns())
    click.echo(click.style(text, dim=True) if dim else text, err=True)


def warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        _headed("warning: ", warning, fg="yellow")


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
        from entrypoints.cli.misuse import Misused
        from entrypoints.http.problems import problem_json

        if isinstance(error, Misused):
            errors = [{"path": fault.path, "message": fault.message} for fault in error.faults]
            misuse = {"code": "misused", "detail": error.detail, "errors": errors}
            click.echo(json.dumps(misuse, ensure_ascii=False), err=True)
            return
        problem = dict(problem_json(error, request_id=""))
        del problem["request_id"]  # there is no log of requests to look it up in
        click.echo(json.dumps(problem, ensure_ascii=False), err=True)
        return
    faults = getattr(error, "faults", ())
    if len(faults) > 1:
        lines = [
            f"  {fault.path}: {fault.message}" if fault.path else f"  {fault.message}" for fault in faults
        ]
        _headed("error: ", f"{len(faults)} things are wrong", fg="red", bold=True)
        # A fault may have more lines, such as the one it is on with a caret beneath: they stay below each other.
        told = "\n".join(printable(line).replace("\n", "\n    ") for line in lines)
        click.echo(fitted(told, stderr_columns()), err=True)
    else:
        _headed("error: ", error.detail, fg="red", bold=True)


def _headed(head: str, text: str, **style: Any) -> None:
    """`text` on stderr behind a coloured `head`."""
    told = fitted(head + printable(text), stderr_columns())
    click.echo(click.style(head, **style) + told.removeprefix(head), err=True)


def print_failure(message: str, *, code: str, as_json: bool) -> None:
    """A failure that is none of the product's own errors, in the same two shapes."""
    if as_json:
        click.echo(json.dumps({"code": code, "detail": message}, ensure_ascii=False), err=True)
    else:
        _headed("error: ", message, fg="red", bold=True)


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
