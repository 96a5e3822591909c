"""The Markdown formatter."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.formatters.markdown import MarkdownFormatter, close_fences
from tests.support.spent import cpu_below


def _format(text: str) -> str:
    formatted = MarkdownFormatter().format(text, schema=None)
    assert formatted.output == formatted.text
    assert formatted.problems == ()
    return formatted.text


@pytest.mark.parametrize(
    "text", ["", "Paris.", "Two\n\n\nparagraphs, a (bracket) and 5 % of it: 3-4.", "日本語 🙂", "a\n"]
)
def test_plain_text_is_untouched(text: str) -> None:
    """To the character."""
    assert text == _format(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```py\nx = 1", "```py\nx = 1\n```"),
        ("~~~\na", "```\na\n```"),
        ("````md\n```\nx\n```", "````md\n```\nx\n```\n````"),
        ("* a\n* b", "- a\n- b"),
        ("Title\n=====\ntext", "# Title\n\ntext"),
        ("*it* and __bold__", "*it* and __bold__"),
        ("1) a\n2) b", "1. a\n2. b"),
        ("1. a\n2. b", "1. a\n2. b"),
        ("| a | b |\n|---|:-:|\n| 1 | x_y |", "| a | b |\n|---|:-:|\n| 1 | x_y |"),
        ("# A\n\n\n\ntext  ", "# A\n\ntext"),
    ],
)
def test_markdown_is_normalised(text: str, expected: str) -> None:
    """As mdformat does it, without its final line break."""
    assert expected == _format(text)


@pytest.mark.parametrize(
    "text",
    [
        r"Let \(x_1\) be and \[ y \].",
        "1. a\n3. c\n7. g",
        "see [x][1]\n\n[unused]: https://example.com",
        "a*b and snake_case_*",
        "\n".join(f"{n}. step" for n in range(1, 13)),
    ],
)
def test_what_would_be_lost_is_left_alone(text: str) -> None:
    """Formulas, odd numbers and definitions stay as the model wrote them."""
    assert text == _format(text)


def test_the_content_of_code_is_untouched() -> None:
    """Whatever it looks like."""
    code = "```md\n* a\n\n\n  __x__\t|  \n```"

    assert code == _format(code)


@pytest.mark.parametrize(
    "text",
    ["[" * 15_000, "> " * 9_000, "* a\n" * 4_900, "- " * 9_000, "1. a\n" * 3_900, "_a_" * 6_000, "a**" * 6_000,
     "`" * 15_000, "![" * 9_000, "<" * 15_000, "x [" * 6_000, "*a " * 200_000, "```\n" * 200_001, "\\" * 19_999,
     "> 1. - " * 2_500, "\x00" * 100 + "*", "\ud800 *x*"],
    ids=lambda text: repr(text[:4]),
)  # fmt: skip
def test_pathological_text_is_bounded(text: str) -> None:
    """Seconds at most, on a slow machine, and no exception."""
    with cpu_below(20):
        _format(text)


def test_mdformat_is_imported_only_when_needed() -> None:
    """Who never asks for Markdown never pays for it."""
    code = (
        "import sys; from adapters.formatters.markdown import MarkdownFormatter as M; M().format('plain', schema=None);"
        "sys.exit('mdformat' in sys.modules or 'markdown_it' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


_PIECES = st.sampled_from(
    ["# ", "* ", "- ", "1. ", "2. ", "> ", "```", "```py\n", "~~~", "**", "__", "_", "`", "[", "](x)", "\n", "\n\n",
     "  ", "    ", "\\", "|", "---", "<b>", "&amp;", "word", "naïve", "日本", "1", "!", "\t", "=\n"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(_PIECES, max_size=25).map("".join))
def test_formatting_twice_is_formatting_once(text: str) -> None:
    """And no word is lost."""
    once = _format(text)

    assert once == _format(once)
    for word in ("word", "naïve", "日本"):
        assert text.count(word) == once.count(word)


@settings(max_examples=200)
@given(st.text(alphabet="`~ \na1", max_size=60))
def test_closing_fences_only_appends(text: str) -> None:
    """And leaves nothing open."""
    closed = close_fences(text)

    assert closed.startswith(text)
    assert closed == close_fences(closed)
