"""`--tenant`: each tenant's things are the command line's to read and change, one tenant at a time."""

import pytest

from tests.support.command_line import Run, say


def test_a_tenants_things_are_seen_with_its_name_alone(lor3: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads, messages, feedback, prompts and usage; by flag or by environment."""
    ours = say(lor3, "Hello?")
    theirs = say(lor3, "Hello, acme?", "--tenant", "acme")
    rated = lor3("feedback", "rate", theirs["message_id"], "--rating", "5", "--tenant", "acme", "--json")
    listed = lor3("thread", "list", "--tenant", "acme", "--json").json["items"]
    foreign = [
        lor3("thread", "show", theirs["thread_id"]),
        lor3("thread", "delete", theirs["thread_id"], "--yes"),
        lor3("feedback", "rate", theirs["message_id"], "--rating", "1"),
        lor3("run", "--prompt", "Go on.", "--thread", theirs["thread_id"]),
    ]
    monkeypatch.setenv("LOR3_TENANT", "acme")
    shown = lor3("thread", "show", theirs["thread_id"], "--json")
    missing = lor3("thread", "show", ours["thread_id"])
    used = lor3("observe", "usage", "--json").json

    assert 0 == rated.code, rated.err
    assert [theirs["thread_id"]] == [each["id"] for each in listed]
    assert [1] * 4 == [each.code for each in foreign], [each.err for each in foreign]
    assert 0 == shown.code
    assert 1 == missing.code
    assert "1" in str(used)
    assert 2 == shown.json["messages"]
