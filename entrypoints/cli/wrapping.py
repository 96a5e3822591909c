"""Lines as wide as a terminal: broken at blanks, with commands and pointed-out places kept whole."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TextIO

_WORD: Final = re.compile(r"(?:`[^`\n]*`|\S)+")
"""What stands in backquotes is one word: it is there to be copied."""
WORDS: Final = re.compile(r"\S+|\s+")
PARTS: Final = re.compile(r"[^\s/]*/|[^\s/]+|\s+")
"""Of a cell: a path may be broken behind each `/`."""
BITS: Final = re.compile(r"[^\s/_.-]*[/_.-]|[^\s/_.-]+|\s+")
"""And a name behind each `_`, `.` and `-`."""
_BULLET: Final = re.compile(r"(?:[-*+>]|\d{1,3}[.)]) +")
_HANGING: Final = "  "
_ELLIPSIS: Final = "…"


def stderr_columns() -> int | None:
    """How wide the terminal is that stderr goes to; None where it goes elsewhere."""
    return columns_of(sys.stderr)


def columns_of(stream: TextIO) -> int | None:
    """How wide the terminal is that `stream` goes to; None where it goes elsewhere."""
    if not stream.isatty():
        return None
    try:
        wanted = int(os.environ.get("COLUMNS", "0"))
        return wanted if wanted > 0 else os.get_terminal_size(stream.fileno()).columns or None
    except (ValueError, OSError):
        return None


def fitted(text: str, columns: int | None) -> str:
    """`text` with each line of at most `columns`, as far as its words are; None leaves it as it is.

    A command on a line of its own stays on one, to be copied. A line with a caret beneath, which points at a
    place in it, is cut around that place, so that the caret stays below it.
    """
    if columns is None:
        return text
    return "\n".join(_fitted(text.split("\n"), columns))


def _fitted(lines: Sequence[str], columns: int) -> Iterator[str]:
    number = 0
    while number < len(lines):
        line = lines[number]
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if below.strip() == "^":
            yield from _around(line, below.index("^"), columns)
            number += 2
            continue
        number += 1
        if line.lstrip().startswith("lor3 "):
            yield from _command(line, columns)
        else:
            yield from _wrapped(line, columns)


def _wrapped(line: str, columns: int) -> Iterator[str]:
    from rich.cells import cell_len

    if cell_len(line) <= columns:
        yield line
        return
    words = _WORD.findall(line)
    indent = line[: len(line) - len(line.lstrip())]
    current = indent + words[0]
    for word in words[1:]:
        if cell_len(current) + 1 + cell_len(word) <= columns:
            current += f" {word}"
        else:
            yield current
            current = f"{indent}{_HANGING}{word}"
    yield current


def _command(line: str, columns: int) -> Iterator[str]:
    """What it does may stand behind it, after three blanks or more: then it goes below where that is too wide."""
    command, told = line, ""
    if len(line) > columns and (gap := re.search(r"(?<=\S) {3,}(?=\S)", line)) is not None:
        command, told = line[: gap.start()], line[gap.end() :]
    yield command
    if told:
        indent = line[: len(line) - len(line.lstrip())]
        yield from _wrapped(f"{indent}{_HANGING}{told}", columns)


def _around(line: str, at: int, columns: int) -> Iterator[str]:
    """The part of `line` around its character `at`, and the caret below that; wide characters count for two."""
    from rich.cells import cell_len

    blanks = min(len(line) - len(line.lstrip()), at)
    indent, body, at = line[:blanks], line[blanks:], at - blanks
    if cell_len(line) <= columns:
        yield line
        yield indent + " " * cell_len(body[:at]) + "^"
        return
    room = max(1, columns - blanks - 2 * len(_ELLIPSIS))
    first, last = max(0, min(at - room // 2, len(body) - room)), len(body)
    last = min(last, first + room)
    while cell_len(body[first:last]) > room and last - first > 1:
        if at - first > last - at:
            first += 1
        else:
            last -= 1
    before, after = _ELLIPSIS if first else "", _ELLIPSIS if last < len(body) else ""
    yield f"{indent}{before}{body[first:last]}{after}"
    yield indent + " " * (len(before) + cell_len(body[first:at])) + "^"


def prose(text: str, columns: int | None) -> str:
    """What a model or a person wrote, with lines of at most `columns` that keep their indent, as far as words are.

    Code is to be copied, and tables are to be looked at, so both stay as they are: what is fenced, indented by a tab
    or four blanks, or begins with a bar.
    """
    if columns is None:
        return text
    from rich.cells import cell_len

    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        body = line.lstrip(" ")
        mark, was_fenced = body[:3], fence != ""
        if mark in {"```", "~~~"} and fence in {"", mark}:
            fence = "" if fence else mark
        indent = len(line) - len(body)
        if was_fenced or fence or indent > 3 or body.startswith(("\t", "|")) or cell_len(line) <= columns:
            lines.append(line)
            continue
        found = _BULLET.match(body)
        head = " " * indent + (found[0] if found else "")
        room = max(1, columns - len(head))
        first, *rest = folded(body[found.end() if found else 0 :], room, cell_len, WORDS).split("\n")
        lines += [head + first, *(" " * len(head) + each for each in rest)]
    return "\n".join(lines)


def column_widths(
    natural: Sequence[int], least: Sequence[int], folding: Sequence[int], room: int
) -> list[int] | None:
    """How wide the columns of a table are in `room`; None where they do not fit.

    Args:
        natural: how wide each wants to be.
        least: how narrow each can be without breaking a word.
        folding: those that may become narrower, the one that does so first at the front.
    """
    for count in range(len(folding) + 1):
        narrow = folding[:count]
        widths = [least[at] if at in narrow else natural[at] for at in range(len(natural))]
        spare = room - sum(widths)
        if spare < 0:
            continue
        for at in reversed(narrow):
            more = min(spare, natural[at] - widths[at])
            widths[at] += more
            spare -= more
        return widths
    return None


def folded(cell: str, width: int, length: Callable[[str], int], pieces: re.Pattern[str]) -> str:
    """`cell` in lines of at most `width`, broken between `pieces`, such as `PARTS`."""
    lines: list[str] = []
    for line in cell.split("\n"):
        current = ""
        for piece in pieces.findall(line):
            if length(current) + length(piece.rstrip()) > width and current.strip():
                lines.append(current.rstrip())
                current = ""
            current += piece if current else piece.lstrip()
        lines.append(current.rstrip())
    return "\n".join(lines)


def longest_line(cell: str, length: Callable[[str], int]) -> int:
    return max(map(length, cell.split("\n")), default=0)


def longest_piece(cell: str, length: Callable[[str], int], pieces: re.Pattern[str]) -> int:
    """How wide `folded` needs to be to break none of the pieces."""
    return max((length(piece) for piece in pieces.findall(cell) if piece.strip()), default=0)
