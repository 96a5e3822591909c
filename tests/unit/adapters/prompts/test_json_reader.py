"""JSON, strict and bounded, with the place of everything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.prompts.json_reader import read_json
from adapters.prompts.parsed import Malformed, Spot, TextSpot

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_reads_what_json_reads(value: object, indented: bool) -> None:
    """The same values as the standard library's reader."""
    text = json.dumps(value, ensure_ascii=indented, indent=2 if indented else None)

    assert json.loads(text) == read_json(text).value


def test_places_are_those_of_keys_items_and_texts() -> None:
    """From 1, in characters; a text with escapes has no lines of its own in the file."""
    parsed = read_json('{"template": "a",\n "messages": [\n  {"content": "b\\nc"}]}')

    assert parsed.spots["messages"] == Spot(line=2, column=2)
    assert parsed.spots["messages[0]"] == Spot(line=3, column=3)
    assert parsed.texts["template"] == TextSpot(line=1, column=15, faithful=True)
    assert parsed.texts["messages[0].content"] == TextSpot(line=3, column=16, faithful=False)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1,\n"a": 2}', "p.json, line 2, column 1: a: is given twice, on lines 1 and 2; keep one"),
        ('{"a": {"b": 1, "b": 2}}', "p.json, line 1, column 16: a.b: is given twice"),
        (
            '{"a": NaN}',
            'p.json, line 1, column 7: `NaN` is not JSON; write texts in double quotes\n{"a": NaN}\n      ^',
        ),
        ('{"a": -Infinity}', "p.json, line 1, column 7: `-Infinity` is not JSON"),
        ('{"a": 1e999}', "p.json, line 1, column 7: `1e999` is too large a number"),
        ('{"a": 1,\n}', "p.json, line 2, column 1: not valid JSON: a comma too many"),
        (
            "{a: 1}",
            'p.json, line 1, column 2: not valid JSON: a key in double quotes, as in "name" must stand here',
        ),
        ('{"a" 1}', "p.json, line 1, column 6: not valid JSON: a `:` must stand here"),
        ('{"a": 1 "b": 2}', "p.json, line 1, column 9: not valid JSON: a `,` or `}` must stand here"),
        ("[1 2]", "p.json, line 1, column 4: not valid JSON: a `,` or `]` must stand here"),
        ('{"a": "x\ny"}', "p.json, line 1, column 9: not valid JSON: invalid control character"),
        ('{"a": "x', "p.json, line 1, column 7: not valid JSON: unterminated string"),
        ('{"a": "\\ud800"}', "p.json, line 1, column 7: not valid text: half of a surrogate pair"),
        ('{"a": 01}', "p.json, line 1, column 8: not valid JSON"),
        ('{"a": ' + "1" * 5000 + "}", "p.json, line 1, column 7: a number has more than 308 digits"),
        ("{} {}", "p.json, line 1, column 4: something follows the document"),
        ("", "p.json, line 1, column 1: not valid JSON: a value must stand here"),
        ("// no\n{}", "p.json, line 1, column 1: not valid JSON: a value must stand here"),
        ("[" * 5000, "p.json, line 1, column 33: is nested deeper than 32 levels"),
        ('{"a":' * 5000, "p.json, line 1, column 161: is nested deeper than 32 levels"),
        ("[" + "1," * 30_000 + "1]", "p.json, line 1, column 40000: holds more than 20,000 values"),
    ],
)
def test_what_is_refused_is_named_with_its_place(text: str, sentence: str) -> None:
    """Line and column, and the line itself."""
    with pytest.raises(Malformed) as raised:
        read_json(text)

    assert raised.value.flaws[0].sentence("p.json")[: len(sentence)] == sentence


def test_everything_given_twice_is_named() -> None:
    """In the order of the file."""
    with pytest.raises(Malformed) as raised:
        read_json('{"a": 1, "a": 2, "b": {"c": 1, "c": 1}}')

    assert [flaw.path for flaw in raised.value.flaws] == ["a", "b.c"]
