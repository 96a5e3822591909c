"""YAML, plain and bounded, with the place of everything."""

from typing import Any

import pytest
import yaml

from adapters.prompts.parsed import Malformed, Parsed, Spot, TextSpot
from adapters.prompts.yaml_reader import read_yaml

LOADERS = [yaml.BaseLoader, *([yaml.CBaseLoader] if yaml.__with_libyaml__ else [])]


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def loader(request: pytest.FixtureRequest) -> Any:
    """PyYAML's own parser and libyaml: which one is there depends on how PyYAML was built."""
    return request.param


def _sentences(text: str, loader: Any) -> list[str]:
    with pytest.raises(Malformed) as raised:
        read_yaml(text, loader=loader)
    return [flaw.sentence("p.yaml") for flaw in raised.value.flaws]


def _read(text: str, loader: Any) -> Parsed:
    return read_yaml(text, loader=loader)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("007", 7),
        ("-3", -3),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("~", None),
        ("", None),
        ("null", None),
        ("true", True),
        ('"true"', "true"),
        ("'1'", "1"),
        ("9" * 400, "9" * 400),
        ("[1, a]", [1, "a"]),
        ("{x: {}}", {"x": {}}),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(loader: Any, written: str, value: object) -> None:
    """Nobody means a boolean by `no`, or 750 by `12:30`."""
    assert _read(f"a: {written}\n", loader).value == {"a": value}


def test_keys_are_texts(loader: Any) -> None:
    """`1:` and `true:` name something."""
    assert _read("1: a\ntrue: b\n", loader).value == {"1": "a", "true": "b"}


def test_literal_block_is_found_in_the_file(loader: Any) -> None:
    """Each of its lines is a line of the file, from the block's indentation on."""
    parsed = _read("a: 1\ntemplate: |  # a comment\n   x\n     y\n", loader)

    assert parsed.value == {"a": 1, "template": "x\n  y\n"}
    assert parsed.texts["template"] == TextSpot(line=3, column=4, faithful=True)


@pytest.mark.parametrize(
    ("text", "spot"),
    [
        ("m:\n  - content: |2\n\n        x\n      y\n", TextSpot(line=3, column=7, faithful=True)),
        ("m:\n  - content: |\n\n        x\n", TextSpot(line=3, column=9, faithful=True)),
        ("m:\n  - content: hello\n", TextSpot(line=2, column=14, faithful=True)),
        ("m:\n  - content: 'hello'\n", TextSpot(line=2, column=15, faithful=True)),
        ("m:\n  - {content: hello}\n", TextSpot(line=2, column=15, faithful=True)),
        ('m:\n  - content: "a\\nb"\n', TextSpot(line=2, column=15, faithful=False)),
        ("m:\n  - content: a\n      b\n", TextSpot(line=2, column=14, faithful=False)),
        ("m:\n  - content: >\n      a\n      b\n", TextSpot(line=3, column=1, faithful=False)),
    ],
)
def test_texts_know_where_they_are(loader: Any, text: str, spot: TextSpot) -> None:
    """And whether their lines are lines of the file."""
    assert _read(text, loader).texts["m[0].content"] == spot


