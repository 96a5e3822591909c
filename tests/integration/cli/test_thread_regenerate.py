"""`lor3 thread regenerate`: another answer in place of a thread's last one."""

import pytest

from tests.support.command_line import Run, say, talk

_ABSENT = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_last_answer_is_made_again_with_other_options(lor3: Run) -> None:
    """The new one stands behind the old one, and is what is remembered."""
    first, second = talk(lor3, "one", "two")
    again = lor3("thread", "regenerate", second["message_id"], "--format", "json", "--json").json
    items = lor3("thread", "show", first["thread_id"], "--json").json["items"]
    memory = lor3("thread", "memory", first["thread_id"], "--json").json

    assert (again["thread_id"], again["format"]) == (first["thread_id"], "json")
    assert [each["id"] for each in items[3:]] == [second["message_id"], again["message_id"]]
    assert items[3]["parent_id"] == items[4]["parent_id"] == items[2]["id"]
    assert [each["position"] for each in memory["messages"]] == [0, 1, 2, 4]


@pytest.mark.parametrize("how", ["--stream", "--no-stream"])
def test_answer_is_printed_as_run_prints_it(lor3: Run, how: str) -> None:
    """The answer on stdout, the footer on stderr."""
    answer = say(lor3, "one")
    done = lor3("thread", "regenerate", answer["message_id"].upper(), how)

    assert (done.code, done.out) == (0, f"{answer['output']}\n")
    assert f"thread {answer['thread_id']}" in done.err


def test_key_gives_the_same_answer_once(lor3: Run) -> None:
    """A script that is run again makes no third answer."""
    answer = say(lor3, "one")
    command = ("thread", "regenerate", answer["message_id"], "--idempotency-key", "k-1", "--json")
    first, again = lor3(*command).json, lor3(*command).json

    assert again == first
    assert lor3("thread", "show", answer["thread_id"], "--json").json["messages"] == 3


@pytest.mark.parametrize(
    ("message", "options", "code", "told"),
    [
        (_ABSENT, (), 1, f"there is no message {_ABSENT}; `lor3 thread show THREAD_ID --json`"),
        (_ABSENT[:13], (), 2, "MESSAGE_ID: `01890a5d-ac96` is no id; a message is named by its whole id"),
        (None, ("--format", "prose"), 2, "--format: unknown format `prose`"),
        (None, ("--stream", "--json"), 2, "leave out --stream"),
        (None, ("--var", "name=Ada"), 2, "name one with --system"),
        (None, ("--context-depth", "300"), 2, "--context-depth"),
    ],
)
def test_what_can_not_be_is_refused(
    lor3: Run, message: str | None, options: tuple[str, ...], code: int, told: str
) -> None:
    """In the names of the command line; nothing is stored."""
    answer = say(lor3, "one")
    done = lor3("thread", "regenerate", message or answer["message_id"], *options)

    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert lor3("thread", "show", answer["thread_id"], "--json").json["messages"] == 2


def test_earlier_answer_is_made_again_in_a_fork(lor3: Run) -> None:
    """The fork ends with the turn, which has no answer there yet."""
    first, _ = talk(lor3, "one", "two")
    turn = lor3("thread", "show", first["thread_id"], "--json").json["items"][0]["id"]
    fork = lor3("thread", "fork", first["thread_id"], "--at", turn).out.strip()
    waiting = lor3("thread", "show", fork, "--json").json["items"][-1]["id"]
    again = lor3("thread", "regenerate", waiting, "--json").json
    items = lor3("thread", "show", fork, "--json").json["items"]

    assert [(each["role"], each["content"]) for each in items] == [
        ("user", "one"),
        ("assistant", first["output"]),
    ]
    assert (items[1]["id"], items[1]["parent_id"]) == (again["message_id"], waiting)


def test_what_is_not_last_is_refused(lor3: Run) -> None:
    """Neither a turn that has its answer nor an earlier answer; both are told what to do."""
    first, second = talk(lor3, "one", "two")
    turn = lor3("thread", "show", first["thread_id"], "--json").json["items"][2]["id"]
    of_turn = lor3("thread", "regenerate", turn)
    earlier = lor3("thread", "regenerate", first["message_id"])
    lor3("thread", "delete", first["thread_id"], "--yes")
    deleted = lor3("thread", "regenerate", second["message_id"])

    assert [each.code for each in (of_turn, earlier, deleted)] == [1, 1, 1]
    assert of_turn.err.startswith("error: MESSAGE_ID: ")
    assert f"name {second['message_id']}" in of_turn.err
    assert "fork the thread" in earlier.err
    assert f"there is no message {second['message_id']}" in deleted.err
