"""`lor3 run` in conversations: threads, sessions, users, memory and idempotency keys."""

import pytest

from tests.support.command_line import Run, say, talk

_ABSENT = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_footer_names_the_thread_and_what_was_remembered(lor3: Run) -> None:
    """So that it can be continued; on stderr, beside a clean answer."""
    first = lor3("run", "--prompt", "one")
    thread = first.err.rpartition("thread ")[2].strip()
    second = lor3("run", "--prompt", "two", "--thread", thread)

    assert "remembered" not in first.err
    assert f"2 messages remembered · thread {thread}" in second.err
    assert thread not in second.out


def test_session_and_user_are_kept(lor3: Run) -> None:
    """A session that is named is continued by another thread of the same user."""
    first = say(lor3, "one", "--user", "ada")
    second = say(lor3, "two", "--session", first["session_id"])
    shown = lor3("thread", "show", second["thread_id"], "--json").json

    assert second["session_id"] == first["session_id"]
    assert second["thread_id"] != first["thread_id"]
    assert shown["user"] == "ada"


def test_depth_and_memory_bound_what_is_remembered(lor3: Run) -> None:
    """Whole exchanges, and with `summary` what was before them."""
    thread = talk(lor3, "one", "two", "three")[0]["thread_id"]
    none = say(lor3, "four", "--thread", thread, "--context-depth", "0")
    two = say(lor3, "five", "--thread", thread, "--context-depth", "2")
    summary = say(lor3, "six", "--thread", thread, "--context-depth", "2", "--memory", "summary")

    assert (none["context"]["injected"], two["context"]["injected"]) == (0, 2)
    assert summary["context"]["summarised"] == 8
    assert say(lor3, "seven", "--thread", thread, "--memory", "window")["context"]["summarised"] == 0


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--thread", _ABSENT), 1, f"there is no thread {_ABSENT}; leave `--thread` out"),
        (("--thread", "01890a5d"), 1, "begins with 01890a5d; `lor3 thread list`"),
        (("--thread", "last"), 2, "--thread: `last` is no id"),
        (("--session", _ABSENT), 1, f"there is no session {_ABSENT}; leave `--session` out"),
        (("--session", "01890a5d"), 2, "--session"),
        (("--context-depth", "201"), 2, "--context-depth"),
        (("--memory", "long"), 2, "--memory: `long` is none of window, summary"),
        (("--format", "prose"), 2, "--format: unknown format `prose`"),
        (("--format", "prose", "--model", "opnai:x"), 2, "--model: unknown provider `opnai`"),
        (("--system", "a:b:c"), 2, "--system"),
        (("--system", "nobody"), 1, "there is no prompt `nobody`"),
        (("--idempotency-key", ""), 2, "--idempotency-key: must be 1 to 255"),
        (("--idempotency-key", "a b"), 2, "--idempotency-key"),
        (("--idempotency-key", "k" * 256), 2, "--idempotency-key"),
        (("--user", "u" * 257), 2, "--user: must have at most 256"),
    ],
)
def test_what_can_not_be_is_refused(lor3: Run, options: tuple[str, ...], code: int, told: str) -> None:
    """In the names of the options; nothing is stored."""
    done = lor3("run", "--prompt", "one", *options)

    assert (done.code, done.out) == (code, "")
    assert told in done.err
    assert lor3("thread", "list").out == ""


def test_session_of_another_thread_is_refused(lor3: Run) -> None:
    """A thread belongs to one session."""
    one, other = say(lor3, "one"), say(lor3, "two")
    done = lor3("run", "--prompt", "x", "--thread", one["thread_id"], "--session", other["session_id"])

    assert (done.code, done.out) == (1, "")
    assert other["session_id"] in done.err
    assert "session_id" not in done.err


def test_key_gives_the_same_answer_once(lor3: Run) -> None:
    """However it is printed; one chat is stored. Another prompt with it is refused."""
    first = say(lor3, "one", "--idempotency-key", "k-1")
    again = say(lor3, "one", "--idempotency-key", "k-1")
    streamed = lor3("run", "--prompt", "one", "--idempotency-key", "k-1", "--stream")
    other = lor3("run", "--prompt", "two", "--idempotency-key", "k-1")

    assert again == first
    assert streamed.out == f"{first['output']}\n"
    assert "given before, so it costs nothing now" in streamed.err
    assert (other.code, other.out) == (1, "")
    assert len(lor3("thread", "list").rows) == 1


def test_explain_takes_the_thread_and_stores_nothing(lor3: Run) -> None:
    """The beginning of its id will do, and the key is not used up."""
    thread = say(lor3, "one")["thread_id"]
    options = ("--thread", thread[:13], "--idempotency-key", "k-1")
    explained = lor3("run", "--prompt", "two", "--explain", "--json", *options).json
    answer = say(lor3, "three", *options)

    assert explained["context"]["injected"] == answer["context"]["injected"] == 2
    assert len(lor3("thread", "show", thread, "--json").json["items"]) == 4
