"""One rule for text that not every part of the way can hold."""

import types

import pytest

from adapters.providers import json_text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'"a\\u0000b"', "a\ufffdb"),
        (b'["\\ud800"]', ["\ufffd"]),
        (b'"x\\udc00y"', "x\ufffdy"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"a\xff\xfeb"', "a\ufffd\ufffdb"),
        (b'{"k\\u0000": {"v": ["\\u0000"]}}', {"k\ufffd": {"v": ["\ufffd"]}}),
        (b'"\\\\u0000"', "\\u0000"),
        (b"12", 12),
    ],
)
def test_unfit_characters_become_the_replacement_character(data: bytes, expected: object) -> None:
    """NUL, lone surrogates and invalid UTF-8 are replaced; all else stays."""
    assert expected == json_text.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a": "\\ud800',
        b"<html>",
        b"\xff\xfe",
        b"[" * 200_000,
        b'["\\ud800",' + b"[" * 200_000,
        b"NaN",
        b'["\\ud83d", NaN]',
        b'["\\ud83d", 1e999]',
        b"[" * 201 + b"]" * 201,
        b'{"a":' * 700 + b'"\\u0000"' + b"}" * 700,
        b'["\\ud83d",' + b"[" * 700 + b"]" * 701,
    ],
)
def test_what_is_not_json_is_a_value_error(data: bytes) -> None:
    """Cut, foreign and bottomless texts raise one error."""
    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the contract
        json_text.parse(data)


def test_dump_takes_any_mapping_and_cleans_surrogates() -> None:
    """A caller's schema may be any Mapping, its text may come from a broken terminal."""
    value = {"m": types.MappingProxyType({"a": (1, 2)}), "s": "x\ud800"}

    assert '{"m":{"a":[1,2]},"s":"x\ufffd"}'.encode() == json_text.dump(value)


def test_dump_takes_integers_beyond_64_bits() -> None:
    """They may stand in a schema."""
    assert json_text.dump({"maximum": 10**20}) == b'{"maximum":100000000000000000000}'


def test_two_hundred_levels_are_read_and_written() -> None:
    """With and without something to clean."""
    for inside in (b"", b'"\\u0000"', b'"\\ud83d"'):
        value = json_text.parse(b"[" * 200 + inside + b"]" * 200)

        assert json_text.parse(json_text.dump(value)) == value


@pytest.mark.parametrize("inside", [0, "\ud800", 2**70])
def test_dump_refuses_what_is_nested_too_deeply(inside: object) -> None:
    """As one error, whichever writer would have tried."""
    value: object = inside
    for _ in range(700):
        value = {"a": value}

    with pytest.raises(ValueError, match="deeply"):
        json_text.dump(value)
