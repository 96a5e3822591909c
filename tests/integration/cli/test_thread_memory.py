"""`lor3 thread memory`: what the next chat will remember, and why."""

from tests.support.command_line import Run, say, talk


def test_memory_is_what_the_next_chat_injects(lor3: Run) -> None:
    """The same number, message by message."""
    answers = talk(lor3, "one", "two", "three")
    thread = answers[0]["thread_id"]
    found = lor3("thread", "memory", thread[:13], "--context-depth", "4", "--json").json
    after = say(lor3, "four", "--thread", thread, "--context-depth", "4")

    assert found["context"]["injected"] == after["context"]["injected"] == 4
    assert [each["position"] for each in found["messages"]] == [2, 3, 4, 5]
    assert (found["context_depth"], found["memory"]) == (4, "window")
    assert (found["left_out"], found["summary"]) == ([], None)


def test_memory_is_a_line_a_message(lor3: Run) -> None:
    """What stays out stands with its reason; what it amounts to is said on stderr."""
    answers = talk(lor3, "one", "two")
    done = lor3("thread", "memory", answers[0]["thread_id"], "--context-depth", "3")

    assert [row[1:] for row in done.rows] == [
        ["1", "assistant", "out", "cut_by_depth"],
        ["2", "user", "in", ""],
        ["3", "assistant", "in", ""],
    ]
    assert "2 of 4 messages go in (context depth 3), 1 stays out" in done.err


def test_pinned_exchange_is_remembered_beyond_the_depth(lor3: Run) -> None:
    """And told to be there because it is pinned."""
    answers = talk(lor3, "one", "two", "three")
    lor3("thread", "pin", answers[0]["message_id"])
    found = lor3("thread", "memory", answers[0]["thread_id"], "--context-depth", "2", "--json").json
    done = lor3("thread", "memory", answers[0]["thread_id"], "--context-depth", "2")

    assert [each["position"] for each in found["messages"]] == [0, 1, 4, 5]
    assert found["context"]["pinned"] == 2
    assert "2 of them because they are pinned" in done.err


def test_depth_of_0_remembers_nothing(lor3: Run) -> None:
    """And says so."""
    thread = say(lor3, "one")["thread_id"]
    done = lor3("thread", "memory", thread, "--context-depth", "0")

    assert (done.code, done.out) == (0, "")
    assert "depth is 0" in done.err


def test_summary_is_shown_before_the_window(lor3: Run) -> None:
    """What is due is told before it is made, and the summary once it was."""
    answers = talk(lor3, "one", "two", "three")
    thread = answers[0]["thread_id"]
    options = ("--context-depth", "2", "--memory", "summary")
    due = lor3("thread", "memory", thread, *options)
    say(lor3, "four", "--thread", thread, *options)
    made = lor3("thread", "memory", thread, *options, "--json").json
    shown = lor3("thread", "memory", thread, *options)

    assert "before the next chat, what was said up to #3 is summarised" in due.err
    assert made["summary"]["up_to"] == 3
    assert made["context"]["summarised"] == 4
    assert shown.out.startswith("Summary of #0 to #3\n")


def test_wrong_mode_is_told_with_the_one_that_was_meant(lor3: Run) -> None:
    """Here as in `lor3 run`."""
    for command in (("thread", "memory", "01890a5d"), ("run", "--prompt", "x")):
        done = lor3(*command, "--memory", "sumary")

        assert (done.code, done.out) == (2, "")
        assert "--memory: `sumary` is none of window, summary; did you mean `summary`?" in done.err
