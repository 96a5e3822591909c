"""The raw formatter."""

from hypothesis import given
from hypothesis import strategies as st

from domain.output.formatter import Formatted
from domain.output.raw import RawFormatter


@given(st.text())
def test_nothing_is_changed(text: str) -> None:
    """Not even whitespace."""
    assert Formatted(output=text, text=text) == RawFormatter().format(text, schema=None)


def test_nothing_is_asked_of_the_model() -> None:
    """The prompt stays the caller's."""
    assert RawFormatter().instruction is None
    assert not RawFormatter().wants_json
