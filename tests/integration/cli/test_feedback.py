"""`lor3 feedback` and `lor3 observe usage` as a person or a script would use them, on a real SQLite file."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import Run, say, talk

_ABSENT = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_rating_is_given_changed_and_taken_back(lor3: Run) -> None:
    """The last word counts; taking back what is not there is no failure."""
    answer = say(lor3, "one")
    message, thread = answer["message_id"], answer["thread_id"]
    first = lor3("feedback", "rate", message, "--rating", "thumbs_up")
    second = lor3(
        "feedback", "rate", message, "--rating", "2", "--comment", "Too long", "--tag", "b", "--tag", "a",
        "--user", "ada", "--json",
    ).json  # fmt: skip
    shown = lor3("feedback", "show", thread, "--json").json["items"]
    taken = lor3("feedback", "retract", message)
    again = lor3("feedback", "retract", message)

    assert first.out == f"rated {message} thumbs_up\n"
    assert (second["rating"], second["comment"], second["tags"], second["user"]) == (
        2, "Too long", ["a", "b"], "ada",
    )  # fmt: skip
    assert [(each["message_id"], each["rating"]) for each in shown] == [(message, 2)]
    assert (taken.code, taken.out) == (0, f"took back the rating of {message}\n")
    assert (again.code, again.out, "no rating" in again.err) == (0, "", True)
    assert lor3("feedback", "retract", message, "--json").json == {"message_id": message, "retracted": False}


def test_show_is_a_line_a_rating(lor3: Run) -> None:
    """In the order of the answers; none is told on stderr."""
    first, _, third = talk(lor3, "one", "two", "three")
    thread = first["thread_id"]
    empty = lor3("feedback", "show", thread)
    lor3("feedback", "rate", third["message_id"], "--rating", "5", "--comment", "a\tb\nc")
    lor3("feedback", "rate", first["message_id"], "--rating", "thumbs_down", "--user", "ada", "--tag", "x")
    rows = lor3("feedback", "show", thread[:13]).rows

    assert (empty.code, empty.out, "nobody rated" in empty.err) == (0, "", True)
    assert [[*row[:4], *row[5:]] for row in rows] == [
        [first["message_id"], "1", "thumbs_down", "ada", "", "x"],
        [third["message_id"], "5", "5", "", "a b c", ""],
    ]


def test_history_is_newest_first_with_what_was_taken_back(lor3: Run) -> None:
    """A line an entry; nothing is told on stderr."""
    message = say(lor3, "one")["message_id"]
    empty = lor3("feedback", "history", message)
    lor3("feedback", "rate", message, "--rating", "thumbs_up", "--user", "ada")
    lor3("feedback", "rate", message, "--rating", "2", "--comment", "Too long", "--tag", "b", "--tag", "a")
    lor3("feedback", "retract", message)
    rows = lor3("feedback", "history", message).rows
    document = lor3("feedback", "history", message, "--json").json

    assert (empty.code, empty.out, "nobody rated it yet" in empty.err) == (0, "", True)
    assert [[*row[:2], *row[3:]] for row in rows] == [
        ["", "", "", ""],
        ["2", "", "Too long", "a, b"],
        ["thumbs_up", "ada", "", ""],
    ]
    assert (document["message_id"], document["feedback"]) == (message, None)
    assert [each["position"] for each in document["history"]] == [3, 2, 1]
    assert lor3("feedback", "history", _ABSENT).code == 1
    assert lor3("feedback", "history", message[:13]).code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--rating", "thumbs_upp"), 2, "did you mean `thumbs_up`?"),
        (("--rating", "6"), 2, "--rating"),
        ((), 2, "--rating"),
        (("--rating", "1", "--comment", "x" * 4097), 2, "--comment: must have at most 4,096"),
        (("--rating", "1", "--tag", " "), 2, "--tag: must not be empty"),
        (("--rating", "1", "--user", "x" * 257), 2, "--user: must have at most 256"),
    ],
)
def test_rate_refuses_what_can_not_be(lor3: Run, arguments: tuple[str, ...], code: int, told: str) -> None:
    """In the names of the options; nothing is stored."""
    answer = say(lor3, "one")
    done = lor3("feedback", "rate", answer["message_id"], *arguments)

    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert lor3("feedback", "show", answer["thread_id"]).out == ""


def test_only_answers_are_rated(lor3: Run) -> None:
    """Neither a caller's turn nor what is not there, nor the beginning of an id."""
    answer = say(lor3, "one")
    turn = lor3("thread", "show", answer["thread_id"], "--json").json["items"][0]["id"]
    of_turn = lor3("feedback", "rate", turn, "--rating", "1")
    of_none = lor3("feedback", "rate", _ABSENT, "--rating", "1", "--json")
    of_part = lor3("feedback", "rate", answer["message_id"][:13], "--rating", "1")

    assert [each.code for each in (of_turn, of_none, of_part)] == [1, 1, 2]
    assert "MESSAGE_ID: is a message of role `user`" in of_turn.err
    assert json.loads(of_none.err)["code"] == "not_found"
    assert "lor3 thread show" in json.loads(of_none.err)["detail"]
    assert "by its whole id" in of_part.err


