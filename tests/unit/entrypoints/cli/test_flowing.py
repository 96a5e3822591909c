"""Lines that are broken while they come."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrypoints.cli.flowing import Flow
from entrypoints.cli.wrapping import prose

_TEXTS = st.lists(
    st.sampled_from(
        ("one", "a", " ", "  ", "\n", "- ", "12. ", "```", "~~~", "| ", "\n\t", "    ", "wonderfully", "日本", "supercalifragilistic")
    ),
    max_size=40,
).map(lambda pieces: "\n".join(line.rstrip() for line in "".join(pieces).split("\n")))  # fmt: skip


def flowed(pieces: list[str], columns: int | None) -> str:
    flow = Flow(columns)
    return "".join([*map(flow.feed, pieces), flow.end()])


@given(_TEXTS, st.integers(1, 5), st.integers(8, 30))
@example("```\n```    one", 1, 8)
@example("        ```\none    one", 1, 8)
@example("\n\t```\nwonderfully one", 1, 8)
def test_any_pieces_are_broken_where_the_whole_text_would_be(text: str, size: int, columns: int) -> None:
    """However the pieces are cut."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]

    assert flowed(pieces, columns) == prose(text, columns)


def test_a_word_is_shown_once_it_ends_or_is_too_long() -> None:
    """A script without blanks is not held back for long."""
    flow = Flow(10)

    pieces = ("start a", "ga", "in ", "abcdefgh", "ijk", "lm", "\n", "x")
    shown = [flow.feed(piece) for piece in pieces]

    assert shown == ["start", "", "\nagain", "\nabcdefgh", "ijk", "lm", "\n", ""]
    assert flow.end() == "x"


@pytest.mark.parametrize("piece", ["a b", "  x  \n", "```"])
def test_a_pipe_gets_what_comes_when_it_comes(piece: str) -> None:
    """Nobody knows how wide its reader is."""
    assert Flow(None).feed(piece) == piece
