"""`lor3 thread` as a person or a script would use it, on a real SQLite file."""

import json
import stat
import uuid
from pathlib import Path

import pytest

from tests.support.command_line import Run, say, talk

_ABSENT = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_empty_list_says_how_to_begin(lor3: Run) -> None:
    """On stderr: a pipe gets no rows."""
    lor3("db", "upgrade")
    done = lor3("thread", "list")

    assert (done.code, done.out) == (0, "")
    assert "lor3 run" in done.err
    assert lor3("thread", "list", "--json").json == {"items": []}


def test_list_is_a_line_a_thread_newest_first(lor3: Run) -> None:
    """Its id, whole in a pipe, when it was written to, its length, its title where it has one, and its tags."""
    first, second = say(lor3, "one"), say(lor3, "two")
    say(lor3, "three", "--thread", first["thread_id"])
    lor3("thread", "rename", first["thread_id"], "--title", "Numbers", "--tag", "b", "--tag", "a")
    rows = lor3("thread", "list").rows

    assert [[row[0], *row[2:]] for row in rows] == [
        [second["thread_id"], "2", "", ""],
        [first["thread_id"], "4", "Numbers", "a, b"],
    ]
    items = lor3("thread", "list", "--json").json["items"]
    assert [item["messages"] for item in items] == [2, 4]
    assert items[1]["tags"] == ["a", "b"]


def test_list_ends_at_its_limit_and_says_so(lor3: Run) -> None:
    """The newest are shown; on stderr is how to see more."""
    answers = [say(lor3, str(number)) for number in range(3)]
    done = lor3("thread", "list", "--limit", "2")

    assert [row[0] for row in done.rows] == [answers[2]["thread_id"], answers[1]["thread_id"]]
    assert "--limit 4" in done.err
    assert "--limit" not in lor3("thread", "list", "--limit", "3").err


def test_list_is_of_one_session_or_user(lor3: Run) -> None:
    """All threads of a user are found, whichever session they are in, newest first."""
    early = say(lor3, "one", "--user", "ada")
    other = say(lor3, "two", "--user", "grace")
    late = say(lor3, "three", "--user", "ada")
    again = say(lor3, "four", "--session", early["session_id"])
    of_ada = [row[0] for row in lor3("thread", "list", "--user", "ada").rows]
    of_session = [row[0] for row in lor3("thread", "list", "--session", early["session_id"]).rows]

    assert of_ada == [again["thread_id"], late["thread_id"], early["thread_id"]]
    assert of_session == [again["thread_id"], early["thread_id"]]
    assert other["thread_id"] not in of_ada
    assert lor3("thread", "list", "--user", "ada", "--limit", "1").rows[0][0] == again["thread_id"]
    assert lor3("thread", "list", "--user", "nobody").out == ""


def test_list_is_of_one_tag_and_by_last_activity(lor3: Run) -> None:
    """The thread that was written to last comes first, where that is asked for."""
    first = say(lor3, "one", "--user", "ada")
    second = say(lor3, "two", "--user", "ada")
    say(lor3, "three", "--thread", first["thread_id"])
    lor3("thread", "rename", second["thread_id"], "--tag", "b")
    say(lor3, "four", "--thread", first["thread_id"])
    by_activity = lor3("thread", "list", "--user", "ada", "--order", "updated").rows

    assert [row[0] for row in by_activity] == [first["thread_id"], second["thread_id"]]
    assert [row[0] for row in lor3("thread", "list", "--tag", "b").rows] == [second["thread_id"]]
    assert lor3("thread", "list", "--tag", "c").out == ""


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--user", "a", "--session", _ABSENT), 2, "not both"),
        (("--order", "updated"), 2, "needs --user or --session"),
        (("--session", _ABSENT), 1, "there is no session"),
        (("--session", "01890a5d"), 2, "by its whole id"),
        (("--limit", "0"), 2, "--limit"),
    ],
)
def test_list_refuses_what_can_not_be(lor3: Run, arguments: tuple[str, ...], code: int, told: str) -> None:
    """2 for what was misused, 1 for what is not there."""
    lor3("db", "upgrade")
    done = lor3("thread", "list", *arguments)

    assert (done.code, done.out) == (code, "")
    assert told in done.err