def test_export_is_a_line_an_answer(lor3: Run, tmp_path: Path) -> None:
    """With the conversation that led to it, ready for tuning."""
    first, second = talk(lor3, "one", "two")
    other = say(lor3, "three")
    lor3("feedback", "rate", second["message_id"], "--rating", "5")
    lor3("feedback", "rate", other["message_id"], "--rating", "thumbs_down", "--comment", "no\u2028")
    lines = lor3("feedback", "export").out.splitlines()
    good = lor3("feedback", "export", "--min-rating", "4", "--since", "1h", "--output", "good.jsonl")
    records = [json.loads(line) for line in lor3("feedback", "export").out.split("\n") if line]

    assert len(lines) >= 2
    assert [record["message_id"] for record in records] == [second["message_id"], other["message_id"]]
    assert [turn["content"] for turn in records[0]["messages"]] == [
        "one", first["output"], "two", second["output"],
    ]  # fmt: skip
    assert (good.out, "1 rated answer in good.jsonl" in good.err) == ("", True)
    assert json.loads((tmp_path / "good.jsonl").read_text("utf-8"))["rating"] == 5
    assert [
        each["rating"] for each in lor3("feedback", "export", "--max-rating", "2", "--json").json["items"]
    ] == ["thumbs_down"]
    assert lor3("feedback", "export", "--model", "demo:demo", "--json", "-o", "all.jsonl").json == {
        "written": 2,
        "output": "all.jsonl",
    }


def test_empty_export_is_an_empty_file(lor3: Run, tmp_path: Path) -> None:
    """And no failure: a nightly job goes on."""
    lor3("db", "upgrade")
    done = lor3("feedback", "export", "--prompt", "support_agent:v3", "-o", "none.jsonl")

    assert (done.code, (tmp_path / "none.jsonl").read_text()) == (0, "")
    assert "no rated answer matches --prompt support_agent:v3" in " ".join(done.err.split())
    everything = lor3("feedback", "export")
    assert (everything.out, everything.err) == ("", "no whole answer is rated yet\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--min-rating", "good"), "--min-rating: `good` is none of"),
        (("--since", "last year"), "--since: `last year` is no time"),
        (("--prompt", "a:b:c"), "--prompt"),
        (("--model", "nothing"), "--model"),
        (("--min-rating", "5", "--max-rating", "1"), "--min-rating: must not be more than `--max-rating`"),
        (("--since", "1d", "--until", "2d"), "--since: must be earlier than `--until`"),
    ],
)
def test_export_refuses_what_can_not_be(lor3: Run, arguments: tuple[str, ...], told: str) -> None:
    """In the names of the options."""
    done = lor3("feedback", "export", *arguments)

    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_usage_is_of_all_or_in_groups(lor3: Run) -> None:
    """The mean rating stands with its interval and its count."""
    first, _ = talk(lor3, "one", "two", options=("--user", "ada"))
    say(lor3, "three", "--user", "grace")
    lor3("feedback", "rate", first["message_id"], "--rating", "thumbs_up")
    total = lor3("observe", "usage", "--json").json
    rows = lor3("observe", "usage", "--group-by", "user", "--since", "2h").rows
    [of_all] = lor3("observe", "usage").rows

    assert (total["group_by"], len(total["items"])) == (None, 1)
    assert (total["items"][0]["requests"], total["items"][0]["ratings"]["count"]) == (3, 1)
    assert [(row[0], row[1], row[11]) for row in rows] == [("ada", "2", "1"), ("grace", "1", "0")]
    assert rows[0][12:15] == ["1.0000", "0.2065", "1.0000"]
    assert rows[1][12:15] == ["", "", ""]
    assert len(of_all) == 16


def test_usage_of_no_time_says_so(lor3: Run) -> None:
    """On stderr, with the time that was looked at."""
    say(lor3, "one")
    done = lor3("observe", "usage", "--since", "2020-01-01", "--until", "2020-02-01")

    assert (done.code, done.out) == (0, "")
    assert "from 2020-01-01 00:00 to 2020-02-01 00:00 UTC" in done.err
    assert "no chat" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--group-by", "promt"), "did you mean `prompt`?"),
        (("--since", "soon"), "--since"),
        (("--since", "1h", "--until", "1d"), "--since: must be earlier than `--until`"),
    ],
)
def test_usage_refuses_what_can_not_be(lor3: Run, arguments: tuple[str, ...], told: str) -> None:
    """In the names of the options."""
    done = lor3("observe", "usage", *arguments)

    assert (done.code, done.out) == (2, "")
    assert told in done.err