def test_path_without_a_place_has_that_of_what_surrounds_it(loader: Any) -> None:
    """What is missing is missing somewhere."""
    parsed = _read("variables:\n  name: {type: enum}\n", loader)

    missing = parsed.flaw("variables.name.values", "is missing", at_value=True)

    assert missing.spot == Spot(line=2, column=3)
    assert missing.line_text == "  name: {type: enum}"
    assert parsed.flaw("variables.name.type", "x", at_value=False).spot == Spot(line=2, column=10)
    assert parsed.flaw("variables.name.type", "x", at_value=True).spot == Spot(line=2, column=16)
    assert parsed.flaw("nowhere", "x", at_value=True).spot is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "a: &x 1\n",
            "p.yaml, line 1, column 4: the anchor `&x` is refused; write values out\na: &x 1\n   ^",
        ),
        ("b:\n  - *x\n", "p.yaml, line 2, column 5: the alias `*x` is refused"),
        ("<<: {a: 1}\n", "p.yaml, line 1, column 1: the merge key `<<` is refused"),
        (
            "a: !!python/object:os.system x\n",
            "p.yaml, line 1, column 4: the tag `!!python/object:os.system` is ref",
        ),
        ("a: !own x\n", "p.yaml, line 1, column 4: the tag `!own` is refused"),
        ("a: !!str 1\n", "p.yaml, line 1, column 4: the tag `!!str` is refused"),
        ("a: 1\n---\nb: 1\n", "p.yaml, line 2, column 1: holds several documents; keep one prompt in a file"),
        ("a:\n  b: 1\n  b: 2\n", "p.yaml, line 3, column 3: a.b: is given twice, on lines 2 and 3; keep one"),
        ("a:\n\tb: 1\n", "p.yaml, line 2, column 1: a tab can't indent YAML; use spaces\n b: 1\n^"),
        (
            "t: {{name}} hi\n",
            "p.yaml, line 1, column 5: a key must be a text; quote a text that holds `{{…}}`",
        ),
        (
            "t: hi {{name}}: you\n",
            "p.yaml, line 1, column 15: not valid YAML: mapping values are not allowed",
        ),
        ("t: a: b\n", "p.yaml, line 1, column 5: a `:` is not expected here; quote"),
        (
            "a: 'x\n",
            "p.yaml, line 1, column 4: not valid YAML: the quote that opens here is never closed; write a `'` where "
            "it ends\na: 'x\n   ^",
        ),
        ('b: 1\na: "x\nc: 2', "p.yaml, line 2, column 4: not valid YAML: the quote that opens here is never"),
        (
            "a: [x,\nc\n\n",
            "p.yaml, line 1, column 4: not valid YAML: the list that opens here is never closed",
        ),
        (
            "a: {x: 1\n",
            "p.yaml, line 1, column 4: not valid YAML: the object that opens here is never closed",
        ),
        (": 1\n", "p.yaml, line 1, column 1: not valid YAML: "),
        ("? [a]\n: 1\n", "p.yaml, line 1, column 3: a key must be a text"),
        ("a: .nan\n", "p.yaml, line 1, column 4: `.nan` is no number that JSON has"),
        ("a: 1e999\n", "p.yaml, line 1, column 4: `1e999` is too large a number"),
        (
            "a: x\x00\n",
            'p.yaml, line 1, column 5: the character U+0000 may not stand in YAML; write "\\u0000" in',
        ),
        ("a: x\ufeff\n", "p.yaml, line 1, column 5: the character U+FEFF may not stand in YAML"),
        ('a: "\\ud800"\n', "p.yaml, line 1, column "),
    ],
)
def test_what_is_refused_is_named_with_its_place(loader: Any, text: str, sentence: str) -> None:
    """Line and column, and where it helps the line itself."""
    first = _sentences(text, loader)[0]

    assert first[: len(sentence)] == sentence


def test_everything_refused_is_named_at_once(loader: Any) -> None:
    """One look mends a file."""
    found = _sentences("a: &x 1\nb: *x\nc: !t 1\na: 2\n", loader)

    assert [sentence.partition(": ")[0] for sentence in found] == [
        "p.yaml, line 1, column 4",
        "p.yaml, line 2, column 4",
        "p.yaml, line 3, column 4",
        "p.yaml, line 4, column 1",
    ]


def test_error_after_what_is_refused_keeps_both(loader: Any) -> None:
    """A syntax error ends the reading, not the report."""
    assert len(_sentences("a: &x 1\nb: 'y\n", loader)) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 1000, "nested deeper than 32"),
        ("{a: " * 1000, "nested deeper than 32"),
        ("- " * 1000, "nested deeper than 32"),
        ("a:\n" + "".join(f"{' ' * depth}a:\n" for depth in range(1, 100)), "nested deeper than 32"),
        ("- x\n" * 100_000, "more than 20,000 values"),
        ("".join(f"k{number}: x\n" for number in range(30_000)), "more than 20,000 values"),
        ("a: &a [x]\n" + "".join(f"k{number}: [*a, *a]\n" for number in range(1000)), "anchor"),
    ],
)
def test_bombs_are_refused(loader: Any, text: str, words: str) -> None:
    """Deep, wide and multiplying ones, before anything is made of them."""
    found = _sentences(text, loader)

    assert words in found[0]
    assert len(found) <= 51


def test_message_shows_no_more_than_a_piece_of_a_long_line(loader: Any) -> None:
    """A line may be a megabyte."""
    (sentence,) = _sentences(f"a: {'x' * 100_000}: y\n", loader)

    assert len(sentence) < 500