def test_show_is_a_conversation(lor3: Run) -> None:
    """Who, when, which model, tokens, cost, and the text as it is."""
    first, second = talk(lor3, "Why is the sky blue?", "And the sea?", options=("--user", "ada"))
    lor3(
        "feedback", "rate", first["message_id"], "--rating", "2", "--comment", "Too\nlong", "--tag", "length"
    )
    lor3("thread", "pin", second["message_id"])
    done = lor3("thread", "show", first["thread_id"])

    assert done.code == 0, done.err
    for told in (
        "untitled",
        first["thread_id"],
        first["session_id"],
        "ada",
        "#0 user",
        "#1 assistant",
        f"{first['message_id']}",
        "demo:demo · ",
        "$0",
        "rated 2 of 5 on ",
        "“Too long” (length)",
        "pinned",
        "Why is the sky blue?",
        second["output"],
    ):
        assert told in done.out
    assert done.out.count("pinned") == 2, "the turn is pinned with its answer"


def test_show_ends_with_the_last_messages(lor3: Run) -> None:
    """And says how to see all."""
    answers = talk(lor3, "one", "two", "three")
    done = lor3("thread", "show", answers[0]["thread_id"], "--last", "2")
    shown = lor3("thread", "show", answers[0]["thread_id"], "--last", "2", "--json").json

    assert "#3" not in done.out
    assert "#4 user" in done.out
    assert "--last 6" in done.err
    assert [each["position"] for each in shown["items"]] == [4, 5]
    assert shown["messages"] == 6, "the thread's own count, as GET /threads/{id} has it"
    assert (shown["items"][1]["id"], shown["id"]) == (answers[2]["message_id"], answers[0]["thread_id"])


def test_show_without_messages_is_about_the_thread(lor3: Run) -> None:
    """`--last 0`."""
    answer = say(lor3, "one")

    assert lor3("thread", "show", answer["thread_id"], "--last", "0", "--json").json["items"] == []
    assert "#0" not in lor3("thread", "show", answer["thread_id"], "--last", "0").out


def test_what_a_terminal_would_obey_is_never_shown(lor3: Run) -> None:
    """Not from a text, a title, a tag, a user, a comment."""
    evil = "\x1b]0;pwned\x07 \x9b31m \u202e"
    answer = say(lor3, f"say {evil}", "--user", evil)
    lor3("thread", "rename", answer["thread_id"], "--title", evil, "--tag", evil)
    lor3("feedback", "rate", answer["message_id"], "--rating", "1", "--comment", evil, "--user", evil)
    for command in (
        ("thread", "list"),
        ("thread", "show", answer["thread_id"]),
        ("thread", "rename", answer["thread_id"], "--title", evil + "!"),
        ("feedback", "show", answer["thread_id"]),
    ):
        done = lor3(*command)

        assert done.code == 0, done.err
        assert not set("\x1b\x07\x9b\u202e") & set(done.out + done.err), command


def test_beginning_of_an_id_will_do(lor3: Run) -> None:
    """With or without dashes, in any case; every command of threads takes it."""
    thread = say(lor3, "one")["thread_id"]
    for text in (thread[:13], thread[:8], thread.replace("-", "")[:20].upper(), thread.upper()):
        assert lor3("thread", "show", text, "--json").json["id"] == thread
    assert say(lor3, "two", "--thread", thread[:13])["thread_id"] == thread
    assert lor3("thread", "rename", thread[:13], "--title", "x", "--json").json["id"] == thread
    assert lor3("thread", "delete", thread[:13], "--yes").out == f"deleted {thread}\n"


def test_ambiguous_beginning_is_refused(lor3: Run) -> None:
    """Two threads of the same minute have the same 8 digits; both are named."""
    threads = [say(lor3, text)["thread_id"] for text in ("one", "two", "three")]
    # The time of 8 digits changes each minute or so: of three made in a moment, two are in the same one.
    first, second = threads[:2] if threads[0][:8] == threads[1][:8] else threads[1:]
    done = lor3("thread", "delete", second[:8], "--yes")

    assert (done.code, done.out) == (1, "")
    assert first in done.err or threads[2] in done.err
    assert second in done.err
    assert len(lor3("thread", "list").rows) == 3


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (_ABSENT, 1, f"there is no thread {_ABSENT}; `lor3 thread list`"),
        ("00000000", 1, "begins with 00000000;"),
        ("0000-0000-0", 1, "begins with 00000000-0;"),
        ("abc", 2, "8 characters or more"),
        ("zzzzzzzz", 2, "is no id"),
        ("../etc/passwd", 2, "is no id"),
        ("", 2, "is no id"),
        (f"{_ABSENT}0", 2, "is no id"),
    ],
)
def test_thread_that_is_not_there_is_told(lor3: Run, text: str, code: int, told: str) -> None:
    """With what to do, whatever the command; what can be no id is misused."""
    lor3("db", "upgrade")
    for command in (("thread", "show"), ("thread", "export"), ("thread", "memory"), ("feedback", "show")):
        done = lor3(*command, text)

        assert (done.code, done.out) == (code, "")
        assert told in done.err
        assert "GET /" not in done.err
    done = lor3("thread", "delete", text, "--yes", "--json")

    assert (done.code, done.out) == (code, "")
    assert json.loads(done.err)["code"] in {1: {"not_found"}, 2: {"misused"}}[code]


