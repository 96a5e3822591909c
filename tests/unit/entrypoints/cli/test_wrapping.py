"""Lines as wide as the terminal: nothing that is to be copied or pointed at is torn."""

import pytest
from rich.cells import cell_len

from entrypoints.cli.wrapping import BITS, PARTS, WORDS, column_widths, fitted, folded, longest_piece, prose


def test_long_line_breaks_at_blanks() -> None:
    """What follows is indented by two more, so that the next line is seen to begin."""
    text = "error: the prompt was changed by somebody else\n  template: and this line is too long as well"

    assert fitted(text, 30).split("\n") == [
        "error: the prompt was changed",
        "  by somebody else",
        "  template: and this line is",
        "    too long as well",
    ]


@pytest.mark.parametrize("columns", [None, 200])
def test_what_fits_stays_as_it_is(columns: int | None) -> None:
    """Blanks and all; and what goes to no terminal is never broken."""
    assert fitted("a  b\n\n  c ", columns) == "a  b\n\n  c "


def test_words_in_backquotes_stay_together() -> None:
    """They are there to be copied; one longer than the line stands alone."""
    assert fitted("look with `lor3 prompt show x`, please", 26).split("\n") == [
        "look with",
        "  `lor3 prompt show x`,",
        "  please",
    ]


def test_commands_stay_on_one_line() -> None:
    """What they do goes below them where that is too wide."""
    command = "  lor3 prompt sync support_agent --prefer local"

    assert fitted(command, 20) == command
    assert fitted(f"{command}   the database's: the file is overwritten", 50).split("\n") == [
        command,
        "    the database's: the file is overwritten",
    ]


@pytest.mark.parametrize("at", [0, 5, 40, 97, 119])
@pytest.mark.parametrize("indent", ["", "    "])
def test_caret_stays_under_its_character(at: int, indent: str) -> None:
    """The line is cut around it; each cut is shown."""
    line = "".join(chr(ord("a") + number % 26) for number in range(120))
    shown, caret = fitted(f"{indent}{line}\n{indent}{' ' * at}^", 40).split("\n")

    assert len(shown) <= 40
    assert shown[caret.index("^")] == line[at]
    assert (shown.startswith(indent), shown.strip() in f"…{line}…") == (True, False)


def test_wide_characters_count_for_two() -> None:
    """As a terminal draws them; the caret moves with them."""
    line = "日本語日本語日本語 {{x"
    whole, caret = fitted(f"{line}\n{' ' * 10}^", 80).split("\n")
    shown, moved = fitted(f"{line}\n{' ' * 10}^", 16).split("\n")

    assert (whole, caret.index("^")) == (line, 19)
    assert cell_len(shown) <= 16
    assert cell_len(shown[: shown.index("{")]) == moved.index("^")


def test_columns_fold_in_their_order() -> None:
    """The first gives way as far as it can before the second does; None where all together do not suffice."""
    assert column_widths([10, 20, 30], [5, 6, 7], [2, 1], 60) == [10, 20, 30]
    assert column_widths([10, 20, 30], [5, 6, 7], [2, 1], 40) == [10, 20, 10]
    assert column_widths([10, 20, 30], [5, 6, 7], [2, 1], 30) == [10, 13, 7]
    assert column_widths([10, 20, 30], [5, 6, 7], [2, 1], 20) is None


def test_cells_fold_between_their_pieces() -> None:
    """At blanks; a path behind its slashes, where it has to; a name behind its underscores as a last resort."""
    assert folded("v1 90%, v2 10%", 7, len, WORDS) == "v1 90%,\nv2 10%"
    assert folded("config/prompts/all_types.yaml", 15, len, PARTS) == "config/prompts/\nall_types.yaml"
    assert folded("support_agent (file gone)", 8, len, BITS) == "support_\nagent\n(file\ngone)"
    assert [longest_piece("config/all_types.yaml x", len, each) for each in (WORDS, PARTS, BITS)] == [
        21,
        14,
        7,
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two three four", "one two\nthree\nfour"),
        ("  in  deep  er", "  in\n  deep\n  er"),
        ("- one two three", "- one\n  two\n  three"),
        (" 1. one two", " 1. one\n    two"),
        ("```\na b c d e f g h\n```\na b c d e", "```\na b c d e f g h\n```\na b c d\ne"),
        ("~~~\n```\na b c d e f\n~~~\na b c d e", "~~~\n```\na b c d e f\n~~~\na b c d\ne"),
        ("    a b c d e f", "    a b c d e f"),
        ("| a | b | c |", "| a | b | c |"),
        ("unbreakable", "unbreakable"),
        ("空は青い 空は", "空は青い\n空は"),
        ("", ""),
    ],
)
def test_prose_breaks_at_blanks_and_code_stays(text: str, expected: str) -> None:
    """Indents and the places of bullets are kept."""
    assert prose(text, 8) == expected


def test_prose_stays_as_it_is_in_a_pipe() -> None:
    """Nobody knows how wide its reader is."""
    assert prose("one two three four", None) == "one two three four"
