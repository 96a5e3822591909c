"""Lists for a terminal whose items have long names: a name on a line of its own, its figures below in columns."""

from collections.abc import Sequence
from typing import NamedTuple

import click

from entrypoints.cli.output import console, printable
from entrypoints.cli.wrapping import BITS, WORDS, folded


class Item(NamedTuple):
    title: str
    cells: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """Each begins on a line of its own."""


def print_items(heads: Sequence[str], items: Sequence[Item]) -> None:
    """The heads once, then each item; no line is wider than the terminal, as far as `heads` and cells are not."""
    from rich.cells import cell_len

    room = console().width
    widths = [
        max(cell_len(cell) for cell in column)
        for column in zip(heads, *[item.cells for item in items], strict=True)
    ]
    click.echo("\n  " + click.style(_line(heads, widths), bold=True))
    click.echo("  " + "─" * min(room - 2, sum(widths) + 2 * (len(widths) - 1)))
    for item in items:
        click.echo(folded(printable(item.title), room, cell_len, BITS))
        click.echo("  " + _line(item.cells, widths))
        for note in item.notes:
            lines = folded(printable(note), room - 4, cell_len, WORDS).split("\n")
            click.echo("\n".join(f"    {line}" for line in lines))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    from rich.cells import cell_len

    padded = [cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(padded).rstrip()