def test_rename_changes_what_is_named(lor3: Run) -> None:
    """The rest stays; both can be taken away."""
    thread = say(lor3, "one")["thread_id"]
    lor3("thread", "rename", thread, "--title", "Sky", "--tag", "physics")
    only_tags = lor3("thread", "rename", thread, "--tag", "b", "--tag", "a", "--tag", "b", "--json").json
    no_title = lor3("thread", "rename", thread, "--no-title", "--json").json
    no_tags = lor3("thread", "rename", thread, "--no-tags", "--json").json

    assert (only_tags["title"], only_tags["tags"]) == ("Sky", ["a", "b"])
    assert (no_title["title"], no_title["tags"]) == (None, ["a", "b"])
    assert no_tags["tags"] == []


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ((), 2, "say what to change"),
        (("--title", "x", "--no-title"), 2, "not both"),
        (("--tag", "x", "--no-tags"), 2, "not both"),
        (("--title", " "), 2, "--no-title"),
        (("--title", "x" * 257), 2, "--title: must have at most 256"),
        (("--tag", ""), 2, "--tag: must not be empty"),
        (("--titel", "x"), 2, "--title"),
    ],
)
def test_rename_refuses_what_can_not_be(lor3: Run, options: tuple[str, ...], code: int, told: str) -> None:
    """Options are named, not fields."""
    thread = say(lor3, "one")["thread_id"]
    done = lor3("thread", "rename", thread, *options)

    assert (done.code, done.out) == (code, "")
    assert told in done.err


def test_fork_goes_its_own_way(lor3: Run) -> None:
    """Prints the new thread's id alone; both go on from there."""
    first, second = talk(lor3, "one", "two")
    forked = lor3("thread", "fork", first["thread_id"], "--at", first["message_id"])
    fork = forked.out.strip()
    again = say(lor3, "three", "--thread", fork)

    assert str(uuid.UUID(fork)) == fork
    assert fork in forked.err
    assert again["context"]["injected"] == 2
    assert lor3("thread", "show", fork, "--json").json["forked_from"] == first["message_id"]
    assert "paid for in the thread it was copied from" in lor3("thread", "show", fork).out
    assert (
        lor3("thread", "show", first["thread_id"], "--json").json["items"][-1]["id"] == second["message_id"]
    )


def test_fork_at_a_message_of_another_thread_is_refused(lor3: Run) -> None:
    """Nothing is made."""
    one, other = say(lor3, "one"), say(lor3, "two")
    done = lor3("thread", "fork", one["thread_id"], "--at", other["message_id"])

    assert (done.code, done.out) == (1, "")
    assert "lor3 thread show" in done.err
    assert len(lor3("thread", "list").rows) == 2
    part = lor3("thread", "fork", one["thread_id"], "--at", one["message_id"][:13])
    assert (part.code, "by its whole id, which `lor3 thread show THREAD_ID --json` has" in part.err) == (
        2,
        True,
    )


def test_pin_and_unpin_take_the_exchange(lor3: Run) -> None:
    """Half of one is no memory."""
    answer = say(lor3, "one")
    pinned = lor3("thread", "pin", answer["message_id"])
    shown = lor3("thread", "show", answer["thread_id"], "--json").json["items"]
    lor3("thread", "unpin", answer["message_id"])
    after = lor3("thread", "show", answer["thread_id"], "--json").json["items"]

    assert pinned.out == f"pinned {answer['message_id']}, with its exchange\n"
    assert [each["pinned"] for each in shown] == [True, True]
    assert [each["pinned"] for each in after] == [False, False]
    assert lor3("thread", "pin", _ABSENT).code == 1


