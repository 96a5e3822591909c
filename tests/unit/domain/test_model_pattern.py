"""Patterns of models' names."""

import pytest

from domain.browser_token import narrowed
from domain.model_pattern import matches, pieces_of
from tests.support.spent import cpu_below


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("openai:gpt-5", "openai:gpt-5", True),
        ("openai:gpt-5", "openai:gpt-5-mini", False),
        ("*", "", True),
        ("*", "openai:gpt-5", True),
        ("***", "openai:gpt-5", True),
        ("openai:*", "openai:", True),
        ("openai:*", "openai", False),
        ("*-mini", "openai:gpt-5-mini", True),
        ("*-mini", "openai:gpt-5-mini-2", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("a*b*a", "aba", True),
        ("a*b*a", "aa", False),
        ("*ab*ab*", "abab", True),
        ("*ab*ab*", "aab", False),
        ("*aab", "aaab", True),
        ("a*b", "a*b", True),
        ("a*", "a*b", True),
        ("a*b", "a*", False),
        ("a.c", "abc", False),
        ("[ab]*?", "a1?", False),
        ("[ab]*?", "[ab]1?", True),
        ("a*", "A1", False),
        ("a*c", "a\nc", True),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_star_stands_for_any_text_and_all_else_for_itself(pattern: str, text: str, expected: bool) -> None:
    """Whatever else other matchers give a meaning."""
    assert expected == matches(pieces_of(pattern), text)


def test_pattern_of_nothing_but_stars_is_matched_at_once() -> None:
    """As many as a token holds, in both lists; an expression with as many `.*` takes a minute and more for one."""
    asked = tuple(f"{'*' * 80}{'a*' * 40}b{number}" for number in range(36))
    allowed = tuple(f"openai:{'a' * 200}{number}" for number in range(64))
    with cpu_below(10):
        assert narrowed(allowed, asked) is None
        assert narrowed(("*a" * 128,), (f"{'a' * 255}b",)) is None
