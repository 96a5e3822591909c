"""What somebody wrote, in documents that are taken out."""

import json

from entrypoints.rendering import to_json_line
from entrypoints.thread_export import inline, quoted


def test_line_of_json_is_one_line_to_every_reader() -> None:
    """The same value all the same."""
    value = {"text": "a\u2028b\u2029c\x85d\x0be\nf\\u2028"}
    line = to_json_line(value).decode()

    assert [line[:-1]] == line.splitlines()
    assert value == json.loads(line)


def test_markdown_shows_what_a_terminal_would_obey() -> None:
    """Controls and marks of direction; tabs, line ends and what joins an emoji's parts stay."""
    assert "a�[31mb� c�d�" == inline("a\x1b[31mb\x07\nc\x9bd\u202e").replace("\\[", "[")
    assert ["> a\tb", "> �c", "> 👩\u200d💻"] == quoted("a\tb\n\x1bc\u2028👩\u200d💻")