def test_delete_needs_somebody_to_ask(lor3: Run) -> None:
    """A script says --yes."""
    thread = say(lor3, "one")["thread_id"]
    refused = lor3("thread", "delete", thread)

    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    assert len(lor3("thread", "list").rows) == 1


def test_deleted_thread_is_absent(lor3: Run) -> None:
    """Several at once, each once; then they can't be shown, continued or deleted again."""
    one, two = say(lor3, "one")["thread_id"], say(lor3, "two")["thread_id"]
    gone = lor3("thread", "delete", one, two, one, "--yes", "--json").json

    assert gone == {"deleted": [one, two], "purged": False}
    for command in (
        ("show", one),
        ("export", one),
        ("delete", one, "--yes"),
        ("rename", one, "--title", "x"),
    ):
        assert lor3("thread", *command).code == 1
    assert lor3("run", "--prompt", "three", "--thread", one).code == 1
    assert lor3("thread", "list").out == ""


def test_nothing_is_deleted_where_one_is_absent(lor3: Run) -> None:
    """A mistyped id does not leave half of the work done."""
    thread = say(lor3, "one")["thread_id"]
    for options in ((), ("--purge",)):
        done = lor3("thread", "delete", thread, _ABSENT, "--yes", *options)

        assert (done.code, done.out) == (1, "")
        assert len(lor3("thread", "list").rows) == 1


def test_purge_removes_also_what_was_deleted_before(lor3: Run) -> None:
    """Then nothing is left of it."""
    one, two = say(lor3, "one")["thread_id"], say(lor3, "two")["thread_id"]
    lor3("thread", "delete", one, "--yes")
    purged = lor3("thread", "delete", one, two, "--purge", "--yes")

    assert sorted(purged.out.splitlines()) == sorted([f"purged {one}", f"purged {two}"])
    assert lor3("thread", "delete", one, "--purge", "--yes").code == 1


def test_export_is_markdown_or_json(lor3: Run, tmp_path: Path) -> None:
    """On stdout, or in a file whose ending decides."""
    answer = say(lor3, "# Why *is* it?")
    thread = answer["thread_id"]
    markdown = lor3("thread", "export", thread)
    to_file = lor3("thread", "export", thread, "--output", "talk.json")
    document = json.loads((tmp_path / "talk.json").read_text("utf-8"))

    assert markdown.code == 0, markdown.err
    assert "## 0. User" in markdown.out
    assert "> # Why *is* it?" in markdown.out
    assert [each["content"] for each in document["messages"]] == ["# Why *is* it?", answer["output"]]
    assert (to_file.out, "2 messages in talk.json" in to_file.err) == ("", True)
    assert stat.S_IMODE((tmp_path / "talk.json").stat().st_mode) == 0o600
    assert lor3("thread", "export", thread, "--format", "json").json == document
    assert lor3("thread", "export", thread, "--json").json == document
    lor3("thread", "export", thread, "-o", "talk.md")
    assert (tmp_path / "talk.md").read_text("utf-8") == markdown.out
    assert lor3("thread", "export", thread, "--json", "-o", "x.md").json == {
        "thread_id": thread,
        "messages": 2,
        "output": "x.md",
    }


def test_export_refuses_what_can_not_be(lor3: Run, tmp_path: Path) -> None:
    """Before anything is read, and without a trace."""
    thread = say(lor3, "one")["thread_id"]
    before = sorted(tmp_path.iterdir())

    assert lor3("thread", "export", thread, "--format", "markdwon").err.count("did you mean `markdown`?") == 1
    assert lor3("thread", "export", thread, "--format", "markdown", "--json").code == 2
    assert lor3("thread", "export", thread, "--output", "none/talk.md").code == 2
    assert lor3("thread", "export", _ABSENT, "--output", "talk.md").code == 1
    assert sorted(tmp_path.iterdir()) == before


def test_mistyped_command_is_told_the_one_that_was_meant(lor3: Run) -> None:
    """As for every group."""
    done = lor3("thread", "lsit")

    assert (done.code, "Did you mean 'list'?" in done.err) == (2, True)


def test_database_that_is_away_is_told_in_a_line(lor3: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, no traceback, nothing of where it is."""
    monkeypatch.setenv("LOR3_DATABASE__URL", "postgresql://nobody:hunter2@127.0.0.1:1/none")
    for command in (("thread", "list"), ("feedback", "show", _ABSENT), ("observe", "usage")):
        done = lor3(*command)

        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("error: ")
        assert "hunter2" not in done.err
