"""`lor3 thread` at a terminal: what it asks, what fits, and what it never shows."""

import json
import re

import pytest

from tests.support.command_line import Run, say
from tests.support.terminal import at_terminal


@pytest.mark.parametrize(("types", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 1), ("\n", 1, 1)])
def test_delete_asks_first(lor3: Run, types: str, code: int, left: int) -> None:
    """Naming the thread by its title and length; nothing said is no."""
    thread = say(lor3, "one")["thread_id"]
    lor3("thread", "rename", thread, "--title", "Numbers")
    seen = at_terminal("thread", "delete", thread[:13], types=types)

    assert f"Delete {thread} “Numbers” with 2 messages? [y/N]" in seen.text
    assert seen.code == code
    assert seen.text.endswith("kept\n") == bool(code)
    assert len(lor3("thread", "list").rows) == left


def test_long_question_breaks_at_blanks(lor3: Run) -> None:
    """What is to be typed stands behind it on its last line."""
    thread = say(lor3, "one")["thread_id"]
    lor3("thread", "rename", thread, "--title", "word " * 20)
    seen = at_terminal("thread", "delete", thread, types="n\n")

    assert max(map(len, _plain(seen.text).split("\n"))) <= 80
    assert "with 2 messages? [y/N]: n\n" in " ".join(seen.text.split(" "))
    assert not re.search(r"\bwor?$|^(o?r)?d\b", seen.text, re.MULTILINE)


def test_purge_of_several_is_asked_as_what_it_is(lor3: Run) -> None:
    """One that was deleted before is told to be."""
    one, two = say(lor3, "one")["thread_id"], say(lor3, "two")["thread_id"]
    lor3("thread", "delete", one, "--yes")
    seen = at_terminal("thread", "delete", one, two, "--purge", types="y\n")

    assert "Remove these 2 threads for good?" in seen.text
    assert f"{one}, deleted before" in seen.text
    assert (seen.code, f"purged {two}" in seen.text) == (0, True)


def test_narrow_list_shows_beginnings_that_every_command_takes(lor3: Run) -> None:
    """A wide one shows ids whole; a thread without a title is known by its first words."""
    thread = say(lor3, "Why is the sky blue?")["thread_id"]
    narrow, wide = at_terminal("thread", "list"), at_terminal("thread", "list", columns=120)

    assert thread[:13] in narrow.text
    assert thread not in narrow.text
    assert "“Why is the sky blue?”" in narrow.text
    assert thread in wide.text
    assert max(map(len, _plain(narrow.text).split("\n"))) <= 80


def test_show_breaks_lines_at_blanks(lor3: Run) -> None:
    """No word is torn at the edge."""
    thread = say(lor3, "word " * 60)["thread_id"]
    seen = at_terminal("thread", "show", thread)

    assert max(map(len, _plain(seen.text).split("\n"))) <= 80
    assert seen.text.count(" ".join(["word"] * 16) + "\n") >= 3


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_terminal_is_never_told_what_to_do(lor3: Run, options: tuple[str, ...]) -> None:
    """JSON has escapes for all that a terminal would obey, and still says the same."""
    evil = "a\x1b]0;pwned\x07\x9b31m\u202eb"
    answer = say(lor3, evil)
    for command in (
        ("thread", "show", answer["thread_id"], *options),
        ("thread", "export", answer["thread_id"], *options),
        ("thread", "memory", answer["thread_id"], *options),
    ):
        seen = at_terminal(*command)
        shown = _plain(seen.text)

        assert seen.code == 0, shown
        assert not set("\x1b\x07\x9b\u202e") & set(shown), command
        if options:
            document = json.loads(shown)
            assert document["items" if command[1] == "show" else "messages"][0]["content"] == evil


def _plain(text: str) -> str:
    """Without the colours that are lor3's own."""
    for own in ("0", "1", "2", "33", "36"):
        text = text.replace(f"\x1b[{own}m", "")
    return text
