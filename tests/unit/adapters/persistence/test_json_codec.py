"""What becomes of characters that a database can't hold."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.persistence.json_codec import decode_json, encode_json
from domain.clean_text import clean


@pytest.mark.parametrize(
    ("given_value", "stored"),
    [
        ("a\0b", "a\ufffdb"),
        ("\ud83d\ude42", "\ufffd\ufffd"),
        ({"k\0": ["\ud800", {"x": "\0\0"}]}, {"k\ufffd": ["\ufffd", {"x": "\ufffd\ufffd"}]}),
        ("the text \\u0000 itself", "the text \\u0000 itself"),
        ("\U0001f642", "\U0001f642"),
        ({"cost": Decimal("0.10"), "n": None}, {"cost": "0.10", "n": None}),
    ],
)
def test_json_holds_only_what_can_be_stored(given_value: Any, stored: Any) -> None:
    """One replacement character for each; what only looks like one stays."""
    assert stored == decode_json(encode_json(given_value))


@given(st.text(alphabet=st.characters()))
def test_any_text_becomes_storable(text: str) -> None:
    """Nothing is left that UTF-8 or PostgreSQL refuses, and nothing else is changed."""
    cleaned = clean(text)

    assert "\0" not in cleaned
    cleaned.encode()
    assert len(text) == len(cleaned)
    assert cleaned == decode_json(encode_json(text))


def test_integer_past_64_bits_is_refused() -> None:
    """As an error of its own kind, so that only its chat fails."""
    with pytest.raises(TypeError):
        encode_json({"n": 2**70})
