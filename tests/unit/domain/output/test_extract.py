"""Finding JSON in an answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.output.extract import json_pieces
from tests.support.spent import cpu_below


def _first_valid(text: str) -> object:
    return next((value for _, value in json_pieces(text, json.loads)), "nothing")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '  \n{"a": 1}\n',
        '\ufeff{"a": 1}',
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}\n```',
        '```JSON\n{"a": 1}',
        '~~~json\n{"a": 1}\n~~~',
        'Here you are:\n\n```json\n{"a": 1}\n```\nAnything else?',
        '```python\nprint({})\n```\n```json\n{"a": 1}\n```',
        'Sure! {"a": 1} Hope it helps.',
        'A 5" pipe: {"a": 1}',
        'Use {braces}: {"a": 1}',
        'The set {x} [see below] is {"a": 1}',
        '}{ ][ {"a": 1}',
        '  1. Look:\n     ```json\n     {"a": 1}\n     ```',
        'unclosed { and then {"a": 1}',
    ],
)
def test_the_value_is_found(text: str) -> None:
    """Wherever models like to put it."""
    assert _first_valid(text) == {"a": 1}


def test_brackets_in_strings_do_not_count() -> None:
    """Nor escaped quotation marks."""
    assert _first_valid(r'So: {"a": "}\"]"} ok') == {"a": '}"]'}


def test_scalars_are_found_as_the_whole_text_only() -> None:
    """A number in prose is not an answer in JSON."""
    assert _first_valid(" 42 ") == 42
    assert _first_valid("It is 42.") == "nothing"


@pytest.mark.parametrize("text", ["", "   \n", "\ufeff"])
def test_empty_text_has_no_pieces(text: str) -> None:
    """There is nothing to parse."""
    assert list(json_pieces(text, json.loads)) == []


def test_nothing_is_taken_from_inside_a_value() -> None:
    """A part of the answer is not the answer."""
    assert [value for _, value in json_pieces('[{"a": 1}]', json.loads)] == [[{"a": 1}]]
    assert [value for _, value in json_pieces('So [{"a": 1}] or {}', json.loads)] == [[{"a": 1}], {}]


def _bounded_loads(text: str) -> object:
    if text.count("[") + text.count("{") > 500:
        raise ValueError("too deep")
    return json.loads(text)


@pytest.mark.parametrize("piece", ["{", "[", '{"a":', '"', "```\n", "[]", "```json\n[\n"])
def test_hostile_texts_stay_bounded(piece: str) -> None:
    """A megabyte of openings yields few pieces."""
    assert len(list(json_pieces(piece * (500_000 // len(piece)), _bounded_loads))) <= 50


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ).filter(lambda value: isinstance(value, dict | list)),
    st.sampled_from(["", "Here: ", "```json\n"]),
)
def test_any_value_survives_its_wrapping(value: object, before: str) -> None:
    """Strings hold whatever they hold."""
    after = {"```json\n": "\n```", "": "", "Here: ": " Bye."}[before]

    assert value == _first_valid(f"{before}{json.dumps(value, ensure_ascii=False)}{after}")


@pytest.mark.parametrize(
    "text",
    ['{"' + r"\"" * 25_000, "`" * 100_000, "`" * 100_000 + "\n", '{"' * 100_000, '{"a":' * 100_000 + '"', "~~~`" * 50_000, " \t" * 100_000 + "`", "```\n" + "~~~\n" * 200_000, '["' + "x" * 1_000_000 + '"' + "[" * 40, ("[" + '"' + "x" * 20_000 + '"') * 50],
)  # fmt: skip
def test_the_time_grows_with_the_length_alone(text: str) -> None:
    """Unclosed strings and fences included, which used to take minutes."""
    with cpu_below(10):
        list(json_pieces(text, _bounded_loads))


def test_an_unclosed_string_ends_the_piece_only() -> None:
    """What comes after it is still found."""
    assert _first_valid('He said {"oh\nno. {"a": 1}') == {"a": 1}
