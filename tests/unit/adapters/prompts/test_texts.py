"""Prompts as texts, in an editor or a pipe."""

import pytest

from adapters.prompts.texts import DocumentTexts
from domain.errors import InvalidRequest
from domain.prompt.source import PromptSource, Turn, Variable

_TEXTS = DocumentTexts()
_SOURCE = PromptSource(
    turns=(Turn(role="system", template="Hello {{name}}: # no comment\n\n  - indented  \nend"),),
    variables=(Variable(name="name", description="Who it is"),),
    description="For: people",
)


@pytest.mark.parametrize("file", ["a.yaml", "a.yml", "stdin", "support.v2"])
def test_what_is_written_is_read(file: str) -> None:
    """A name without a suffix that says otherwise is YAML."""
    assert _SOURCE == _TEXTS.read(_TEXTS.write(_SOURCE), file=file)


def test_template_is_a_literal_block() -> None:
    """So that braces, colons and hashes need no quotes, and lines stay lines."""
    written = _TEXTS.write(_SOURCE)

    assert "template: |-\n  Hello {{name}}: # no comment\n\n    - indented  \n  end\n" in written


def test_json_is_known_by_its_suffix_or_its_brace() -> None:
    """As it comes through a pipe."""
    assert _TEXTS.read('{"template": "a"}', file="stdin") == _TEXTS.read('{"template": "a"}', file="a.json")


def test_plain_text_is_a_fragment() -> None:
    """It declares nothing."""
    source = _TEXTS.read("Be {{how}}.\n", file="tone.md")

    assert (source.turns[0].template, source.declares) == ("Be {{how}}.\n", False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("template: [a]\n", "stdin, line 1"),
        ("template: a\ntempalte: b\n", "stdin, line 2"),
        ("{{name}}: hello\n", "stdin, line 1"),
        ('{"template": 1}', "stdin"),
        ("a: &a [x]\ntemplate: *a\n", "stdin, line 1"),
        ("", "stdin"),
        ("template: \udcff\n", "stdin"),
    ],
)
def test_faults_name_the_file_and_the_line(text: str, says: str) -> None:
    """As errors of the caller."""
    with pytest.raises(InvalidRequest) as refused:
        _TEXTS.read(text, file="stdin")

    assert refused.value.faults[0].message.startswith(says)
